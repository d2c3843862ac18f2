//! The life of a package on one machine: installed, enabled, used, rebooted, removed, purged.

use super::stage::{self, ipfs, property, wait_for_answer};

const UNITS: [&str; 5] = [
    "proxyd.service",
    "proxyd.socket",
    "clusterd.service",
    "clusterd-proxy.socket",
    "clusterd-control.socket",
];

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn installing_starts_nothing_and_makes_identity_and_secret() {
    let machine = stage::with_kubo("fresh").unwrap();
    let said = machine
        .sh("dpkg --install /packages/*.deb 2>&1; stat -c '%a %U %n' /var/lib/clusterd /var/lib/clusterd/*")
        .unwrap();
    assert!(said.contains("clusterdctl invite"), "it says how to go on: {said}");
    for line in [
        "700 clusterd /var/lib/clusterd",
        "600 clusterd /var/lib/clusterd/cluster-secret",
        "600 clusterd /var/lib/clusterd/identity.json",
    ] {
        assert!(said.lines().any(|found| found == line), "{line} is not in {said}");
    }
    for unit in UNITS {
        assert_eq!(property(&machine, unit, "ActiveState"), "inactive", "{unit}");
        assert_eq!(property(&machine, unit, "UnitFileState"), "disabled", "{unit}");
    }
    // Nothing of the secret is in the journal or in dpkg's log.
    let secret = machine.ok(&["cat", "/var/lib/clusterd/cluster-secret"]).unwrap();
    let found = machine.sh(&format!(
        "journalctl --no-pager -o export | grep -c {0} || :; grep -rc {0} /var/log/dpkg.log || :",
        secret.trim()
    ));
    assert_eq!(found.unwrap(), "0\n0\n");
    machine.sh("clusterdctl check").unwrap();
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn a_secret_that_is_given_stays_the_only_one() {
    let machine = stage::with_kubo("given").unwrap();
    machine.write("/etc/clusterd/cluster-secret", &"ab".repeat(32)).unwrap();
    stage::install(&machine).unwrap();
    assert!(machine.ok(&["ls", "/var/lib/clusterd"]).unwrap() == "identity.json\n");
    machine.ok(&["systemctl", "enable", "--now", "clusterd"]).unwrap();
    let invitation = machine.ok(&["clusterdctl", "invite", "--address", "/dns4/a/tcp/9096"]);
    assert!(invitation.unwrap().contains(&format!("secret {}\n", "ab".repeat(32))));
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn pins_survive_a_reboot_and_a_removal_and_go_with_the_purge() {
    let mut machine = stage::running("whole-life").unwrap();
    machine.write("/srv/file", "kept for ever").unwrap();
    let cid = ipfs(&machine, &["add", "--quieter", "/srv/file"]).unwrap();
    let pinned = || format!("{cid} recursive");
    assert_eq!(ipfs(&machine, &["pin", "ls", "--type=recursive"]).unwrap(), pinned());
    // Kubo knows it as well: the cluster's pin is not a word alone.
    machine.ok(&["ipfs", "--api", "/ip4/127.0.0.1/tcp/5001", "pin", "ls", &cid]).unwrap();

    machine.switch_off().unwrap();
    machine.switch_on().unwrap();
    wait_for_answer(&machine, "/api/v0/version").unwrap();
    assert_eq!(ipfs(&machine, &["pin", "ls", "--type=recursive"]).unwrap(), pinned());
    assert_eq!(property(&machine, "clusterd", "NRestarts"), "0");

    machine.ok(&["dpkg", "--remove", "composite"]).unwrap();
    let left =
        machine.sh("pgrep -x 'clusterd|proxyd' || :; ls /var/lib/clusterd; ls /etc/clusterd");
    let left = left.unwrap();
    assert!(left.contains("identity.json") && left.contains("clusterd.toml"), "{left}");
    assert!(!left.lines().any(|line| line.parse::<u32>().is_ok()), "a daemon runs on: {left}");
    stage::install(&machine).unwrap();
    assert_eq!(property(&machine, "clusterd.service", "UnitFileState"), "disabled");
    machine.ok(&["systemctl", "enable", "--now", "clusterd", "proxyd"]).unwrap();
    assert_eq!(ipfs(&machine, &["pin", "ls", "--type=recursive"]).unwrap(), pinned());

    machine.ok(&["dpkg", "--purge", "composite"]).unwrap();
    let left = machine.sh("ls -d /var/lib/clusterd* /etc/clusterd /etc/proxyd 2>/dev/null || :");
    assert_eq!(left.unwrap(), "");
    let failed = machine.ok(&["systemctl", "--failed", "--no-legend", "--plain"]).unwrap();
    assert_eq!(failed, "", "no unit is left in trouble");
}
