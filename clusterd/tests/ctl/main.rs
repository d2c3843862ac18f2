//! clusterdctl from outside: its words, its exit codes, and what it does with odd answers.
//!
//! A listener of a few lines plays clusterd, so that every answer can be had, also wrong ones.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod add;
mod fake;
mod health;
mod invite;
mod tree;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use fake::{CHUNKED, Fake, Ran, chunk, reply};

const CID: &str = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPBdX";
const PEER: &str = "12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt";

fn info(status: &str) -> String {
    format!(
        r#"{{"cid":"{CID}","name":"a","peer_map":{{"{PEER}":{{"peername":"alpha","status":"{status}","error":"no route"}}}}}}"#
    ) + "\n"
}

fn record() -> String {
    format!(
        r#"{{"replication_factor_min":-1,"replication_factor_max":-1,"cid":"{CID}","max_depth":-1}}"#
    ) + "\n"
}

#[test]
fn a_missing_socket_says_what_to_look_at() {
    let ran = Command::new(env!("CARGO_BIN_EXE_clusterdctl"))
        .args(["--socket", "/nonexistent/control.sock", "id"])
        .output()
        .unwrap();
    let ran = Ran::from(ran);
    assert_eq!(ran.code, 69);
    assert!(ran.err.contains("/nonexistent/control.sock"), "{}", ran.err);
    assert!(ran.err.contains("systemctl status clusterd"), "{}", ran.err);
}

#[test]
fn a_wrong_command_line_ends_with_64_before_anything_is_sent() {
    let fake = Fake::new(|line, _| panic!("was called: {line}"));
    for words in [
        &["frobnicate"][..],
        &["pin", "add"],
        &["pin", "add", "no-cid"],
        &["pin", "add", CID, "no-cid"],
        &["status", "--filter", "pined"],
        &["pin", "add", "--rmin", "3", "--rmax", "2", CID],
    ] {
        let ran = fake.run(words);
        assert_eq!(ran.code, 64, "{words:?}: {}", ran.err);
        assert!(!ran.err.is_empty() && ran.out.is_empty());
    }
}

#[test]
fn tables_are_for_people_and_lines_for_programs() {
    let fake = Fake::new(|line, stream| {
        assert_eq!(line, "GET /pins?filter=error HTTP/1.1");
        reply(stream, 200, &(info("pin_error") + &info("unpin_error")));
    });
    let ran = fake.run(&["status", "--filter", "error"]);
    let rows: Vec<&str> = ran.out.lines().collect();
    assert!(rows[0].starts_with("CID  ") && rows[1].contains("pin_error"), "{}", ran.out);
    assert!(rows[1].contains("alpha") && rows[1].contains("no route") && rows.len() == 3);
    let ran = fake.run(&["--json", "status", "--filter", "error"]);
    assert_eq!(ran.out, info("pin_error") + &info("unpin_error"));
}

#[test]
fn an_empty_listing_is_no_error() {
    let fake = Fake::new(|_, stream| {
        stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
    });
    let ran = fake.run(&["pin", "ls"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
}

#[test]
fn a_listing_that_breaks_off_is_not_taken_for_a_whole_one() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new(|_, stream| {
        stream.write_all(CHUNKED).unwrap();
        chunk(stream, &record()).unwrap();
    });
    let file = dir.path().join("pins.ndjson");
    let ran = fake.run(&["state", "export", file.to_str().unwrap()]);
    assert_eq!(ran.code, 69, "{}", ran.err);
    let left = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 0, "a part must not look like a backup");
}

#[test]
fn an_export_appears_whole_and_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new(|_, stream| reply(stream, 200, &record().repeat(3)));
    let file = dir.path().join("pins.ndjson");
    let ran = fake.run(&["state", "export", file.to_str().unwrap()]);
    assert_eq!((ran.code, ran.err.as_str()), (0, "3 records exported\n"));
    assert_eq!(std::fs::read_to_string(file).unwrap(), record().repeat(3));
}

#[test]
fn an_export_into_a_full_device_fails_and_leaves_the_device_alone() {
    use std::os::unix::fs::FileTypeExt;
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("full");
    std::os::unix::fs::symlink("/dev/full", &link).unwrap();
    let fake = Fake::new(|_, stream| reply(stream, 200, &record()));
    let ran = fake.run(&["state", "export", link.to_str().unwrap()]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("No space left"), "{}", ran.err);
    assert!(std::fs::metadata("/dev/full").unwrap().file_type().is_char_device());
}

#[test]
fn a_reader_that_has_enough_ends_it_quietly() {
    let fake = Fake::new(|_, stream| {
        stream.write_all(CHUNKED).unwrap();
        // Far more than all buffers between here and the reader; it ends when the reader goes.
        while chunk(stream, &record().repeat(100)).is_ok() {}
    });
    let mut child =
        fake.command(&["pin", "ls"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert!(first.starts_with("CID"), "{first}");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[test]
fn an_unknown_pin_has_a_code_of_its_own() {
    let fake = Fake::new(|_, stream| {
        reply(stream, 404, r#"{"code":404,"message":"pin is not part of the pinset"}"#);
    });
    let ran = fake.run(&["pin", "rm", CID]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains(&format!("{CID}: pin is not part of the pinset")), "{}", ran.err);
    let ran = fake.run(&["--json", "pin", "ls", CID]);
    assert!(ran.err.starts_with(r#"{"error":""#) && ran.err.contains(r#""exit":2"#), "{}", ran.err);
}

#[test]
fn waiting_ends_when_the_pin_is_held() {
    let asked = std::sync::atomic::AtomicU32::new(0);
    let fake = Fake::new(move |line, stream| {
        if line.starts_with("POST") {
            assert!(line.contains("name=a%20b") && line.contains("replication-min=1"), "{line}");
            return reply(stream, 200, &record());
        }
        let times = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        reply(stream, 200, &info(if times < 2 { "pinning" } else { "pinned" }));
    });
    let ran = fake.run(&["pin", "add", "-w", "-n", "a b", "-r", "1", CID]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.err, format!("{CID} pinning\n{CID} pinned\n"));
    assert!(ran.out.lines().nth(1).unwrap().contains("pinned"), "{}", ran.out);
}

#[test]
fn a_wait_survives_a_restart_of_the_daemon() {
    let asked = std::sync::atomic::AtomicU32::new(0);
    let fake = Fake::new(move |line, stream| {
        if line.starts_with("POST") {
            return reply(stream, 200, &record());
        }
        match asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 => reply(stream, 200, &info("pinning")),
            // Broken off without an answer.
            1 => {}
            _ => reply(stream, 200, &info("pinned")),
        }
    });
    let ran = fake.run(&["pin", "add", "--wait", CID]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn a_failed_wait_names_the_cause_and_the_way_out() {
    let fake = Fake::new(|line, stream| match line.starts_with("POST") {
        true => reply(stream, 200, &record()),
        false => reply(stream, 200, &info("pin_error")),
    });
    let ran = fake.run(&["pin", "add", "--wait", CID]);
    assert_eq!(ran.code, 2);
    for words in ["alpha: no route", "stays accepted", "clusterdctl pin rm"] {
        assert!(ran.err.contains(words), "{words} is not in:\n{}", ran.err);
    }
}

#[test]
fn status_of_named_pins_tells_a_script_whether_they_are_held() {
    let fake = Fake::new(|line, stream| match line.contains("/allocations/") {
        true => reply(stream, 200, &record()),
        false => reply(stream, 200, &info("pinning")),
    });
    assert_eq!(fake.run(&["status", CID]).code, 2);
    let fake = Fake::new(|line, stream| match line.contains("/allocations/") {
        true => reply(stream, 200, &record()),
        false => reply(stream, 200, &info("pinned")),
    });
    assert_eq!(fake.run(&["status", CID]).code, 0);
}

#[test]
fn a_bad_record_is_named_with_its_line() {
    let fake = Fake::new(|line, stream| {
        assert!(line.starts_with("POST /composite/import "), "{line}");
        let error = r#"{"error":{"line":7,"error":{"code":400,"message":"no cid","reason":"bad-request"},"counts":{"written":5,"unchanged":1}}}"#;
        reply(
            stream,
            200,
            &format!("{{\"progress\":{{\"written\":5,\"unchanged\":1}}}}\n{error}\n"),
        );
    });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pins.ndjson");
    std::fs::write(&file, record().repeat(7)).unwrap();
    let ran = fake.run(&["state", "import", file.to_str().unwrap()]);
    assert_eq!(ran.code, 65, "{}", ran.err);
    for words in ["line 7", "no cid", "5 written", "import the whole file again"] {
        assert!(ran.err.contains(words), "{words} is not in:\n{}", ran.err);
    }
}

#[test]
fn a_silent_daemon_is_given_up() {
    let fake = Fake::new(|_, stream| {
        // Ends when the client goes.
        drop(stream.read(&mut [0; 1]));
    });
    let ran = fake.run(&["--timeout", "100ms", "id"]);
    assert_eq!(ran.code, 69);
    assert!(ran.err.contains("--timeout"), "{}", ran.err);
}

#[test]
fn check_hands_on_the_daemons_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("clusterd.toml");
    std::fs::write(&file, "clustername = \"x\"\n").unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_clusterdctl")).arg("check").arg(&file).output();
    let ran = Ran::from(ran.unwrap());
    assert_eq!(ran.code, 78, "{}", ran.err);
    assert!(ran.err.contains("clusterd.toml:1"), "{}", ran.err);
}
