//! Strings as Go writes them: in JSON, in XML, and quoted with `%q`.

use std::fmt::Write as _;

/// Text of any bytes: each that is no part of UTF-8 becomes U+FFFD, as in Go's `encoding/json`.
/// (Rust's own replacement puts one for a whole broken character.)
#[must_use]
pub fn lossy(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// Appends `text` as a JSON string, escaped as Go's `encoding/json` does: `<`, `>`, `&`, U+2028 and U+2029 too.
pub fn push_json(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_json_inner(out, text);
    out.push(b'"');
}

fn push_json_inner(out: &mut Vec<u8>, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
            }
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Appends `text` as XML character data, escaped as Go's `xml.EscapeText` does.
pub fn push_xml(out: &mut Vec<u8>, text: &str) {
    let mut buffer = [0; 4];
    for c in text.chars() {
        let escaped = match c {
            '"' => "&#34;",
            '\'' => "&#39;",
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '\t' => "&#x9;",
            '\n' => "&#xA;",
            '\r' => "&#xD;",
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => "\u{fffd}",
            _ => c.encode_utf8(&mut buffer),
        };
        out.extend_from_slice(escaped.as_bytes());
    }
}

/// Quotes `text` as Go's `%q` does.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\0'..='\u{1f}' | '\u{7f}' => push_code(&mut out, 'x', 2, c),
            // Rust's notion of what cannot be shown is Go's but for a few characters of newer Unicode versions.
            _ if c.is_ascii() || c.escape_debug().len() == 1 => out.push(c),
            _ if u32::from(c) > 0xffff => push_code(&mut out, 'U', 8, c),
            _ => push_code(&mut out, 'u', 4, c),
        }
    }
    out.push('"');
    out
}

fn push_code(out: &mut String, letter: char, width: usize, c: char) {
    // Writing to a String cannot fail.
    let _written = write!(out, "\\{letter}{:0width$x}", u32::from(c));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_of_a_broken_character_is_replaced() {
        assert_eq!(lossy(b"a\xe2\x82b\xff\xc3\xa9"), "a\u{fffd}\u{fffd}b\u{fffd}\u{e9}");
    }

    fn json(text: &str) -> String {
        let mut out = Vec::new();
        push_json(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_is_escaped_for_html_as_go_does() {
        assert_eq!(json("<a>&\"\\é"), r#""\u003ca\u003e\u0026\"\\é""#);
        assert_eq!(json("\u{1}\n\u{2028}\u{7f}"), "\"\\u0001\\n\\u2028\u{7f}\"");
    }

    #[test]
    fn quoted_text_shows_what_cannot_be_printed() {
        assert_eq!(quote("a\"b\\\n\u{1}é\u{200b}"), "\"a\\\"b\\\\\\n\\x01é\\u200b\"");
    }

    #[test]
    fn xml_text_has_no_markup_left() {
        let mut out = Vec::new();
        push_xml(&mut out, "<'\"&\n");
        assert_eq!(out, b"&lt;&#39;&#34;&amp;&#xA;");
    }

    proptest::proptest! {
        #[test]
        fn json_that_is_written_reads_back_the_same(text in ".*") {
            let back: String = serde_json::from_str(&json(&text)).unwrap();
            proptest::prop_assert_eq!(back, text);
        }
    }
}
