//! Two clusters on one machine, side by side, and one upon the other.

use super::stage::{self, ipfs};

/// The walk-through, as its readers have it.
const README: &str = include_str!("../../README.md");

/// Commands that are between the marks of a test in the README.
fn commands_of_the_walk_through() -> &'static str {
    let from = README.split_once("<!-- instances: run by a test -->\n```\n").unwrap().1;
    from.split_once("```\n<!-- /instances -->").unwrap().0
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn an_instance_has_state_sockets_and_pins_of_its_own() {
    let machine = stage::running("two-clusters").unwrap();
    machine
        .sh("echo 'cluster = \"/run/clusterd-sub/proxy.sock\"' > /etc/proxyd/sub.toml\n\
             cat > /etc/clusterd/sub.toml <<'EOF'\n\
             cluster_name = \"sub\"\n\
             state = \"/var/lib/clusterd-sub\"\n\
             [sockets]\nproxy = \"/run/clusterd-sub/proxy.sock\"\ncontrol = \"/run/clusterd-sub/control.sock\"\n\
             [peers]\nlisten = [\"/ip4/0.0.0.0/tcp/9196\"]\n\
             EOF\n\
             clusterdctl -i sub init\n\
             systemctl enable --now clusterd@sub proxyd@sub")
        .unwrap();
    let sub = |args: &[&str]| {
        let api = "/unix/run/proxyd-sub/api.sock";
        machine.ok(&[&["ipfs", "--api", api], args].concat()).unwrap().trim_end().to_owned()
    };
    machine.write("/srv/file", "in the sub-cluster alone").unwrap();
    let cid = sub(&["add", "--quieter", "/srv/file"]);
    assert!(sub(&["pin", "ls"]).contains(&cid));
    assert_eq!(ipfs(&machine, &["pin", "ls", "--type=recursive"]).unwrap(), "");
    let ids = ["", "-sub"].map(|instance| {
        machine.ok(&["cat", &format!("/var/lib/clusterd{instance}/identity.json")]).unwrap()
    });
    assert_ne!(ids[0], ids[1]);
    let modes = machine.sh("stat -c '%a %U %G' /run/proxyd-sub/api.sock /run/clusterd-sub/*.sock");
    assert_eq!(modes.unwrap(), "660 root proxyd\n660 root clusterd\n660 root proxyd\n");
    // clusterd of a main cluster is let in there.
    machine
        .sh("setpriv --reuid clusterd --regid clusterd --init-groups curl -sf -X POST \
             --unix-socket /run/proxyd-sub/api.sock http://x/api/v0/version")
        .unwrap();
    assert!(machine.ok(&["clusterdctl", "-i", "sub", "pin", "ls"]).unwrap().contains(&cid));
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn a_main_cluster_pins_through_an_instance_in_place_of_a_kubo() {
    let machine = stage::with_kubo("upon-another").unwrap();
    stage::install(&machine).unwrap();
    let said = machine.sh(&format!("set -e\n{}", commands_of_the_walk_through())).unwrap();
    assert!(said.contains("cluster berlin: ok") && said.contains(" · Kubo "), "{said}");
    let kubo = |cid: &str| {
        let words = ["ipfs", "--api", "/ip4/127.0.0.1/tcp/5001", "pin", "ls", cid];
        machine.ok(&words).is_ok_and(|said| said.contains("recursive"))
    };
    machine.write("/srv/file", "through two clusters").unwrap();
    let cid = ipfs(&machine, &["add", "--quieter", "/srv/file"]).unwrap();
    assert!(kubo(&cid));
    // Its levels: main, its peer, berlin, its peer with the Kubo.
    let tree = machine.ok(&["clusterdctl", "-i", "main", "tree", &cid]).unwrap();
    let levels: Vec<&str> = tree.lines().collect();
    assert!(levels.len() == 4 && tree.matches("pinned").count() == 4, "{tree}");
    assert!(levels[0].starts_with("cluster main: ok") && levels[2].contains("cluster berlin: ok"));
    // As after a boot: nothing is there until the sockets make it.
    machine
        .sh("systemctl stop 'clusterd*@*' 'proxyd*@*'; rm -rf /run/proxyd-*\n\
             systemctl start clusterd@main proxyd@main")
        .unwrap();
    stage::wait_for_answer(&machine, "/api/v0/id").unwrap();
    ipfs(&machine, &["pin", "rm", &cid]).unwrap();
    assert!(!kubo(&cid));
}
