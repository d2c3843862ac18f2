//! `ipfs-cluster-ctl add` and `clusterdctl add` against one machine.

use std::fs;
use std::process::{Command, Stdio};

use harness::daemon::control_socket;
use harness::go_cluster;
use harness::stack::Stack;
use serde_json::Value;

use super::work::{holds, ok, pinset, run, site};

fn ctl(stack: &Stack) -> Command {
    let mut command = go_cluster::ctl(&control_socket(stack.directory())).unwrap();
    command.current_dir(stack.directory());
    command
}

fn ours(stack: &Stack) -> Command {
    let mut command = stack.clusterdctl().unwrap();
    command.current_dir(stack.directory()).stdin(Stdio::null());
    command
}

#[test]
fn what_gos_ctl_adds_is_pinned_with_its_options() {
    let stack = Stack::start().unwrap();
    site(stack.directory(), 1);
    let options = ["--name", "my site", "--metadata", "a=1", "--expire-in", "1h", "--wait"];
    let root = ok(ctl(&stack), &[&["add", "-r", "-Q"], &options[..], &["1/site"]].concat());
    let root = root.trim();
    assert!(holds(&stack.kubo, root));
    let record = stack.control().call("GET", &format!("/allocations/{root}"), "").unwrap();
    let record: Value = serde_json::from_slice(&record.body).unwrap();
    assert_eq!((&record["name"], &record["metadata"]["a"]), (&"my site".into(), &"1".into()));
    assert_ne!(record["expire_at"], "0001-01-01T00:00:00Z");
    let names = stack.ipfs().ok(&["pin", "ls", "--names", root]).unwrap();
    assert!(names.contains("my site"), "{names}");
    // Nothing but the root is pinned, and all of it is known here.
    assert_eq!(pinset(&stack.control()), [root]);

    fs::write(stack.directory().join("loose.txt"), "not pinned").unwrap();
    let loose = ok(ctl(&stack), &["add", "-Q", "--no-pin", "loose.txt"]);
    assert!(!holds(&stack.kubo, loose.trim()));
    assert_eq!(pinset(&stack.control()), [root]);
}

#[test]
fn a_car_is_added_by_its_root() {
    let stack = Stack::start().unwrap();
    let ipfs = stack.kubo.ipfs(stack.directory());
    site(stack.directory(), 2);
    let root = ipfs.ok(&["add", "-r", "-Q", "--pin=false", "2/site"]).unwrap();
    let car = ipfs.command(&["dag", "export", &root]).output().unwrap();
    fs::write(stack.directory().join("site.car"), car.stdout).unwrap();
    let said =
        ok(ctl(&stack), &["add", "--format", "car", "--name", "from a car", "--wait", "site.car"]);
    assert_eq!(said, format!("added {root} site.car\n"));
    assert!(holds(&stack.kubo, &root));
    ok(ctl(&stack), &["pin", "rm", "--wait", &root]);
    let said =
        ok(ours(&stack), &["add", "--format", "car", "--name", "again", "--wait", "site.car"]);
    assert_eq!(said, format!("added {root} site.car\n"));
    let names = ipfs.ok(&["pin", "ls", "--names", &root]).unwrap();
    assert!(names.contains("again"), "{names}");
    ok(ctl(&stack), &["pin", "rm", "--wait", &root]);
    let said = ok(ctl(&stack), &["add", "--format", "car", "--no-pin", "site.car"]);
    assert_eq!(said, format!("added {root} site.car\n"));
    assert!(!holds(&stack.kubo, &root));
    fs::write(stack.directory().join("no.car"), "this is none").unwrap();
    let ran = run(ctl(&stack), &["add", "--format", "car", "no.car"]);
    assert!(ran.code != 0 && pinset(&stack.control()).is_empty(), "{}", ran.err);
}

#[test]
fn our_own_command_adds_for_people_and_for_programs() {
    let stack = Stack::start().unwrap();
    site(stack.directory(), 3);
    let said = ok(ours(&stack), &["add", "--name", "ours", "--wait", "3/site"]);
    let expected = stack.kubo.ipfs(stack.directory());
    let expected = expected
        .ok(&["add", "-r", "-n", "--cid-version=0", "--raw-leaves=false", "3/site"])
        .unwrap();
    assert_eq!(said.trim_end(), expected, "as ipfs says it");
    let root = said.lines().last().unwrap().split(' ').nth(1).unwrap();
    assert!(holds(&stack.kubo, root));

    fs::write(stack.directory().join("a"), "a").unwrap();
    fs::write(stack.directory().join("b"), "b").unwrap();
    let lines = ok(ours(&stack), &["--json", "add", "--cid-version", "1", "a", "b"]);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["name"], &lines[1]["name"]), (&"a".into(), &"b".into()));
    for line in &lines {
        assert!(holds(&stack.kubo, line["cid"].as_str().unwrap()), "each path is pinned by itself");
    }
    let wrapped = ok(ours(&stack), &["add", "-Q", "--wrap", "a", "b"]);
    assert!(stack.ipfs().ok(&["ls", wrapped.trim()]).unwrap().contains(" b"));

    let mut piped = ours(&stack);
    piped.stdin(fs::File::open(stack.directory().join("a")).unwrap());
    assert_eq!(ok(piped, &["add", "-q", "-"]), ok(ours(&stack), &["add", "-q", "a"]));
}

#[test]
fn our_own_command_says_what_is_wrong_and_ends_with_its_code() {
    let mut stack = Stack::start().unwrap();
    fs::write(stack.directory().join("a"), "a").unwrap();
    let missing = run(ours(&stack), &["add", "a", "missing"]);
    assert_eq!(missing.code, 1);
    assert!(missing.err.contains("missing"), "{}", missing.err);
    let chunker = run(ours(&stack), &["add", "--chunker", "axe", "a"]);
    assert_eq!(chunker.code, 1);
    assert!(chunker.err.contains("axe"), "{}", chunker.err);
    let peers = run(ours(&stack), &["add", "-r", "7", "a"]);
    assert_eq!(peers.code, 1);
    assert!(peers.err.contains("needed are 7"), "{}", peers.err);
    stack.kubo.stop().unwrap();
    let away = run(ours(&stack), &["add", "a"]);
    assert_eq!(away.code, 1);
    assert!(away.err.contains("cannot reach ipfs"), "{}", away.err);
    assert!(pinset(&stack.control()).is_empty());
}
