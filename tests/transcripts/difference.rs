//! What differs between two answers.

use std::fmt;

use crate::normal::{Rule, normal};
use crate::wire::Answer;

/// One difference.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Which part of which answer: `status`, `then[0] body`, `header Server`.
    pub(crate) part: String,
    kubo: String,
    ours: String,
}

/// Longest text of a side that is shown.
const SHOWN_CHARS_MAX: usize = 300;

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = |text: &str| text.chars().take(SHOWN_CHARS_MAX).collect::<String>();
        write!(f, "{}\n    Kubo: {}\n    ours: {}", self.part, cut(&self.kubo), cut(&self.ours))
    }
}

/// Compares our answer with Kubo's. `place` is put before each part's name.
pub(crate) fn compare(
    place: &str,
    kubo: &Answer,
    ours: &Answer,
    rules: &[Rule],
) -> Vec<Difference> {
    let (kubo, ours) = (normal(kubo, rules), normal(ours, rules));
    let mut found = Vec::new();
    let mut check = |part: &str, kubo: String, ours: String| {
        if kubo != ours {
            found.push(Difference { part: format!("{place}{part}"), kubo, ours });
        }
    };
    check("error", shown(&kubo.error), shown(&ours.error));
    check("status", shown(&kubo.status), shown(&ours.status));
    check("proto", shown(&kubo.proto), shown(&ours.proto));
    check("framing", shown(&kubo.framing), shown(&ours.framing));
    check("truncated", shown(&kubo.truncated), shown(&ours.truncated));
    check("closed", shown(&kubo.closed), shown(&ours.closed));
    check("trailers", shown(&kubo.trailers), shown(&ours.trailers));
    check("body", shown(&kubo.body), shown(&ours.body));
    let mut names: Vec<&String> =
        kubo.headers.iter().chain(&ours.headers).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    for name in names {
        check(&format!("header {name}"), values(&kubo, name), values(&ours, name));
    }
    let order = |answer: &Answer| {
        answer.headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>().join(", ")
    };
    check("header order", order(&kubo), order(&ours));
    found
}

fn shown(value: &impl fmt::Debug) -> String {
    format!("{value:?}")
}

fn values(answer: &Answer, name: &str) -> String {
    let same = answer.headers.iter().filter(|(other, _)| other == name);
    same.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" | ")
}
