//! What an operator finds in the journal.

use std::time::Duration;

use harness::wait;
use serde_json::Value;

use super::machine::Machine;
use super::stage::{self, ipfs, property};

/// The lines of the journal that match.
pub(crate) fn entries(machine: &Machine, matches: &[&str]) -> Vec<Value> {
    let command = [&["journalctl", "--no-pager", "--output=json"], matches].concat();
    let text = machine.ok(&command).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What they say.
pub(crate) fn messages(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["MESSAGE"].as_str().unwrap()).collect()
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn the_story_of_a_pin_is_found_by_its_cid() {
    let machine = stage::running("story").unwrap();
    machine.write("/srv/file", "with a story").unwrap();
    let cid = ipfs(&machine, &["add", "--quieter", "--pin=false", "/srv/file"]).unwrap();
    ipfs(&machine, &["pin", "add", &cid]).unwrap();
    ipfs(&machine, &["pin", "rm", &cid]).unwrap();
    let story = wait::until("the story", Duration::from_secs(20), || {
        let found = entries(&machine, &["--unit=clusterd", &format!("F_CID={cid}")]);
        messages(&found).contains(&"pin let go").then_some(found)
    })
    .unwrap();
    assert_eq!(messages(&story), ["pin asked for", "pin held", "unpin asked for", "pin let go"]);
    for entry in &story {
        assert_eq!(entry["PRIORITY"], "6", "a pin changed: {entry}");
    }
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn a_line_that_needs_an_operator_is_explained_by_the_catalog() {
    let machine = stage::with_kubo("explained").unwrap();
    stage::install(&machine).unwrap();
    machine.ok(&["systemctl", "stop", "kubo"]).unwrap();
    machine.ok(&["systemctl", "start", "clusterd"]).unwrap();
    wait::until("the line", Duration::from_secs(30), || {
        let found = entries(&machine, &["--unit=clusterd", "--priority=warning"]);
        let line = found
            .iter()
            .find(|entry| entry["MESSAGE"].as_str().unwrap().contains("does not answer"))?;
        assert!(line["MESSAGE_ID"].is_string() && line["F_ERROR"].is_string(), "{line}");
        Some(())
    })
    .unwrap();
    let explained = machine.ok(&["journalctl", "--no-pager", "-x", "--unit=clusterd"]).unwrap();
    assert!(explained.contains("Subject: Kubo does not answer"), "{explained}");
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn a_reload_takes_the_log_level_over_and_keeps_the_process() {
    let machine = stage::running("reload").unwrap();
    let pid = property(&machine, "proxyd", "MainPID");
    machine.write("/etc/proxyd/proxyd.toml", "[log]\nlevel = \"debug\"\n").unwrap();
    machine.ok(&["systemctl", "reload", "proxyd"]).unwrap();
    machine.write("/etc/clusterd/clusterd.toml", "nonsense = 1\n").unwrap();
    machine.ok(&["systemctl", "reload", "clusterd"]).unwrap();
    wait::until("both reloads", Duration::from_secs(20), || {
        let (proxyd, clusterd) =
            (entries(&machine, &["--unit=proxyd"]), entries(&machine, &["--unit=clusterd"]));
        (messages(&proxyd).contains(&"configuration read again")
            && messages(&clusterd).contains(&"configuration not read again"))
        .then_some(())
    })
    .unwrap();
    assert_eq!(property(&machine, "proxyd", "MainPID"), pid);
    assert_eq!(property(&machine, "clusterd", "ActiveState"), "active");
}
