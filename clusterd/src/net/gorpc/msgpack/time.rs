//! Points in time: raw strings of 4, 8 or 12 bytes, as msgpack's timestamp extension has them inside.

use common::api::time::WireTime;
use jiff::Timestamp;

use super::head::Kind;
use super::{Decode, DecodeError, Encode, Reader, Writer};

/// Extension type of timestamps; Go reads it but does not write it.
const TIMESTAMP: u8 = 0xff;
/// Seconds have so many bits in the form of 8 bytes, nanoseconds the others.
const SECONDS_BITS: u32 = 34;
/// Nanoseconds of a second.
const SECOND: i128 = 1_000_000_000;

impl Encode for WireTime {
    fn encode(&self, to: &mut Writer) {
        let Some(timestamp) = self.timestamp() else {
            return to.nil();
        };
        let nanoseconds = timestamp.as_nanosecond();
        let seconds = i64::try_from(nanoseconds.div_euclid(SECOND)).unwrap_or(i64::MAX);
        let fraction = u32::try_from(nanoseconds.rem_euclid(SECOND)).unwrap_or(0);
        match (u32::try_from(seconds), u64::try_from(seconds)) {
            (Ok(seconds), _) if fraction == 0 => to.raw(&seconds.to_be_bytes()),
            (_, Ok(seconds)) if seconds >> SECONDS_BITS == 0 => {
                to.raw(&(u64::from(fraction) << SECONDS_BITS | seconds).to_be_bytes());
            }
            _ => to.raw(&[&fraction.to_be_bytes()[..], &seconds.to_be_bytes()].concat()),
        }
    }
}

impl Decode for WireTime {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if from.is_absent()? {
            return Ok(Self::NONE);
        }
        let head = from.peek()?;
        let bytes = if head.kind == Kind::Extension {
            let extension = from.body(head)?.strip_prefix(&[TIMESTAMP]);
            extension.ok_or_else(|| DecodeError::content("an extension that is no time"))?
        } else {
            from.raw()?
        };
        let (seconds, nanoseconds) = parts(bytes)
            .ok_or_else(|| DecodeError::content("a time of other than 4, 8 or 12 bytes"))?;
        // Go's zero may be written out by others than Go.
        let time = Timestamp::new(seconds, nanoseconds).map_err(DecodeError::content)?;
        Ok(if time == zero() { Self::NONE } else { Self::from(time) })
    }
}

/// The first instant of the year 1, which stands for no time.
fn zero() -> Timestamp {
    const SECONDS: i64 = -62_135_596_800;
    Timestamp::from_second(SECONDS).unwrap_or(Timestamp::MIN)
}

/// Seconds since 1970, and nanoseconds.
fn parts(bytes: &[u8]) -> Option<(i64, i32)> {
    match bytes.len() {
        4 => Some((i64::from(u32::from_be_bytes(bytes.try_into().ok()?)), 0)),
        8 => {
            let both = u64::from_be_bytes(bytes.try_into().ok()?);
            let seconds = both & ((1 << SECONDS_BITS) - 1);
            Some((i64::try_from(seconds).ok()?, i32::try_from(both >> SECONDS_BITS).ok()?))
        }
        12 => {
            let (nanoseconds, seconds) = bytes.split_at(4);
            let nanoseconds = u32::from_be_bytes(nanoseconds.try_into().ok()?);
            let seconds = i64::from_be_bytes(seconds.try_into().ok()?);
            Some((seconds, i32::try_from(nanoseconds).ok()?))
        }
        _ => None,
    }
}
