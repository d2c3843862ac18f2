//! Settings with units: `"30s"`, `"10GiB"`.

use std::fmt;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A duration in a setting: a whole number and one of `ms`, `s`, `m`, `h`, `d`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub Duration);

/// A size in a setting: a whole number and one of `B`, `KiB`, `MiB`, `GiB`, `TiB`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

const SECONDS_FORM: &str = "a duration is a whole number and ms, s, m, h or d, such as \"30s\"";
const SIZE_FORM: &str = "a size is a whole number and B, KiB, MiB, GiB or TiB, such as \"10GiB\"";

impl Seconds {
    /// Reads `"30s"`.
    ///
    /// # Errors
    /// A sentence that shows the form.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (number, unit) = split(text).ok_or(SECONDS_FORM)?;
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(SECONDS_FORM),
        };
        number.checked_mul(millis).map(|n| Self(Duration::from_millis(n))).ok_or(SECONDS_FORM)
    }
}

impl ByteSize {
    /// Reads `"10GiB"`.
    ///
    /// # Errors
    /// A sentence that shows the form.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (number, unit) = split(text).ok_or(SIZE_FORM)?;
        let shift = match unit {
            "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            "TiB" => 40,
            _ => return Err(SIZE_FORM),
        };
        number.checked_mul(1 << shift).map(Self).ok_or(SIZE_FORM)
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..end].parse().ok()?, text[end..].trim_start()))
}

impl fmt::Debug for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}B", self.0)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_needed_and_exact() {
        assert_eq!(Seconds::parse("2m").unwrap().0, Duration::from_secs(120));
        assert_eq!(Seconds::parse("500 ms").unwrap().0, Duration::from_millis(500));
        assert_eq!(ByteSize::parse("10GiB").unwrap().0, 10 << 30);
        for bad in ["", "30", "s", "-1s", "1.5s", "10gb", "1 parsec", "99999999999999999999s"] {
            assert!(Seconds::parse(bad).is_err() && ByteSize::parse(bad).is_err(), "{bad}");
        }
        assert!(ByteSize::parse("99999999TiB").is_err());
    }
}
