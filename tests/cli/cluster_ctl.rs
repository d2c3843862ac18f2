//! The real `ipfs-cluster-ctl` of Go ipfs-cluster works against the control socket.

use std::fs;
use std::process::Command;

use harness::daemon::control_socket;
use harness::go_cluster;
use harness::stack::Stack;
use serde_json::Value;

/// Runs `ipfs-cluster-ctl`, which must succeed.
fn ctl(stack: &Stack, args: &[&str]) -> String {
    let mut command: Command = go_cluster::ctl(&control_socket(stack.directory())).unwrap();
    let output = command.args(args).output().unwrap();
    let (said, errors) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "ipfs-cluster-ctl {args:?}: {said}{errors}");
    said
}

/// The same with `--enc=json`.
fn ctl_json(stack: &Stack, args: &[&str]) -> Vec<Value> {
    let text = ctl(stack, &[&["--enc=json"], args].concat());
    let values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    let values: Vec<Value> = values.map(Result::unwrap).collect();
    // Some versions print a list as one array, others one object after another.
    match values.as_slice() {
        [Value::Array(list)] => list.clone(),
        _ => values,
    }
}

#[test]
fn gos_ctl_sees_and_changes_what_the_ipfs_command_sees() {
    let stack = Stack::start().unwrap();
    let ipfs = stack.ipfs();
    fs::write(stack.directory().join("one.txt"), "pinned through the proxy").unwrap();
    fs::write(stack.directory().join("two.txt"), "pinned by ipfs-cluster-ctl").unwrap();
    let one = ipfs.ok(&["add", "-Q", "one.txt"]).unwrap();
    let two = ipfs.ok(&["add", "-Q", "--pin=false", "two.txt"]).unwrap();

    let id = ctl_json(&stack, &["id"]);
    let kubo_id = ipfs.ok(&["id", "-f", "<id>"]).unwrap();
    assert_eq!(id[0]["ipfs"]["id"], Value::from(kubo_id));
    assert!(ctl(&stack, &["id"]).contains("tester"), "the text form names the peer");
    assert!(ctl(&stack, &["version"]).starts_with(char::is_numeric));
    assert_eq!(ctl_json(&stack, &["peers", "ls"]).len(), 1);

    assert!(ctl(&stack, &["pin", "ls"]).contains(&one));
    ctl(&stack, &["pin", "add", "--wait", "--name", "by ctl", &two]);
    assert!(ipfs.ok(&["pin", "ls", "--type=recursive", "--names"]).unwrap().contains("by ctl"));
    let status = ctl_json(&stack, &["status", &two]);
    let peers = status[0]["peer_map"].as_object().unwrap();
    assert!(peers.values().all(|peer| peer["status"] == "pinned"), "{status:?}");
    assert_eq!(ctl_json(&stack, &["status"]).len(), 2);
    assert_eq!(ctl(&stack, &["status", "--filter", "error"]).trim(), "");

    ctl(&stack, &["recover", &two]);
    ctl(&stack, &["pin", "update", &one, &two]);
    ctl(&stack, &["pin", "rm", "--wait", &two]);
    assert!(!ipfs.ok(&["pin", "ls", "--type=recursive", "-q"]).unwrap().contains(&two));
    ctl(&stack, &["ipfs", "gc"]);
}

#[test]
fn gos_ctl_fails_on_what_is_not_there() {
    let stack = Stack::start().unwrap();
    let absent = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn";
    let mut command = go_cluster::ctl(&control_socket(stack.directory())).unwrap();
    let output = command.args(["pin", "rm", absent]).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("not part of the pinset"), "{said}");
}
