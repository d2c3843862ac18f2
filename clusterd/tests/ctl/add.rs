//! `clusterdctl add` with odd answers: what is whole, what is not, and who is to blame.

use std::io::Write;

use super::CID;
use super::fake::{CHUNKED, Fake, chunk, reply};

fn line(name: &str) -> String {
    format!(r#"{{"name":"{name}","cid":"{CID}","size":9}}"#) + "\n"
}

/// A file to add.
fn file() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "content").unwrap();
    file
}

#[test]
fn a_failure_at_the_end_is_one_though_lines_came_before() {
    let fake = Fake::new(|_, stream| {
        stream.write_all(CHUNKED).unwrap();
        chunk(stream, &line("d/a")).unwrap();
        stream.write_all(b"0\r\nX-Stream-Error: no space left\r\n\r\n").unwrap();
    });
    let file = file();
    let ran = fake.run(&["add", file.path().to_str().unwrap()]);
    assert_eq!((ran.code, ran.out), (1, format!("added {CID} d/a\n")));
    assert!(ran.err.contains("no space left"), "{}", ran.err);
}

#[test]
fn an_answer_that_breaks_off_or_says_nothing_is_no_success() {
    for end in [&b""[..], b"0\r\n\r\n"] {
        let fake = Fake::new(move |_, stream| {
            stream.write_all(CHUNKED).unwrap();
            stream.write_all(end).unwrap();
        });
        let file = file();
        let ran = fake.run(&["add", file.path().to_str().unwrap()]);
        assert_eq!((ran.code, ran.out.as_str()), (69, ""), "{}", ran.err);
    }
}

#[test]
fn what_cannot_be_read_ends_it_before_anything_is_sent() {
    let fake = Fake::new(|line, _| panic!("was called: {line}"));
    let ran = fake.run(&["add", "/nonexistent/file"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("/nonexistent/file"), "{}", ran.err);
    assert_eq!(fake.run(&["add"]).code, 64);
    assert_eq!(fake.run(&["add", "--rmin", "2", "--rmax", "1", "x"]).code, 64);
}

#[test]
fn options_are_asked_for_by_gos_names() {
    let fake = Fake::new(|head, stream| {
        let wanted = [
            "replication-min=2",
            "name=a%20b",
            "meta-k=v",
            "wrap-with-directory=true",
            "cid-version=1",
            "raw-leaves=true",
            "chunker=size-1000",
        ];
        for wanted in wanted {
            assert!(head.contains(wanted), "{wanted} is not in {head}");
        }
        reply(stream, 200, &line(""));
    });
    let file = file();
    let path = file.path().to_str().unwrap();
    let ran = fake.run(&[
        "add",
        "-r",
        "2",
        "-n",
        "a b",
        "--metadata",
        "k=v",
        "--wrap",
        "--cid-version",
        "1",
        "-s",
        "size-1000",
        "-Q",
        path,
    ]);
    assert_eq!((ran.code, ran.out), (0, format!("{CID}\n")), "{}", ran.err);
}
