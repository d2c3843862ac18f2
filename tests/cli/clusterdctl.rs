//! Our own command line against the real daemons, and pinsets that move to Go ipfs-cluster and back.

use std::fs;
use std::path::Path;

use harness::go_cluster::GoHome;
use harness::http::Client;
use harness::stack::Stack;
use serde_json::Value;

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run(stack: &Stack, args: &[&str]) -> Ran {
    let output = stack.clusterdctl().unwrap().args(args).output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs it, which must succeed.
fn ok(stack: &Stack, args: &[&str]) -> String {
    let ran = run(stack, args);
    assert_eq!(ran.code, 0, "clusterdctl {args:?}: {}{}", ran.out, ran.err);
    ran.out
}

/// Adds content to Kubo without pinning it.
fn content(stack: &Stack, text: &str) -> String {
    fs::write(stack.directory().join("content"), text).unwrap();
    stack.ipfs().ok(&["add", "-Q", "--pin=false", "content"]).unwrap()
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn an_operator_pins_looks_and_unpins() {
    let stack = Stack::start().unwrap();
    let cid = content(&stack, "kept by hand");
    let added = ok(&stack, &["pin", "add", "--wait", "--name", "by hand", &cid]);
    assert!(added.contains(&cid) && added.contains("pinned"), "{added}");
    assert!(stack.ipfs().ok(&["pin", "ls", "--names"]).unwrap().contains("by hand"));
    assert!(ok(&stack, &["status", &cid]).contains("tester"));
    let listed: Value = serde_json::from_str(&ok(&stack, &["--json", "pin", "ls"])).unwrap();
    assert_eq!((&listed["cid"], &listed["name"]), (&cid.as_str().into(), &"by hand".into()));
    assert!(ok(&stack, &["summary"]).contains("Pins        1"));
    assert_eq!(ok(&stack, &["recover"]), "nothing has failed\n");

    let path = format!("/ipfs/{cid}");
    ok(&stack, &["pin", "rm", "--wait", &path]);
    assert_eq!(ok(&stack, &["pin", "ls"]), "");
    assert!(ok(&stack, &["gc"]).ends_with("blocks removed\n"));
    for words in [["pin", "rm", &cid], ["pin", "ls", &cid], ["status", &cid, "--local"]] {
        assert_eq!(run(&stack, &words).code, 2, "{words:?} of what is not pinned");
    }
}

#[test]
fn pins_that_kubo_had_before_are_adopted_with_their_names() {
    let stack = Stack::start().unwrap();
    let cid = content(&stack, "pinned long ago");
    let arg = format!("/api/v0/pin/add?arg={cid}&name=old");
    let answer = Client::tcp(stack.kubo.port()).call("POST", &arg, "").unwrap();
    assert_eq!(answer.status, 200);

    let dry = run(&stack, &["adopt", "--dry-run"]);
    assert!(dry.out.contains(&cid), "{}", dry.err);
    // A new Kubo has its empty directory pinned.
    assert!(dry.err.starts_with("2 pins would be adopted, 0 "), "{}", dry.err);
    assert_eq!(ok(&stack, &["pin", "ls"]), "", "a dry run changes nothing");
    ok(&stack, &["adopt"]);
    assert!(ok(&stack, &["pin", "ls", &cid]).contains("old"));
    assert!(run(&stack, &["adopt"]).err.starts_with("0 pins adopted, 2 "));
}

#[test]
fn a_pinset_goes_to_go_ipfs_cluster_and_back_unchanged() {
    let stack = Stack::start().unwrap();
    let metadata = ["--metadata", "a=1", "--metadata", "b=zwei"];
    let options: [&[&str]; 4] = [
        &["--name", "größer \"quoted\""],
        &metadata,
        &["--mode", "direct", "-r", "1"],
        &["--expire-at", "2099-12-31T23:59:59Z", "--rmin", "1", "--rmax", "2"],
    ];
    for (at, options) in options.iter().enumerate() {
        let cid = content(&stack, &format!("content {at}"));
        ok(&stack, &[&["pin", "add", "--wait", &cid], *options].concat());
    }
    let ours = ok(&stack, &["state", "export"]);
    assert_eq!(ours.lines().count(), options.len());
    let file = stack.directory().join("ours.ndjson");
    fs::write(&file, &ours).unwrap();

    let theirs = through_go(&stack, &file);
    assert_eq!(sorted(&theirs), sorted(&ours));
    fs::write(&file, theirs).unwrap();
    let again = ok(&stack, &["state", "import", file.to_str().unwrap()]);
    assert_eq!(again, "0 records written, 4 were there already\n");
}

/// What a real Go cluster holds after it took a file in, one record a line.
fn through_go(stack: &Stack, file: &Path) -> String {
    let kubo = &stack.kubo;
    let home = GoHome::make(stack.directory(), kubo, &kubo.api()).unwrap();
    home.import(file).unwrap();
    let go = home.start().unwrap();
    let answer = Client::tcp(go.rest_port()).call("GET", "/allocations", "").unwrap();
    assert_eq!(answer.status, 200);
    answer.text()
}
