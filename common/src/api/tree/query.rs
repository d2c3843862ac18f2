//! The question for a tree: who asks, for which pin, and until when.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::DEPTH_MAX;
use crate::ids::Cid;

/// Which cluster it is: 32 hex digits, a keyed hash of its secret and its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterId(String);

/// The text is no id of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no id of a cluster: it must be 32 hex digits")]
pub struct ClusterIdError(String);

impl FromStr for ClusterId {
    type Err = ClusterIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match text.len() == 32 && text.bytes().all(is_digit) {
            true => Ok(Self(text.to_owned())),
            false => Err(ClusterIdError(text.chars().take(64).collect())),
        }
    }
}

impl From<[u8; 32]> for ClusterId {
    /// The first half of a hash.
    fn from(hash: [u8; 32]) -> Self {
        Self(hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }
}

impl TryFrom<String> for ClusterId {
    type Error = ClusterIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ClusterId> for String {
    fn from(id: ClusterId) -> Self {
        id.0
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// The clusters that ask, the topmost first, separated by commas; empty for none. One that finds itself
    /// here does not ask on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub above: String,
    /// Which pin is to be looked up at each level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cid: Option<Cid>,
    /// Milliseconds until the answer is of no use; each level leaves some for the one above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<u64>,
    /// This cluster alone: its peers, without the daemons beside them. Nobody else is asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shallow: bool,
}

/// The clusters above are not given as they must be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AboveError {
    /// One of them is no id.
    #[error("above: {0}, several with commas between")]
    Id(#[from] ClusterIdError),
    /// There are too many.
    #[error("above: more than {DEPTH_MAX} clusters stand one above the other")]
    TooMany,
}

impl Query {
    /// The clusters that ask, the topmost first.
    ///
    /// # Errors
    /// [`AboveError`].
    pub fn clusters_above(&self) -> Result<Vec<ClusterId>, AboveError> {
        let ids = self.above.split(',').filter(|_| !self.above.is_empty());
        if ids.clone().count() > DEPTH_MAX {
            return Err(AboveError::TooMany);
        }
        Ok(ids.map(str::parse).collect::<Result<_, _>>()?)
    }

    /// The query as it stands in a URL: names and values, not escaped.
    #[must_use]
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let above = Some(self.above.clone()).filter(|above| !above.is_empty());
        let pairs = [
            ("above", above),
            ("cid", self.cid.map(|cid| cid.to_string())),
            ("within_ms", self.within_ms.map(|millis| millis.to_string())),
            ("shallow", self.shallow.then(|| "true".to_owned())),
        ];
        pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_32_lower_case_hex_digits() {
        let text = "0123456789abcdef0123456789abcdef";
        assert_eq!(text.parse::<ClusterId>().unwrap().to_string(), text);
        for wrong in
            ["", "0123456789ABCDEF0123456789abcdef", "0123456789abcdef0123456789abcde", "x"]
        {
            assert!(wrong.parse::<ClusterId>().is_err(), "{wrong}");
        }
        assert!(serde_json::from_str::<ClusterId>("\"zz\"").is_err());
    }

    #[test]
    fn clusters_above_are_ids_and_not_too_many() {
        let id = "0123456789abcdef0123456789abcdef";
        let query = |above: String| Query { above, ..Query::default() };
        let above = |text: String| query(text).clusters_above();
        let told = |text| above(text).unwrap().iter().map(ClusterId::to_string).collect::<Vec<_>>();
        assert!(told(String::new()).is_empty());
        assert_eq!(told(format!("{id},{id}")), [id, id]);
        assert!(above("x".to_owned()).unwrap_err().to_string().contains("no id of a cluster"));
        let many = [id; DEPTH_MAX + 1].join(",");
        assert!(above(many).unwrap_err().to_string().contains("more than 8"));
    }
}
