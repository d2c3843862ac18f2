//! One call of a client and its outcome, free of what differs between any two Kubos.

use serde::Deserialize;
use serde_json::{Map, Value};

/// A call and what came of it, as a script of a client reports it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Call {
    /// The Kubo command, as in `pin/add`.
    pub(crate) command: String,
    /// What is special about this use of it.
    pub(crate) call: String,
    /// The result, or the error.
    #[serde(flatten)]
    pub(crate) outcome: Map<String, Value>,
}

impl Call {
    /// The outcome as text, for people and for [`crate::justified`].
    pub(crate) fn outcome_text(&self) -> String {
        Value::Object(self.outcome.clone()).to_string()
    }
}

/// Reads the lines that a client's script wrote.
pub(crate) fn read_lines(text: &str) -> Vec<Call> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// Numbers that two repositories with the same content need not share: what stands before them.
const VOLATILE_NUMBERS: [&str; 4] =
    ["\"RepoSize\":", "\"repoSize\":\"", "RepoSize: ", "RepoSize (MiB): "];

/// Replaces the sizes that depend on how a repository came about.
pub(crate) fn without_sizes(text: &str) -> String {
    VOLATILE_NUMBERS.iter().fold(text.to_owned(), |text, before| {
        let mut parts = text.split(before);
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
            out.push_str(before);
            out.push_str("<size>");
            out.push_str(rest);
        }
        out
    })
}

#[test]
fn sizes_of_repositories_are_no_difference() {
    assert_eq!(
        without_sizes(r#"{"RepoSize":123,"NumObjects":5}"#),
        r#"{"RepoSize":<size>,"NumObjects":5}"#
    );
    assert_eq!(
        without_sizes("NumObjects: 5\nRepoSize:   77\n"),
        "NumObjects: 5\nRepoSize: <size>\n"
    );
}
