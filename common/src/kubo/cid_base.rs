//! How CIDs are written in answers: the options `cid-base` and `upgrade-cidv0-in-output`.

use cid::multibase::Base;
use thiserror::Error;

use crate::ids::Cid;
use crate::kubo::text;

/// The writing of CIDs that a client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CidBase {
    base: Base,
    upgrade: bool,
}

/// A base that Kubo does not know; the words are Kubo's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unsupported multibase encoding: {0}")]
pub struct UnsupportedBase(String);

/// Names and codes of the bases. Source: go-multibase 0.3.0.
const BASES: &[(&str, Base)] = &[
    ("identity", Base::Identity),
    ("base2", Base::Base2),
    ("base16", Base::Base16Lower),
    ("base16upper", Base::Base16Upper),
    ("base32", Base::Base32Lower),
    ("base32upper", Base::Base32Upper),
    ("base32pad", Base::Base32PadLower),
    ("base32padupper", Base::Base32PadUpper),
    ("base32hex", Base::Base32HexLower),
    ("base32hexupper", Base::Base32HexUpper),
    ("base32hexpad", Base::Base32HexPadLower),
    ("base32hexpadupper", Base::Base32HexPadUpper),
    ("base36", Base::Base36Lower),
    ("base36upper", Base::Base36Upper),
    ("base58btc", Base::Base58Btc),
    ("base58flickr", Base::Base58Flickr),
    ("base64", Base::Base64),
    ("base64url", Base::Base64Url),
    ("base64pad", Base::Base64Pad),
    ("base64urlpad", Base::Base64UrlPad),
    ("base256emoji", Base::Base256Emoji),
];

impl Default for CidBase {
    fn default() -> Self {
        Self { base: Base::Base32Lower, upgrade: false }
    }
}

impl CidBase {
    /// Reads the two options; an empty `cid-base` counts as none.
    ///
    /// # Errors
    /// [`UnsupportedBase`] for a name or code that Kubo refuses.
    pub fn from_options(
        cid_base: Option<&str>,
        upgrade: Option<bool>,
    ) -> Result<Self, UnsupportedBase> {
        let mut chosen = Self::default();
        if let Some(name) = cid_base.filter(|name| !name.is_empty()) {
            let known = BASES.iter().find(|(known, base)| {
                *known == name || name.chars().eq(std::iter::once(base.code()))
            });
            let (_, base) = known.ok_or_else(|| UnsupportedBase(name.to_owned()))?;
            // Version 0 can be written in base58btc alone.
            chosen = Self { base: *base, upgrade: *base != Base::Base58Btc };
        }
        if let Some(upgrade) = upgrade {
            chosen.upgrade = upgrade;
        }
        Ok(chosen)
    }

    /// Whether CIDs keep their canonical text.
    #[must_use]
    pub fn is_canonical(self) -> bool {
        self == Self::default()
    }

    /// Writes a CID.
    #[must_use]
    pub fn write(self, cid: &Cid) -> String {
        let inner = cid.inner();
        let v1 = match inner.version() {
            cid::Version::V0 if !self.upgrade => return cid.to_string(),
            cid::Version::V0 => cid::Cid::new_v1(inner.codec(), *inner.hash()),
            cid::Version::V1 => *inner,
        };
        if self.base == Base::Identity {
            // The bytes themselves behind a zero, as far as a string of JSON can hold them.
            return format!("\0{}", text::lossy(&v1.to_bytes()));
        }
        cid::multibase::encode(self.base, v1.to_bytes())
    }

    /// Writes anew what is a CID's text; other text stays.
    #[must_use]
    pub fn rewrite(self, text: &str) -> String {
        if self.is_canonical() {
            return text.to_owned();
        }
        text.parse::<Cid>().map_or_else(|_| text.to_owned(), |cid| self.write(&cid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V0: &str = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn";
    const V1: &str = "bafkreidbqjvsdhikuwiaci5tmp2o532ius44kitruqnr6ebk5ug2ryyt5e";

    fn written(base: Option<&str>, upgrade: Option<bool>, cid: &str) -> String {
        CidBase::from_options(base, upgrade).unwrap().rewrite(cid)
    }

    #[test]
    fn another_base_turns_version_0_into_version_1() {
        assert!(written(Some("base36"), None, V0).starts_with("k2"));
        assert!(written(Some("k"), None, V1).starts_with("k2"));
        assert!(written(Some("base32"), None, V0).starts_with("bafybei"));
    }

    #[test]
    fn base58_leaves_version_0_alone_and_writes_version_1_with_z() {
        assert_eq!(written(Some("base58btc"), None, V0), V0);
        assert!(written(Some("z"), None, V1).starts_with("zb2r"));
    }

    #[test]
    fn identity_writes_the_bytes_as_far_as_json_can_hold_them() {
        // Recorded from Kubo 0.42.
        let cid = "QmZLRFWaz9Kypt2ACNMDzA5uzACDRiCqwdkNSP1UZsu56D";
        let bytes = "\0\u{1}p\u{12} \u{fffd}aV\u{fffd}\u{5}\u{fffd}\u{fffd}Z\u{fffd}\u{fffd}\"p\u{14}`\u{10}\u{17}\u{fffd}#=(\u{fffd}\u{14}\u{fffd},\u{fffd}9\u{fffd}3\u{fffd}u\u{fffd}\u{fffd}";
        assert_eq!(written(Some("identity"), None, cid), bytes);
        assert_eq!(written(Some("\0"), None, cid), bytes);
    }

    #[test]
    fn the_old_option_overrides_in_both_directions() {
        assert!(written(None, Some(true), V0).starts_with("bafybei"));
        assert_eq!(written(Some("base36"), Some(false), V0), V0);
        assert_eq!(written(None, None, V0), V0);
    }

    #[test]
    fn unknown_bases_are_refused_in_kubos_words() {
        for bad in ["base99", "base10", "x", "BASE32"] {
            assert_eq!(
                CidBase::from_options(Some(bad), None).unwrap_err().to_string(),
                format!("unsupported multibase encoding: {bad}")
            );
        }
    }
}
