//! An invitation goes from one machine to the next, before the first start there.

use std::io::Write;
use std::process::Stdio;

use harness::ipfs::Said;

use super::machine::Machine;
use super::stage::{self, property};

/// Runs `clusterdctl join` with a text on its standard input.
pub(crate) fn join(machine: &Machine, text: &str, options: &[&str]) -> Said {
    let mut command = machine.command(&[&["clusterdctl", "join"], options].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Said {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn a_machine_joins_with_the_text_of_another_and_tells_nobody_the_secret() {
    let first = stage::running("first").unwrap();
    let address = "/dns4/first.example/tcp/9096";
    let text = first.ok(&["clusterdctl", "invite", "--address", address]).unwrap();
    let secret = first.ok(&["cat", "/var/lib/clusterd/cluster-secret"]).unwrap();
    assert!(text.contains(secret.trim()));

    let second = stage::with_kubo("second").unwrap();
    stage::install(&second).unwrap();
    // Its own secret, made at the installation, has never been used: it gives way.
    let said = join(&second, &text, &[]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("systemctl restart clusterd proxyd"), "{said:?}");
    let files = second
        .sh("cd /var/lib/clusterd; cat cluster-secret peerstore; stat -c '%a %U %n' *")
        .unwrap();
    assert!(files.starts_with(&secret), "{files}");
    assert!(files.contains(&format!("{address}/p2p/12D3KooW")), "{files}");
    for line in ["600 clusterd cluster-secret", "600 clusterd peerstore"] {
        assert!(files.lines().any(|found| found == line), "{line}: {files}");
    }
    second.ok(&["systemctl", "enable", "--now", "clusterd", "proxyd"]).unwrap();
    assert_eq!(property(&second, "clusterd", "ActiveState"), "active");

    // Now it has run with that secret: another one is refused.
    let other = text.replace(secret.trim(), &"cd".repeat(32));
    let refused = join(&second, &other, &[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("--force"), "{refused:?}");
    assert_eq!(join(&second, &text, &[]).code, Some(0), "the same again changes nothing");
    assert_eq!(join(&second, "rubbish", &[]).code, Some(65));
    for machine in [&first, &second] {
        let count = format!("journalctl --no-pager -o export | grep -c {} || :", secret.trim());
        assert_eq!(machine.sh(&count).unwrap(), "0\n", "the secret is in the journal");
    }
}
