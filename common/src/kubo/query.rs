//! Reads a query string as Go's `net/url` does, oddities included.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::kubo::text;

/// One `key=value` of a query, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Text before the first `=`.
    pub key: String,
    /// Text after it; empty when there is no `=`.
    pub value: String,
}

/// Go reads no parameter at all from a query with more, counted by its `&`. Source: Go 1.26,
/// `defaultMaxParams`.
const PARAMETERS_MAX: usize = 10_000;

fn is_too_long(query: &str) -> bool {
    query.bytes().filter(|byte| *byte == b'&').count() >= PARAMETERS_MAX
}

/// Splits a query (without its `?`) into pairs, in order; none of a query with more than 10 000.
///
/// A piece with a `;` and a piece with a broken `%` escape vanish, as in Go; so does an empty piece.
/// Bytes that are not UTF-8 become U+FFFD, as they do once Go writes them out as JSON.
#[must_use]
pub fn pairs(query: &str) -> Vec<Pair> {
    if is_too_long(query) {
        return Vec::new();
    }
    query
        .split('&')
        .filter(|piece| !piece.is_empty() && !piece.contains(';'))
        .filter_map(|piece| {
            let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
            Some(Pair { key: decode(key, true)?, value: decode(value, true)? })
        })
        .collect()
}

/// Undoes percent encoding; `None` for a broken escape. `plus` says whether `+` is a space.
#[must_use]
pub fn decode(text: &str, plus: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex_digit(rest.next()?)? << 4 | hex_digit(rest.next()?)?,
            b'+' if plus => b' ',
            _ => byte,
        });
    }
    Some(text::lossy(&bytes))
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// What `url.QueryEscape` leaves as it is.
const QUERY_ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Encodes a key or value for a query.
#[must_use]
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, QUERY_ESCAPED).to_string()
}

/// Removes every piece of a query whose key is one of `keys`, and leaves the others as they came.
/// Nothing is left of a query that Go would not read: it must not become one that it does.
#[must_use]
pub fn without(query: &str, keys: &[&str]) -> String {
    if is_too_long(query) {
        return String::new();
    }
    let kept: Vec<&str> = query
        .split('&')
        .filter(|piece| {
            let key = piece.split_once('=').map_or(*piece, |(key, _)| key);
            !decode(key, true).is_some_and(|key| keys.contains(&key.as_str()))
        })
        .collect();
    kept.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(query: &str) -> Vec<(String, String)> {
        pairs(query).into_iter().map(|pair| (pair.key, pair.value)).collect()
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_semicolon_or_a_broken_escape_makes_the_whole_pair_vanish() {
        assert_eq!(split("type=direct;stream=true&quiet=true"), owned(&[("quiet", "true")]));
        assert_eq!(split("arg=%zz&type=direct&x=%4"), owned(&[("type", "direct")]));
    }

    #[test]
    fn plus_is_a_space_and_escapes_are_decoded_in_keys_too() {
        assert_eq!(split("n%61me=a+b%2B%C3%A9"), owned(&[("name", "a b+é")]));
    }

    #[test]
    fn a_key_without_value_has_the_empty_one() {
        assert_eq!(split("stream&&=x&a=b=c"), owned(&[("stream", ""), ("", "x"), ("a", "b=c")]));
    }

    #[test]
    fn pieces_are_removed_by_their_decoded_key_only() {
        assert_eq!(without("a=1&s%69lent=true&silently=1&silent", &["silent"]), "a=1&silently=1");
    }

    #[test]
    fn a_query_with_too_many_parameters_has_none() {
        let at_most = format!("pin=false{}", "&a".repeat(9_999));
        assert_eq!(pairs(&at_most).len(), 10_000);
        let more = at_most + "&";
        assert_eq!(pairs(&more), []);
        assert_eq!(without(&more, &["a"]), "");
    }

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        let text = "/ipfs/Qm a+b&c=d;é%~";
        assert_eq!(decode(&encode(text), true).as_deref(), Some(text));
    }
}
