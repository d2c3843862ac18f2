//! Replays exchanges recorded from a real Kubo through proxyd, and compares the answers byte for byte.

#![cfg(test)]

mod case;
mod difference;
mod justified;
mod normal;
mod wire;

use case::Case;
use harness::stack::{Stack, StackSetup};
use justified::Justified;
use wire::Target;

/// The exchanges, one a line: request, what goes before and after it, and Kubo's answers.
const RECORDED: &str = include_str!("kubo-0.42.jsonl");
/// The differences that are meant, each with its reason.
const JUSTIFIED: &str = include_str!("JUSTIFIED.md");

fn cases() -> Vec<Case> {
    RECORDED
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_recorded_exchange_is_answered_as_kubo_answered_it() {
    // Recorded are collections of blocks that were put without a pin just before.
    let clusterd = "gc_hold_off = \"0s\"\n".to_owned();
    let stack = Stack::start_with(&StackSetup { clusterd, ..StackSetup::default() }).unwrap();
    let target = Target::local(stack.port());
    let justified = Justified::parse(JUSTIFIED);
    let (cases, mut wrong) = (cases(), Vec::new());
    // Named in the environment, one topic is replayed alone: `TRANSCRIPTS=pin-add`.
    let only = std::env::var("TRANSCRIPTS").unwrap_or_default();
    for case in cases.iter().filter(|case| case.name.contains(&only)) {
        for difference in case.replay(&target, || forget_pins(&stack)) {
            if !justified.holds(&case.name, &difference) {
                wrong.push(format!("{}: {difference}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// Withdraws every pin of the cluster, pinned or not.
fn forget_pins(stack: &Stack) {
    let listed = stack.control().call("GET", "/allocations", "").unwrap().text();
    for line in listed.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let pin = format!("/pins/{}", record["cid"].as_str().unwrap());
        assert_eq!(stack.control().call("DELETE", &pin, "").unwrap().status, 200, "{line}");
    }
}

#[test]
fn every_justified_difference_belongs_to_a_recorded_exchange() {
    let cases = cases();
    let justified = Justified::parse(JUSTIFIED);
    for name in justified.names() {
        assert!(cases.iter().any(|case| case.name == name), "{name} is not recorded");
    }
}
