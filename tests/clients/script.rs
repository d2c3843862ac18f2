//! Scripts for command-line clients: one line a call, words as in a shell.
//!
//! ```text
//! # a comment
//! pin/add | what is special | pin add {hello} --name='a name' < file = kept
//! ```
//! `{hello}` is what an earlier line kept with `= hello`: the last line that it printed.
//! `< file` gives the file as standard input.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::calls::{Call, without_sizes};
use crate::sides::Side;

/// Runs each line of `script` with the command that `client` makes, in the directory of `side`.
pub(crate) fn run(script: &str, side: &Side, client: impl Fn(&Side) -> Command) -> Vec<Call> {
    let mut kept = BTreeMap::new();
    let lines = script.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| run_line(line, side, client(side), &mut kept)).collect()
}

fn run_line(
    line: &str,
    side: &Side,
    mut program: Command,
    kept: &mut BTreeMap<String, String>,
) -> Call {
    let mut fields = line.splitn(3, " | ");
    let (Some(command), Some(call), Some(text)) = (fields.next(), fields.next(), fields.next())
    else {
        panic!("not `command | call | words`: {line}");
    };
    let mut words = words(text, kept);
    let keep = take_after("=", &mut words);
    program.current_dir(&side.directory).stdin(Stdio::null());
    if let Some(file) = take_after("<", &mut words) {
        program.stdin(File::open(side.directory.join(file)).unwrap());
    }
    let output = program.args(&words).output().unwrap();
    if let Some(name) = keep {
        let said = String::from_utf8_lossy(&output.stdout);
        kept.insert(name, said.trim_end().lines().last().unwrap_or_default().to_owned());
    }
    let outcome = outcome(command.trim(), &output, side);
    let Value::Object(outcome) = outcome else { unreachable!("it is built as an object") };
    Call { command: command.trim().to_owned(), call: call.trim().to_owned(), outcome }
}

fn outcome(command: &str, output: &Output, side: &Side) -> Value {
    let comparable = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
        let settled: Vec<_> = text.split('\n').map(settled).collect();
        without_sizes(&side.impersonal(&settled.join("\n")))
    };
    let mut stdout = comparable(&output.stdout);
    if command == "pin/ls" && !stdout.starts_with("HTTP/") {
        // Kubo lists as it walks its pins, each time in another order.
        let mut lines: Vec<_> = stdout.lines().collect();
        lines.sort_unstable();
        stdout = lines.join("\n");
    }
    json!({ "code": output.status.code(), "stdout": stdout, "stderr": comparable(&output.stderr) })
}

/// What stays of a line: a progress bar overwrites itself, and tells of speed.
fn settled(line: &str) -> &str {
    let last = line.rsplit('\r').next().unwrap_or(line);
    if last.contains("[--") { "<progress bar>" } else { last }
}

/// Removes `mark` and the word after it from the end; gives the word.
fn take_after(mark: &str, words: &mut Vec<String>) -> Option<String> {
    let place = words.iter().rposition(|word| word == mark)?;
    let word = words.get(place + 1)?.clone();
    words.drain(place..=place + 1);
    Some(word)
}

/// Splits at spaces; single quotes hold words together; `{name}` is replaced by what was kept.
fn words(text: &str, kept: &BTreeMap<String, String>) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    let fill = |word: String| {
        kept.iter().fold(word, |word, (name, value)| word.replace(&format!("{{{name}}}"), value))
    };
    words.into_iter().map(fill).collect()
}

#[test]
fn words_split_as_in_a_shell() {
    let kept = BTreeMap::from([("cid".to_owned(), "Qm1".to_owned())]);
    let mut split = words("pin add --name='two words' {cid}/a '' < file = x", &kept);
    assert_eq!(take_after("=", &mut split).as_deref(), Some("x"));
    assert_eq!(take_after("<", &mut split).as_deref(), Some("file"));
    assert_eq!(split, ["pin", "add", "--name=two words", "Qm1/a", ""]);
}
