//! Identifiers, parsed once and trusted after.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Content identifier, version 0 or 1. Two versions of one multihash are different ids, as in Kubo's pinset.
///
/// Text form: version 0 as base58btc (`Qm…`), version 1 always as base32 lower case (`b…`); any
/// multibase is read. Binary form: 34 bytes for version 0, usually 36 for version 1.
/// Source: <https://github.com/multiformats/cid>.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cid(cid::Cid);

/// Longest text of an identifier that is looked at, in bytes; longer text is refused unread.
const ID_TEXT_BYTES_MAX: usize = 512;

/// A text or byte string that is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdError {
    /// The text is no CID.
    #[error("invalid cid: {reason}")]
    Cid {
        /// What is wrong with it.
        reason: String,
    },
    /// The text is no peer id.
    #[error("invalid peer id: {reason}")]
    Peer {
        /// What is wrong with it.
        reason: String,
    },
    /// A pin's name is longer than Kubo takes.
    #[error("pin name is {bytes} bytes (max {} bytes)", PinName::BYTES_MAX)]
    NameLength {
        /// Length of the refused name.
        bytes: usize,
    },
}

impl Cid {
    /// Reads the binary form; nothing may follow it.
    ///
    /// # Errors
    /// [`IdError::Cid`] when the bytes are no CID.
    pub fn decode(bytes: &[u8]) -> Result<Self, IdError> {
        let parsed =
            cid::Cid::try_from(bytes).map_err(|e| IdError::Cid { reason: e.to_string() })?;
        // The decoder ignores what follows; a CID with a tail would not encode to the same bytes.
        if parsed.encoded_len() != bytes.len() {
            return Err(IdError::Cid { reason: "bytes after the end".to_owned() });
        }
        Ok(Self(parsed))
    }

    /// The binary form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// The CID as the `cid` crate has it, for its codec and multihash.
    #[must_use]
    pub fn inner(&self) -> &cid::Cid {
        &self.0
    }
}

impl From<cid::Cid> for Cid {
    fn from(inner: cid::Cid) -> Self {
        Self(inner)
    }
}

impl FromStr for Cid {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() > ID_TEXT_BYTES_MAX {
            return Err(IdError::Cid { reason: format!("longer than {ID_TEXT_BYTES_MAX} bytes") });
        }
        // The crate would take "/ipfs/" in front; paths are parsed elsewhere.
        if text.contains('/') {
            return Err(IdError::Cid { reason: "has a slash".to_owned() });
        }
        let refused = |e: &dyn fmt::Display| IdError::Cid { reason: e.to_string() };
        let cid = cid::Cid::try_from(text).map_err(|e| refused(&e))?;
        // The crate passes over bytes behind the digest; Kubo refuses them.
        if cid.version() == cid::Version::V1
            && cid::multibase::decode(text).is_ok_and(|(_, bytes)| bytes.len() != cid.encoded_len())
        {
            return Err(refused(&"trailing bytes in data buffer passed to cid Cast"));
        }
        Ok(Self(cid))
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cid({})", self.0)
    }
}

impl Serialize for Cid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// A peer of the cluster: the multihash of its public key. Text form base58btc (`12D3Koo…`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(libp2p_identity::PeerId);

impl PeerId {
    /// Reads the binary form (38 bytes for an ed25519 key).
    ///
    /// # Errors
    /// [`IdError::Peer`] when the bytes are no peer id.
    pub fn decode(bytes: &[u8]) -> Result<Self, IdError> {
        libp2p_identity::PeerId::from_bytes(bytes)
            .map(Self)
            .map_err(|e| IdError::Peer { reason: e.to_string() })
    }

    /// The binary form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// The id as libp2p has it.
    #[must_use]
    pub fn inner(&self) -> &libp2p_identity::PeerId {
        &self.0
    }
}

impl From<libp2p_identity::PeerId> for PeerId {
    fn from(inner: libp2p_identity::PeerId) -> Self {
        Self(inner)
    }
}

impl FromStr for PeerId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() > ID_TEXT_BYTES_MAX {
            return Err(IdError::Peer { reason: format!("longer than {ID_TEXT_BYTES_MAX} bytes") });
        }
        text.parse()
            .map(Self)
            .map_err(|e: libp2p_identity::ParseError| IdError::Peer { reason: e.to_string() })
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({})", self.0)
    }
}

impl Serialize for PeerId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PeerId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// Name of a pin given by a client: at most 255 bytes, as in Kubo; empty means none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct PinName(String);

impl PinName {
    /// Longest name that Kubo 0.42 takes, in bytes (not characters).
    pub const BYTES_MAX: usize = 255;

    /// Checks the length.
    ///
    /// # Errors
    /// [`IdError::NameLength`] above [`Self::BYTES_MAX`] bytes, with Kubo's own text.
    pub fn new(name: String) -> Result<Self, IdError> {
        if name.len() > Self::BYTES_MAX {
            return Err(IdError::NameLength { bytes: name.len() });
        }
        Ok(Self(name))
    }

    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name's text, owned.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl<'de> Deserialize<'de> for PinName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Follows one client request through both daemons' logs, and makes a repeated change recognisable.
/// Text form: 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(u128);

impl RequestId {
    /// Makes an id from 128 bits that the caller drew at random.
    #[must_use]
    pub fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// An id for one part of the call, the same each time.
    #[must_use]
    pub fn part(self, number: usize) -> Self {
        Self(self.0.wrapping_add(1).wrapping_add(number as u128))
    }

    /// The id's 16 bytes, big-endian.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Reads the text form; `None` unless it is exactly 32 hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(Self)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V0: &str = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPBdX";

    #[test]
    fn version_1_prints_as_base32_whatever_it_was_read_from() {
        let v1 = cid::Cid::new_v1(0x70, *V0.parse::<Cid>().unwrap().inner().hash());
        let base58 = v1.to_string_of_base(cid::multibase::Base::Base58Btc).unwrap();
        assert_eq!(base58.parse::<Cid>().unwrap().to_string(), v1.to_string());
        assert!(v1.to_string().starts_with("bafybei"));
    }

    #[test]
    fn bytes_after_a_cid_are_refused() {
        let mut bytes = V0.parse::<Cid>().unwrap().encode();
        assert_eq!(Cid::decode(&bytes).unwrap().to_string(), V0);
        bytes.push(0);
        assert!(Cid::decode(&bytes).is_err());
        // An identity CID that says four bytes and has seven.
        assert!("bafkqabdon52gs3th".parse::<Cid>().is_err());
        assert!("bafkqaaa".parse::<Cid>().is_ok());
    }

    #[test]
    fn paths_and_long_text_are_no_cid() {
        assert!(format!("/ipfs/{V0}").parse::<Cid>().is_err());
        assert!("b".repeat(600).parse::<Cid>().is_err());
    }

    #[test]
    fn a_name_of_256_bytes_gets_kubos_words() {
        let error = PinName::new("é".repeat(128)).unwrap_err();
        assert_eq!(error.to_string(), "pin name is 256 bytes (max 255 bytes)");
    }

    #[test]
    fn request_ids_survive_their_text() {
        let id = RequestId::from_bits(42);
        assert_eq!(RequestId::parse(&id.to_string()), Some(id));
        assert_eq!(RequestId::parse("+2"), None);
    }
}
