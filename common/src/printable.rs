//! Words of others on our screens and pages.

/// Replaces what could move the cursor, ring, break the line, or turn the direction of writing, and what XML
/// does not bear.
#[must_use]
pub fn printable(text: &str) -> String {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2066}'..='\u{2069}')
            || matches!(c, '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{fffe}'..='\u{ffff}')
    };
    text.chars().map(|c| if harmful(c) { '\u{fffd}' } else { c }).collect()
}

/// The first characters of a text, with a mark where there are more.
#[must_use]
pub fn shortened(text: &str, chars_max: usize) -> String {
    let mut chars = text.chars();
    let mut short: String = chars.by_ref().take(chars_max).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

/// Text that is no markup, in XML and HTML.
#[must_use]
pub fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_command_the_terminal() {
        assert_eq!(printable("a\u{1b}[2J\nb\u{202e}c"), "a\u{fffd}[2J\u{fffd}b\u{fffd}c");
        assert_eq!(printable("naïve – 名前"), "naïve – 名前");
    }

    #[test]
    fn a_name_stays_in_its_line_and_turns_no_writing() {
        let turning = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}";
        for c in "\u{85}\u{2028}\u{2029}".chars().chain(turning.chars()) {
            assert_eq!(printable(&c.to_string()), "\u{fffd}", "U+{:04X}", u32::from(c));
        }
        // Letters that join, and marks between them, are no commands.
        assert_eq!(printable("\u{61b}\u{200d}\u{2027}\u{202f}"), "\u{61b}\u{200d}\u{2027}\u{202f}");
    }
}
