//! Lines of an `add` answer: the roots are what a generic reader of JSON finds.

use serde_json::Value;

use super::{Random, run};
use common::kubo::roots::Roots;

const SEEDS: [&str; 6] = [
    r#"{"Name":"d/x","Hash":"QmX","Size":"14"}"#,
    r#"{"Name":"d","Bytes":262144}"#,
    r#"{"Name":"","Hash":"QmW","Size":"165"}"#,
    r#"{"Name":"a\u003cb\n","Hash":"QmA","Mode":"0644","Mtime":1000}"#,
    r#"{"Name":"é\\","Hash":"bafkqaaa"}"#,
    r#"{"Message":"failed","Code":0,"Type":"error"}"#,
];

const WORDS: [&[u8]; 12] = [
    b"\"",
    b"\\",
    b"/",
    b"\\u002f",
    b"{",
    b"}",
    b"null",
    b",\"Hash\":\"QmZ\"",
    b"\"Name\":\"\",",
    b"[",
    b"-1",
    b"\xff",
];

/// The root in a line, if it has one: its name and hash.
fn plainly(line: &[u8]) -> Option<(String, String)> {
    let Value::Object(members) = serde_json::from_slice(line).ok()? else { return None };
    let text = |name: &str| match members.get(name) {
        None => Some(String::new()),
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => None,
    };
    let (name, hash) = (text("Name")?, text("Hash")?);
    (!hash.is_empty() && !name.contains('/')).then_some((name, hash))
}

#[test]
fn roots_are_what_a_reader_of_json_finds() {
    run("add_lines", |random: &mut Random| {
        let (mut roots, mut plain, mut shown) = (Roots::default(), Vec::new(), String::new());
        for _ in 0..1 + random.below(4) {
            let mut line = random.pick(&SEEDS).as_bytes().to_vec();
            random.mutate(&mut line, &WORDS, 3);
            let text = String::from_utf8_lossy(&line);
            let is_repeated = |member| text.matches(member).count() > 1;
            if text.contains('\u{fffd}') || is_repeated("\"Name\"") || is_repeated("\"Hash\"") {
                // One reader refuses what the other takes, or passes over; Go never writes it.
                Roots::default().see(&line);
                continue;
            }
            roots.see(&line);
            shown += &format!("{}\n", line.escape_ascii());
            if let Some((name, hash)) = plainly(&line) {
                if name.is_empty() {
                    plain.clear();
                }
                plain.push(hash);
            }
        }
        assert_eq!(roots.held(), plain, "{shown}");
    });
}
