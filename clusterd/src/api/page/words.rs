//! Sizes, times and texts of others as the page writes them.

use common::api::time::WireTime;
use common::printable::shortened;
use jiff::Timestamp;
use maud::{Markup, html};

/// Characters of a text from outside, such as a name, that are shown.
pub(super) const TEXT_CHARS_MAX: usize = 300;

/// A text from outside: escaped, cut, and unable to turn the direction of what stands around it.
pub(super) fn text(text: &str) -> Markup {
    html! { bdi { (shortened(text, TEXT_CHARS_MAX)) } }
}

/// The same, with a dash for an empty one.
pub(super) fn or_dash(words: &str) -> Markup {
    if words.is_empty() {
        html! { "–" }
    } else {
        text(words)
    }
}

/// A size with its binary unit.
pub(super) fn size(bytes: u64) -> String {
    humansize::format_size(bytes, humansize::BINARY)
}

/// Pins in their number: `1 pin`, `2 pins`.
pub(super) fn pins(number: u64) -> String {
    if number == 1 { "1 pin".to_owned() } else { format!("{number} pins") }
}

/// A point in time, to the second.
pub(super) fn at(time: Timestamp) -> Markup {
    let moment = time.strftime("%Y-%m-%d %H:%M:%S").to_string();
    html! { time datetime=(time.strftime("%Y-%m-%dT%H:%M:%SZ")) { (moment) " UTC" } }
}

/// How long ago a time was; a dash for none.
pub(super) fn ago(time: WireTime, now: Timestamp) -> Markup {
    let Some(at) = time.timestamp() else { return html! { "–" } };
    let machine = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let people = at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    html! { time datetime=(machine) title=(people) { (span(now.as_second() - at.as_second())) " ago" } }
}

/// Seconds to their greatest unit; none below zero.
pub(super) fn span(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_others_are_escaped_and_cut() {
        let hostile = "<script>alert(\"1\")</script>&'";
        let shown = text(hostile).into_string();
        assert!(!shown.contains("<script"), "{shown}");
        assert!(
            shown.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;"),
            "{shown}"
        );
        let long = text(&"ä".repeat(TEXT_CHARS_MAX + 1)).into_string();
        assert_eq!(long.matches('ä').count(), TEXT_CHARS_MAX);
        assert!(long.ends_with("…</bdi>"));
        assert_eq!(text("a").into_string(), "<bdi>a</bdi>");
    }

    #[test]
    fn times_are_told_to_their_greatest_unit() {
        let units = [-5, 0, 59, 60, 3600, 90_000].map(span);
        assert_eq!(units, ["0 s", "0 s", "59 s", "1 min", "1 h", "1 d"]);
        assert_eq!(ago(WireTime::NONE, Timestamp::UNIX_EPOCH).into_string(), "–");
    }
}
