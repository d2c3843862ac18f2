//! `API.Authorizations`: who may call which paths, in Kubo's own config format.

use std::collections::BTreeMap;

use common::kubo::path::{COMMANDS, Target};
use data_encoding::BASE64;
use serde::Deserialize;
use thiserror::Error;

/// Kubo's words for a caller without a valid token.
pub const DENIED: &str = "Kubo RPC Access Denied: Please provide a valid authorization token as defined in the API.Authorizations configuration.\n";

/// A credential file that is not Kubo's `API.Authorizations`.
#[derive(Debug, Error)]
pub enum AuthorizationsError {
    /// It is no JSON map of names to `{"AuthSecret": …, "AllowedPaths": […]}`.
    #[error("api-authorizations is not in the form of Kubo's API.Authorizations: {0}")]
    Form(#[from] serde_json::Error),
    /// A secret of a kind that Kubo does not know; Kubo would silently let nobody in with it.
    #[error(
        "api-authorizations: the secret of {user:?} must be \"bearer:TOKEN\", \"basic:USER:PASSWORD\" or \"basic:BASE64\""
    )]
    Secret {
        /// Whose secret.
        user: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawScope {
    auth_secret: String,
    #[serde(default)]
    allowed_paths: Vec<String>,
}

/// The tokens and what each opens.
#[derive(Debug)]
pub struct Authorizations {
    /// The whole value of `Authorization`, and prefixes of decoded paths.
    scopes: Vec<(String, Vec<String>)>,
}

impl Authorizations {
    /// Reads the JSON map. An empty map asks for no authorization, as in Kubo: `None`.
    ///
    /// # Errors
    /// [`AuthorizationsError`]; the text never shows a secret.
    pub fn parse(json: &[u8]) -> Result<Option<Self>, AuthorizationsError> {
        let raw: BTreeMap<String, RawScope> = serde_json::from_slice(json)?;
        let mut scopes = Vec::with_capacity(raw.len());
        for (user, scope) in raw {
            let header =
                header_of(&scope.auth_secret).ok_or(AuthorizationsError::Secret { user })?;
            scopes.push((header, scope.allowed_paths));
        }
        Ok((!scopes.is_empty()).then_some(Self { scopes }))
    }

    /// Whether a request may go on. Paths outside `/api/v0/` are not guarded, nor are `CONNECT` and
    /// `*`, which Kubo answers itself. What cannot be read needs a valid token: if Kubo read it
    /// otherwise than we do, it would be open.
    #[must_use]
    pub fn admit(&self, method: &[u8], target: &[u8], authorization: Option<&[u8]>) -> bool {
        if method == b"CONNECT" || target == b"*" {
            return true;
        }
        let path = std::str::from_utf8(target).ok().and_then(Target::parse).map(|t| t.path);
        if path.as_ref().is_some_and(|path| !path.starts_with(COMMANDS)) {
            return true;
        }
        let given = authorization.unwrap_or_default();
        // The last of equal secrets wins in Kubo's map; the union is the same to any sane config.
        self.scopes.iter().filter(|(header, _)| header.as_bytes() == given).any(|(_, prefixes)| {
            path.as_ref().is_none_or(|path| {
                path == "/api/v0/version"
                    || prefixes.iter().any(|prefix| path.starts_with(prefix.as_str()))
            })
        })
    }
}

/// The value of `Authorization` that a secret stands for. Source: `ConvertAuthSecret` of Kubo 0.42.
fn header_of(secret: &str) -> Option<String> {
    match secret.split_once(':') {
        None if secret.is_empty() => None,
        None => Some(format!("Bearer {secret}")),
        Some(("bearer", token)) => Some(format!("Bearer {token}")),
        Some(("basic", pair)) if pair.contains(':') => {
            Some(format!("Basic {}", BASE64.encode(pair.as_bytes())))
        }
        Some(("basic", encoded)) => Some(format!("Basic {encoded}")),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Authorizations {
        let json = br#"{
            "ann": {"AuthSecret": "bearer:tok", "AllowedPaths": ["/api/v0"]},
            "bob": {"AuthSecret": "basic:bob:pw", "AllowedPaths": ["/api/v0/id", "/api/v0/add"]},
            "eve": {"AuthSecret": "plain"}
        }"#;
        Authorizations::parse(json).unwrap().unwrap()
    }

    #[test]
    fn the_header_is_compared_byte_for_byte() {
        let all = sample();
        assert!(all.admit(b"POST", b"/api/v0/pin/ls", Some(b"Bearer tok")));
        for wrong in ["bearer tok", "Bearer tok ", "Bearer TOK", "Bearer", ""] {
            assert!(!all.admit(b"POST", b"/api/v0/pin/ls", Some(wrong.as_bytes())), "{wrong}");
        }
        assert!(!all.admit(b"POST", b"/api/v0/pin/ls", None));
    }

    #[test]
    fn a_path_is_allowed_by_prefix_of_its_decoded_form() {
        let (all, bob) = (sample(), Some(b"Basic Ym9iOnB3".as_slice()));
        for path in ["/api/v0/id", "/api/v0/idxyz", "/api/v0/%69d", "/api/v0/add?pin=false"] {
            assert!(all.admit(b"POST", path.as_bytes(), bob), "{path}");
        }
        for path in ["/api/v0/pin/add", "/%61pi/v0/pin/add", "http://x/api/v0/pin/add"] {
            assert!(!all.admit(b"POST", path.as_bytes(), bob), "{path}");
        }
    }

    #[test]
    fn any_valid_token_opens_version_and_nothing_else() {
        let (all, eve) = (sample(), Some(b"Bearer plain".as_slice()));
        assert!(all.admit(b"POST", b"/api/v0/version", eve));
        assert!(!all.admit(b"POST", b"/api/v0/version/deps", eve));
        assert!(!all.admit(b"POST", b"/api/v0/version", None));
    }

    #[test]
    fn what_kubo_does_not_guard_goes_on() {
        for path in ["/webui", "/api/v0", "http://h", "/api/v1/id", "*"] {
            assert!(sample().admit(b"POST", path.as_bytes(), None), "{path}");
        }
    }

    #[test]
    fn no_way_to_write_a_target_goes_around_the_guard() {
        let all = sample();
        for path in [
            "x:/api/v0/id",
            "http:/api/v0/id",
            "ftp://h/api/v0/pin/rm?arg=C",
            "/api/v0//id",
            "/api/v0/config/show/%2e",
            "/api/v0/./id",
            "x:api/v0/id",
            "/api/v0/%zz",
            "api/v0/id",
        ] {
            assert!(!all.admit(b"POST", path.as_bytes(), None), "{path}");
            assert!(all.admit(b"POST", path.as_bytes(), Some(b"Bearer tok")), "{path}");
        }
        assert!(!all.admit(b"POST", b"/api/v0/id\xff", None));
        assert!(all.admit(b"CONNECT", b"h:1", None));
    }

    #[test]
    fn a_secret_of_unknown_kind_is_an_error_that_does_not_show_it() {
        let json = br#"{"ann": {"AuthSecret": "digest:hush"}}"#;
        let text = Authorizations::parse(json).unwrap_err().to_string();
        assert!(text.contains("ann") && !text.contains("hush"));
        assert!(Authorizations::parse(b"{}").unwrap().is_none());
        assert!(Authorizations::parse(b"[]").is_err());
    }
}
