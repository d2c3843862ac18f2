//! Arguments from a multipart body: what was put in comes out, and nothing else ever panics.

use common::kubo::multipart::{Form, StdinArgs, form};

use super::{Random, run};

const LINES: [&str; 6] = ["bafkqaaa", "/ipfs/Qm/a b", "", "--", "é", "-- b"];
const BOUNDARIES: [&str; 4] = ["b", "------------------------d74496d66958873e", "a b", "'x"];
const WORDS: [&[u8]; 12] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"--",
    b"--b",
    b"--b--",
    b"\r\n--b\r\n",
    b"\r\n\r\n",
    b":",
    b"\"",
    b"Content-Type: application/x-directory\r\n",
    b"\xff",
];

/// A form with `lines` in its first part, and more behind it.
fn body(random: &mut Random, boundary: &str, lines: &[&str]) -> Vec<u8> {
    let end = random.pick(&["\n", "\r\n"]);
    let mut text = random.pick(&["", "preamble\r\n", "\r\n"]).to_owned();
    text += &format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"stdin\"\r\n"
    );
    text += random.pick(&["", "Content-Type: application/octet-stream\r\n"]);
    text += "\r\n";
    lines.iter().for_each(|line| text += &format!("{line}{end}"));
    text += random.pick(&[
        &format!("\r\n--{boundary}--\r\n"),
        &format!("\r\n--{boundary}\r\nX: y\r\n\r\nmore\r\n--{boundary}--\r\n"),
    ]);
    text.into_bytes()
}

#[test]
fn lines_of_a_form_come_out_as_they_went_in() {
    run("stdin", |random| {
        let boundary = random.pick(&BOUNDARIES);
        let lines: Vec<&str> = (0..random.below(5)).map(|_| random.pick(&LINES)).collect();
        let body = body(random, boundary, &lines);
        let read = StdinArgs::read(&body, boundary);
        assert_eq!(
            (read.lines, read.stop),
            (lines.iter().map(ToString::to_string).collect(), None),
            "{}",
            body.escape_ascii()
        );
    });
}

#[test]
fn broken_forms_give_whole_lines_of_the_body_or_none() {
    run("stdin", |random| {
        let boundary = random.pick(&BOUNDARIES);
        let lines: Vec<&str> = (0..random.below(5)).map(|_| random.pick(&LINES)).collect();
        let mut body = body(random, boundary, &lines);
        random.mutate(&mut body, &WORDS, 4);
        let text = String::from_utf8_lossy(&body);
        for line in StdinArgs::read(&body, boundary).lines {
            assert!(
                !line.contains('\n') && text.contains(&line),
                "{line:?} in {}",
                body.escape_ascii()
            );
        }
    });
}

#[test]
fn media_types_are_read_without_a_panic() {
    run("stdin", |random| {
        let mut bytes = b"multipart/form-data; boundary=\"a;b\\\"c\"; x=y".to_vec();
        random.mutate(&mut bytes, &[b";", b"\"", b"\\", b"=", b"boundary=", b" ", b"\""], 4);
        let text = String::from_utf8_lossy(&bytes);
        if let Form::Boundary(boundary) = form(&text) {
            assert!(!boundary.is_empty(), "{text}");
        }
    });
}
