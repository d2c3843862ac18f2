//! One call of clusterd's API: verb, path, query and body, encoded.

use bytes::Bytes;
use serde::Serialize;

use crate::api::Route;
use crate::api::client::ClientError;

/// One call, to be sent any number of times.
#[derive(Debug, Clone)]
pub struct Call {
    pub(super) route: Route,
    pub(super) target: String,
    pub(super) body: Bytes,
    pub(super) content_type: String,
    pub(super) repeat: bool,
}

impl Call {
    /// A call of a verb. `segments` fill the `{…}` of its path in order, percent-encoded here.
    #[must_use]
    pub fn new(route: Route, segments: &[&str]) -> Self {
        let mut rest = segments.iter();
        let target = route
            .path
            .split('/')
            .map(|part| match part.starts_with('{') {
                true => rest.next().map(|text| encode(text)).unwrap_or_default(),
                false => part.to_owned(),
            })
            .collect::<Vec<_>>()
            .join("/");
        let content_type = "application/json".to_owned();
        Self { route, target, body: Bytes::new(), content_type, repeat: route.method == "GET" }
    }

    /// Adds query parameters; pairs are encoded here.
    #[must_use]
    pub fn query<'a>(mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        for (key, value) in pairs {
            self.target.push(if self.target.contains('?') { '&' } else { '?' });
            self.target.push_str(&encode(key));
            self.target.push('=');
            self.target.push_str(&encode(value));
        }
        self
    }

    /// Sets a JSON body.
    ///
    /// # Errors
    /// [`ClientError::Unsendable`] when the value has no JSON form.
    pub fn json(mut self, value: &impl Serialize) -> Result<Self, ClientError> {
        self.body = serde_json::to_vec(value)
            .map_err(|e| ClientError::Unsendable { reason: e.to_string() })?
            .into();
        Ok(self)
    }

    /// Says what a body that is sent along is, where it is not JSON.
    #[must_use]
    pub fn content_type(mut self, content_type: String) -> Self {
        self.content_type = content_type;
        self
    }

    /// Says that the call may be sent again when its connection breaks before an answer began.
    /// `GET` calls may be anyway.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeat = true;
        self
    }
}

/// Everything but letters, digits and `-._~` is encoded.
fn encode(text: &str) -> String {
    const KEEP: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(text, KEEP).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;

    #[test]
    fn segments_and_queries_are_encoded() {
        let call = Call::new(api::PIN_PATH, &["ipfs", "Qm/a b"])
            .query([("name", "ä&b"), ("mode", "direct")]);
        assert_eq!(call.target, "/pins/ipfs/Qm%2Fa%20b?name=%C3%A4%26b&mode=direct");
    }
}
