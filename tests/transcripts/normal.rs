//! What may differ between two runs of the same Kubo, and is made equal before answers are compared.

use serde::Deserialize;
use serde::de::Error as _;

use crate::wire::Answer;

/// One rule of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The order of lines does not count.
    LinesAsSet,
    /// Who closes the connection depends on how much had been read.
    AnyConnection,
    /// The values of these members do not count.
    Members(Vec<String>),
    /// Numbers in text do not count.
    Numbers,
    /// The body does not count.
    NoBody,
    /// Empty objects do not count: one every half second while Kubo waits.
    NoEmptyObjects,
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(match text.split_once(':').unwrap_or((&text, "")) {
            ("lines-as-set", _) => Self::LinesAsSet,
            ("conn-any", _) => Self::AnyConnection,
            ("json-keys", keys) => Self::Members(keys.split(',').map(str::to_owned).collect()),
            ("text-numbers", _) => Self::Numbers,
            ("no-body", _) => Self::NoBody,
            ("drop-lines", "^\\{\\}$") => Self::NoEmptyObjects,
            _ => return Err(D::Error::custom(format!("no such rule: {text}"))),
        })
    }
}

/// An answer with all that may differ taken out.
pub(crate) fn normal(answer: &Answer, rules: &[Rule]) -> Answer {
    let mut answer = answer.clone();
    answer.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("date"));
    answer.body = last_progress(&answer.body);
    for rule in rules {
        let mut sized = true;
        match rule {
            Rule::LinesAsSet => {
                let mut lines: Vec<&str> = answer.body.split_inclusive('\n').collect();
                lines.sort_unstable();
                answer.body = lines.concat();
            }
            Rule::AnyConnection => {
                answer.closed = None;
                answer.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("connection"));
            }
            Rule::Members(names) => {
                sized = false;
                for name in names {
                    answer.body = blanked(&answer.body, name);
                }
            }
            Rule::Numbers => {
                sized = false;
                answer.body = numberless(&answer.body);
            }
            Rule::NoBody => {
                sized = false;
                answer.body = String::new();
            }
            Rule::NoEmptyObjects => {
                let lines = answer.body.split_inclusive('\n').filter(|line| line.trim() != "{}");
                answer.body = lines.collect();
            }
        }
        if !sized {
            answer.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
        }
    }
    answer
}

/// The body with the last of several progress lines of a pin alone: Kubo writes one each half second,
/// so how many there are depends on how fast the machine is.
fn last_progress(body: &str) -> String {
    let lines: Vec<&str> = body.split_inclusive('\n').collect();
    if !lines.last().is_some_and(|last| last.starts_with("{\"Pins\":")) {
        return body.to_owned();
    }
    let is_progress = |line: &str| line == "{}\n" || line.starts_with("{\"Progress\":");
    let last = lines.iter().rposition(|line| is_progress(line) && *line != "{}\n");
    let kept =
        lines.iter().enumerate().filter(|(at, line)| !is_progress(line) || Some(*at) == last);
    kept.map(|(_, line)| *line).collect()
}

/// The body with every value of a member replaced: numbers by 0, strings by an empty one.
fn blanked(body: &str, name: &str) -> String {
    let member = format!("\"{name}\":");
    let mut out = String::new();
    let mut rest = body;
    while let Some(at) = rest.find(&member) {
        let (before, value) = rest.split_at(at + member.len());
        out.push_str(before);
        let (blank, length) = match value.strip_prefix('"') {
            Some(text) => ("\"\"", text.find('"').map_or(value.len(), |end| end + 2)),
            None => {
                let end = value.find(|c: char| !c.is_ascii_digit() && !matches!(c, '-' | '.'));
                ("0", end.unwrap_or(value.len()))
            }
        };
        out.push_str(if length == 0 { "" } else { blank });
        rest = &value[length..];
    }
    out + rest
}

/// The body with each number, and the unit behind it, replaced by `N`, and blanks counted once.
fn numberless(body: &str) -> String {
    let words = body.split_inclusive('\n').map(|line| {
        let mut words: Vec<String> = Vec::new();
        for word in line.split_whitespace() {
            let after_number = words.last().is_some_and(|last| last == "N");
            let is_unit = matches!(word, "B" | "kB" | "MB" | "GB" | "TB");
            if word.starts_with(|c: char| c.is_ascii_digit()) {
                words.push("N".to_owned());
            } else if !(after_number && is_unit) {
                words.push(word.to_owned());
            }
        }
        words.join(" ")
    });
    words.collect::<Vec<_>>().join("\n")
}

#[test]
fn of_a_pins_progress_the_last_line_counts() {
    let slow = "{}\n{}\n{\"Progress\":1}\n{\"Progress\":2}\n{\"Pins\":[\"a\"]}\n";
    assert_eq!(last_progress(slow), "{\"Progress\":2}\n{\"Pins\":[\"a\"]}\n");
    assert_eq!(last_progress("{}\n{\"Pins\":[\"a\"]}\n"), "{\"Pins\":[\"a\"]}\n");
    assert_eq!(last_progress("{}\n"), "{}\n");
}
