//! Two machines become one cluster: one invites, the other joins, and a pin on either is kept on both.

use harness::wait;

use super::invitation::join;
use super::journal::{entries, messages};
use super::machine::Machine;
use super::pair::{ADDRESSES, CONVERGED_MAX, Pair, wait_for_kubo};
use super::stage::{ipfs, property};

/// Dials that must have failed before the lines about them are counted.
const DIALS: usize = 3;

fn add(machine: &Machine, text: &str) -> String {
    machine.write("/srv/file", text).unwrap();
    ipfs(machine, &["add", "--quieter", "/srv/file"]).unwrap()
}

/// The lines of clusterd that call for an operator; not those of systemd about it.
fn warnings(machine: &Machine) -> Vec<String> {
    let found = entries(machine, &["_SYSTEMD_UNIT=clusterd.service", "--priority=warning"]);
    messages(&found).into_iter().map(str::to_owned).collect()
}

fn wait_for_status(machine: &Machine, begin: &str) {
    wait::until(begin, CONVERGED_MAX, || {
        property(machine, "clusterd", "StatusText").starts_with(begin).then_some(())
    })
    .unwrap();
    let shown = machine.run(&["systemctl", "status", "--no-pager", "clusterd"]).unwrap().stdout;
    assert!(shown.contains(&format!("Status: \"{begin}")), "{shown}");
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn a_pin_on_one_of_two_machines_is_kept_on_both_and_a_reboot_catches_up() {
    let mut pair = Pair::boot(["one", "two"]).unwrap();
    let early = add(&pair.first, "pinned before the other came");
    let invitation = pair.first.ok(&["clusterdctl", "invite"]).unwrap();
    let told: Vec<_> = invitation.lines().filter_map(|line| line.strip_prefix("peer ")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with(&format!("/ip4/{}/tcp/9096/p2p/12D3KooW", ADDRESSES[0])),
        "{told:?}"
    );
    let joined = join(&pair.second, &invitation, &[]);
    assert_eq!(joined.code, Some(0), "{joined:?}");
    pair.second.ok(&["systemctl", "enable", "--now", "clusterd", "proxyd"]).unwrap();

    pair.wait_for_peers().unwrap();
    pair.wait_for_equal_heads().unwrap();
    wait_for_kubo(&pair.second, &[&early], &[]);
    let late = add(&pair.first, "pinned on the first");
    let back = add(&pair.second, "pinned on the second");
    for machine in [&pair.first, &pair.second] {
        wait_for_kubo(machine, &[&early, &late, &back], &[]);
        wait_for_status(machine, "2 peers, 3 pins, 0 running, 0 not as wanted");
    }
    ipfs(&pair.second, &["pin", "rm", &late]).unwrap();
    for machine in [&pair.first, &pair.second] {
        wait_for_kubo(machine, &[&early, &back], &[&late]);
        assert_eq!(warnings(machine), [""; 0]);
    }

    pair.second.switch_off().unwrap();
    let missed = add(&pair.first, "pinned while the second was off");
    ipfs(&pair.first, &["pin", "rm", &early]).unwrap();
    pair.second.switch_on().unwrap();
    pair.connect_kubos().unwrap();
    pair.wait_for_peers().unwrap();
    pair.wait_for_equal_heads().unwrap();
    for machine in [&pair.first, &pair.second] {
        wait_for_kubo(machine, &[&back, &missed], &[&early, &late]);
        assert_eq!(property(machine, "clusterd", "NRestarts"), "0");
    }
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn a_machine_with_another_secret_is_told_so_in_one_line_until_it_is_mended() {
    let pair = Pair::boot(["right", "wrong"]).unwrap();
    let invitation = pair.first.ok(&["clusterdctl", "invite"]).unwrap();
    let secret = pair.first.ok(&["cat", "/var/lib/clusterd/cluster-secret"]).unwrap();
    let other = invitation.replace(secret.trim(), &"cd".repeat(32));
    assert_eq!(join(&pair.second, &other, &[]).code, Some(0));
    pair.second.write("/etc/clusterd/clusterd.toml", "[log]\nlevel = \"debug\"\n").unwrap();
    pair.second.ok(&["systemctl", "enable", "--now", "clusterd", "proxyd"]).unwrap();
    // Each of them says it, however often it is tried.
    wait::until("failed dials", CONVERGED_MAX, || {
        let dials = entries(&pair.second, &["--unit=clusterd", "MESSAGE=cannot connect to a peer"]);
        (dials.len() >= DIALS).then_some(())
    })
    .unwrap();
    for machine in [&pair.first, &pair.second] {
        let said = wait::until("the line", CONVERGED_MAX, || {
            Some(warnings(machine)).filter(|said| !said.is_empty())
        });
        let said = said.unwrap();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("check that both have the same cluster secret"), "{said:?}");
    }
    assert_eq!(join(&pair.second, &invitation, &["--force"]).code, Some(0));
    pair.second.ok(&["systemctl", "restart", "clusterd"]).unwrap();
    pair.wait_for_peers().unwrap();
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn the_sandbox_lets_the_daemon_see_new_addresses_and_search_the_local_network() {
    let pair = Pair::boot(["seen", "seeking"]).unwrap();
    let invitation = pair.first.ok(&["clusterdctl", "invite"]).unwrap();
    assert_eq!(join(&pair.second, &invitation, &[]).code, Some(0));
    for machine in [&pair.first, &pair.second] {
        machine.write("/etc/clusterd/clusterd.toml", "[peers]\nmdns = true\n").unwrap();
        // Nobody is told where the other is.
        machine.ok(&["rm", "--force", "/var/lib/clusterd/peerstore"]).unwrap();
        machine.ok(&["systemctl", "restart", "clusterd"]).unwrap();
    }
    pair.wait_for_peers().unwrap();
    let later = "10.77.0.3";
    pair.networks[1].add_address(later).unwrap();
    wait::until("the new address", CONVERGED_MAX, || {
        let place = format!("F_ADDRESS=/ip4/{later}/tcp/9096");
        let found = entries(&pair.second, &["--unit=clusterd", &place]);
        messages(&found).contains(&"listening for peers").then_some(())
    })
    .unwrap();
    for machine in [&pair.first, &pair.second] {
        assert_eq!(warnings(machine), [""; 0]);
    }
}
