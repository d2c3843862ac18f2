//! Uploads that go wrong: nothing is pinned half, and the client learns why.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use harness::daemon::control_socket;
use harness::go_cluster;
use harness::http::{Answer, Client, Connection};
use harness::rpc::{BOUNDARY, part_end, part_head};
use harness::stack::Stack;
use harness::{rpc, wait};
use nix::sys::signal::Signal;

use super::work::{holds, pinset, site};

/// Longer than an answer of a machine at work takes.
const SOON: Duration = Duration::from_secs(60);

/// What goes to Kubo at a time.
const PIECE: usize = 1 << 20;

fn begin(stack: &Stack, options: &str) -> Connection {
    let mut connection = stack.control().connect().unwrap();
    let head = format!(
        "POST /add?{options} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    );
    connection.send(head.as_bytes()).unwrap();
    connection
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// Adds a small file.
fn add(stack: &Stack, options: &str, content: &str) -> Answer {
    let mut connection = begin(stack, options);
    let body = format!("{}{content}{}", part_head(), part_end());
    connection.send(&chunk(body.as_bytes())).unwrap();
    connection.send(b"0\r\n\r\n").unwrap();
    connection.answer(false).unwrap()
}

#[test]
fn what_makes_no_sense_is_refused_and_pins_nothing() {
    let stack = Stack::start().unwrap();
    let refused = |answer: Answer, status: u16, words: &str| {
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(answer.text().contains(words), "{}", answer.text());
        assert!(answer.text().contains("\"code\":"), "in Go's shape: {}", answer.text());
    };
    let no_form = "Content-Type: text/plain\r\nContent-Length: 0\r\n";
    let answer = stack.control().call("POST", "/add", no_form).unwrap();
    refused(answer, 400, "request Content-Type isn't multipart/form-data");
    refused(add(&stack, "layout=flat", "x"), 400, "layout parameter is invalid");
    refused(add(&stack, "shard=true", "x"), 400, "sharding is not supported");
    refused(add(&stack, "mode=direct", "x"), 400, "pinned recursively");
    refused(add(&stack, "expire-in=never", "x"), 400, "expire-in cannot be parsed");
    refused(add(&stack, "format=car&wrap-with-directory=true", "x"), 400, "cannot wrap");
    refused(add(&stack, "replication-min=2&replication-max=2", "x"), 409, "needed are 2");
    refused(add(&stack, "chunker=axe", "x"), 500, "axe");
    refused(add(&stack, "hash=none&cid-version=1", "x"), 500, "none");
    refused(add(&stack, "nocopy=true", "x"), 500, "must be enabled to use nocopy");
    // The empty directory, which a new Kubo has pinned.
    let held = rpc::pin_ls(&Client::tcp(stack.kubo.port())).unwrap();
    assert!(held.len() <= 1, "{held:?}");
    for empty in ["", &format!("--{BOUNDARY}--\r\n"), &part_head()] {
        let mut connection = begin(&stack, "");
        if !empty.is_empty() {
            connection.send(&chunk(empty.as_bytes())).unwrap();
        }
        connection.send(b"0\r\n\r\n").unwrap();
        let answer = connection.answer(false).unwrap();
        assert!(answer.status >= 400, "{empty:?}: {} {}", answer.status, answer.text());
        // A part that stops in the middle is a file to Kubo, and told of.
        let is_kept = answer.text().contains("not in the cluster: QmbFMke1");
        assert_eq!(is_kept, empty == part_head(), "{}", answer.text());
    }
    assert!(pinset(&stack.control()).is_empty());
}

#[test]
fn lines_may_come_as_one_list() {
    let stack = Stack::start().unwrap();
    let answer = add(&stack, "stream-channels=false&wrap-with-directory=true", "x");
    assert_eq!(answer.status, 200);
    let list: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((&list[0]["name"], &list[1]["name"]), (&"file".into(), &"".into()));
    assert!(list[1]["allocations"][0].is_string(), "{list}");
    assert_eq!(pinset(&stack.control()), [list[1]["cid"].as_str().unwrap()]);
}

/// Sends pieces of a file with `progress`, until Kubo has told of one.
fn under_way(stack: &Stack) -> Connection {
    let mut connection = begin(stack, "progress=true");
    connection.send(&chunk(part_head().as_bytes())).unwrap();
    // One line is held back, and the answer begins with the first that is not.
    for _ in 0..3 {
        connection.send(&chunk(&vec![7; PIECE])).unwrap();
    }
    assert_eq!(connection.head().unwrap().0, 200);
    let line = connection.chunk().unwrap().unwrap();
    assert!(String::from_utf8_lossy(&line).contains("\"bytes\":"), "{line:?}");
    connection
}

#[test]
fn a_kubo_that_dies_in_the_middle_is_told_of_at_the_end() {
    let stack = Stack::start().unwrap();
    let mut connection = under_way(&stack);
    stack.kubo.program().unwrap().signal(Signal::SIGKILL);
    connection.send(&chunk(part_end().as_bytes())).unwrap();
    connection.send(b"0\r\n\r\n").unwrap();
    while connection.chunk().unwrap().is_some() {}
    let trailers = connection.trailers().unwrap();
    let (name, words) = &trailers[0];
    assert!(name.eq_ignore_ascii_case("X-Stream-Error"), "{trailers:?}");
    assert!(words.contains("cannot reach ipfs"), "{words}");
    assert!(pinset(&stack.control()).is_empty());
}

#[test]
fn a_client_that_leaves_in_the_middle_leaves_nothing_behind() {
    let stack = Stack::start().unwrap();
    let kubo = Client::tcp(stack.kubo.port());
    let before = rpc::pin_ls(&kubo).unwrap();
    drop(under_way(&stack));
    let answer = add(&stack, "", "added afterwards");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let after = pinset(&stack.control());
    assert_eq!(after.len(), 1);
    wait::until("Kubo to give the upload up", SOON, || {
        let tasks = kubo.post("/api/v0/diag/cmds").unwrap().text();
        let active =
            |line: &str| line.contains("\"Command\":\"add\"") && line.contains("\"Active\":true");
        (!tasks.split('{').any(active)).then_some(())
    })
    .unwrap();
    let held = rpc::pin_ls(&kubo).unwrap();
    assert_eq!(held.difference(&before).collect::<Vec<_>>(), [&after[0]]);
}

#[test]
fn gos_ctl_shows_a_refusal_at_the_end_and_what_stays_in_kubo() {
    let stack = Stack::start().unwrap();
    site(stack.directory(), 4);
    let mut ctl = go_cluster::ctl(&control_socket(stack.directory())).unwrap();
    ctl.current_dir(stack.directory());
    // The pin is over before the upload is, which is found out when all lines but the last are shown.
    stack.kubo.freeze();
    let (start, expires) = (Instant::now(), Duration::from_secs(3));
    ctl.args(["add", "-r", "--expire-in", "3s", "4/site"]);
    let ctl = ctl.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait::until("the pin to be over", SOON, || (start.elapsed() > expires).then_some(())).unwrap();
    stack.kubo.thaw();
    let output = ctl.wait_with_output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let said = shown.clone() + &String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && shown.contains("added "), "{said}");
    assert!(said.contains("not in the cluster: "), "{said}");
    assert!(pinset(&stack.control()).is_empty());
    let kept = said.split("not in the cluster: ").nth(1).unwrap();
    let kept: String = kept.chars().take_while(char::is_ascii_alphanumeric).collect();
    assert!(holds(&stack.kubo, &kept), "what is named is there: {said}");
}

#[test]
fn an_upload_waits_for_kubo_and_takes_little_memory() {
    let stack = Stack::start().unwrap();
    // Warm, so that what is measured is the upload.
    assert_eq!(add(&stack, "", "warm").status, 200);
    let clusterd = stack.clusterd.program().unwrap();
    let before = clusterd.memory().unwrap().peak;
    let mut connection = begin(&stack, "");
    connection.send(&chunk(part_head().as_bytes())).unwrap();
    stack.kubo.freeze();
    let sent = Arc::new(AtomicUsize::new(0));
    let (mut upload, counter) = (connection.uploader().unwrap(), Arc::clone(&sent));
    let sender = std::thread::spawn(move || {
        for _ in 0..128 {
            upload.send(&chunk(&vec![0; PIECE])).unwrap();
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    let mut last = (0, 0);
    wait::until("the sender to stand still", SOON, || {
        let now = sent.load(Ordering::Relaxed);
        last = if now == last.0 { (now, last.1 + 1) } else { (now, 0) };
        // Half a second without a piece.
        (now > 0 && last.1 > 25).then_some(())
    })
    .unwrap();
    assert!(last.0 < 32, "{} MiB were taken by nobody", last.0);
    stack.kubo.thaw();
    sender.join().unwrap();
    connection.send(&chunk(part_end().as_bytes())).unwrap();
    connection.send(b"0\r\n\r\n").unwrap();
    let answer = connection.answer(false).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let grown = clusterd.memory().unwrap().peak - before;
    println!("128 MiB went through in {grown} KiB more");
    assert!(grown < 16 << 10, "128 MiB took {grown} KiB more");
}
