//! Two clusters on one machine, side by side.

use super::stage::{self, ipfs};

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
