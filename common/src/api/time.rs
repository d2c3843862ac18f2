//! Points in time as the REST API writes them: RFC 3339, with Go's zero for "none".

use std::fmt;

use jiff::Timestamp;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, or Go's zero time `0001-01-01T00:00:00Z`, which stands for "none".
///
/// Read with any offset and up to nanoseconds; written in UTC without trailing zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WireTime(Option<Timestamp>);

/// Seconds from Go's zero time to 1970.
const GO_ZERO_SECONDS: i64 = -62_135_596_800;

impl WireTime {
    /// No time.
    pub const NONE: Self = Self(None);

    /// Whole seconds since 1970; 0, or a year past 9999, gives [`Self::NONE`].
    #[must_use]
    pub fn from_seconds(seconds: u64) -> Self {
        let seconds = i64::try_from(seconds).ok().filter(|seconds| *seconds != 0);
        Self(seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()))
    }

    /// Milliseconds since 1970; 0, or a year past 9999, gives [`Self::NONE`].
    #[must_use]
    pub fn from_millis(millis: u64) -> Self {
        let millis = i64::try_from(millis).ok().filter(|millis| *millis != 0);
        Self(millis.and_then(|millis| Timestamp::from_millisecond(millis).ok()))
    }

    /// Whole seconds since 1970, rounded down; `None` for no time, negative before 1970.
    #[must_use]
    pub fn seconds(self) -> Option<i64> {
        self.0.map(Timestamp::as_second)
    }

    /// The point in time; `None` for no time.
    #[must_use]
    pub fn timestamp(self) -> Option<Timestamp> {
        self.0
    }

    /// Reads RFC 3339.
    ///
    /// # Errors
    /// The parser's words.
    pub fn parse(text: &str) -> Result<Self, jiff::Error> {
        let timestamp: Timestamp = text.parse()?;
        Ok(Self(Some(timestamp).filter(|timestamp| timestamp.as_second() != GO_ZERO_SECONDS)))
    }
}

impl From<Timestamp> for WireTime {
    fn from(timestamp: Timestamp) -> Self {
        Self(Some(timestamp))
    }
}

impl fmt::Display for WireTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(timestamp) => timestamp.fmt(f),
            None => f.write_str("0001-01-01T00:00:00Z"),
        }
    }
}

impl Serialize for WireTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WireTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = WireTime;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time in RFC 3339")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<WireTime, E> {
                WireTime::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gos_zero_is_no_time_both_ways() {
        let none: WireTime = serde_json::from_str("\"0001-01-01T00:00:00Z\"").unwrap();
        assert_eq!((none, none.seconds()), (WireTime::NONE, None));
        assert_eq!(serde_json::to_string(&none).unwrap(), "\"0001-01-01T00:00:00Z\"");
        assert_eq!(WireTime::from_seconds(0), WireTime::NONE);
    }

    #[test]
    fn offsets_are_read_and_fractions_written_short() {
        let time = WireTime::parse("2026-11-22T19:15:33.9307+01:00").unwrap();
        assert_eq!(time.to_string(), "2026-11-22T18:15:33.9307Z");
        assert_eq!(WireTime::from_millis(1_500).to_string(), "1970-01-01T00:00:01.5Z");
        assert!(WireTime::parse("yesterday").is_err());
    }
}
