//! Durations as Go programs write them: `"1h30m"`, `"1.5s"`.

use thiserror::Error;

/// A text that Go's `time.ParseDuration` refuses; the words are Go's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GoDurationError {
    /// No duration at all, or longer than Go's 292 years.
    #[error("time: invalid duration {0:?}")]
    Invalid(String),
    /// A number without its unit.
    #[error("time: missing unit in duration {0:?}")]
    MissingUnit(String),
    /// A unit that Go does not know.
    #[error("time: unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit {
        /// The unit.
        unit: String,
        /// The whole text.
        text: String,
    },
}

/// Reads a duration and gives nanoseconds; it may be negative.
/// Source: `time.ParseDuration` of Go 1.25.
///
/// # Errors
/// When Go would refuse it too.
pub fn parse(text: &str) -> Result<i64, GoDurationError> {
    let invalid = || GoDurationError::Invalid(text.to_owned());
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let (nanos, tail) = term(rest, text)?;
        total += nanos;
        // The largest negative value has no positive counterpart, as in Go.
        if total > i128::from(i64::MAX) + i128::from(negative) {
            return Err(invalid());
        }
        rest = tail;
    }
    i64::try_from(if negative { -total } else { total }).map_err(|_| invalid())
}

/// Reads one number with its unit; gives nanoseconds and what follows.
fn term<'a>(rest: &'a str, text: &str) -> Result<(i128, &'a str), GoDurationError> {
    let invalid = || GoDurationError::Invalid(text.to_owned());
    let (whole, after) = digits(rest);
    let (fraction, after) = match after.strip_prefix('.') {
        Some(after) => digits(after),
        None => ("", after),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(invalid());
    }
    let unit_len = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
    let (unit, tail) = after.split_at(unit_len);
    let scale = match unit {
        "" => return Err(GoDurationError::MissingUnit(text.to_owned())),
        "ns" => 1,
        // Both micro signs, U+00B5 and U+03BC.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000_i128,
        _ => {
            let (unit, text) = (unit.to_owned(), text.to_owned());
            return Err(GoDurationError::UnknownUnit { unit, text });
        }
    };
    let whole: i128 = match whole {
        "" => 0,
        digits => digits.parse::<u64>().map_err(|_| invalid())?.into(),
    };
    // 18 digits are finer than a nanosecond of an hour; Go too drops what does not fit.
    let fraction = &fraction[..fraction.len().min(18)];
    let parts: i128 = if fraction.is_empty() { 0 } else { fraction.parse().unwrap_or(0) };
    let denominator = (0..fraction.len()).fold(1_i128, |n, _| n * 10);
    Ok((whole * scale + parts * scale / denominator, tail))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_reads() {
        for (text, nanos) in [
            ("0", 0),
            ("+5s", 5_000_000_000),
            ("-1.5h", -5_400_000_000_000),
            ("1h30m", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("3\u{b5}s2ns", 3_002),
            ("0.00000000000000000000001h", 0),
            ("2562047h47m16.854775807s", i64::MAX),
            ("9223372036854775807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
        ] {
            assert_eq!(parse(text), Ok(nanos), "{text}");
        }
    }

    #[test]
    fn refuses_with_gos_words() {
        for (text, words) in [
            ("", "time: invalid duration \"\""),
            ("-", "time: invalid duration \"-\""),
            ("foo", "time: invalid duration \"foo\""),
            (".s", "time: invalid duration \".s\""),
            ("3", "time: missing unit in duration \"3\""),
            ("3d", "time: unknown unit \"d\" in duration \"3d\""),
            ("1h 5m", "time: unknown unit \"h \" in duration \"1h 5m\""),
            ("9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\""),
            ("99999999999999999999ns", "time: invalid duration \"99999999999999999999ns\""),
            ("3000000h", "time: invalid duration \"3000000h\""),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), words);
        }
    }
}
