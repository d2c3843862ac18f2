//! `clusterdctl join`: takes an invitation in before the first start.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, IsTerminal, Read};

use super::invitation::{Invitation, TEXT_BYTES_MAX, peer};
use super::layout::{Layout, Owner};
use super::private;
use crate::ctl::args::JoinArgs;
use crate::ctl::failure::{Failure, code};
use crate::ctl::render::{Output, say};

pub(in crate::ctl) fn join(
    instance: Option<&str>,
    args: &JoinArgs,
    out: &mut Output,
) -> Result<u8, Failure> {
    let layout = Layout::of(instance, args.setup.config.as_deref())?;
    let invitation = read()?;
    if invitation.cluster_name != layout.cluster_name {
        return Err(Failure::Setup(format!(
            "the invitation is for the cluster {theirs:?}, and this peer is set up for {ours:?}: \
             write cluster_name = {theirs:?} into {file}, then join again",
            theirs = invitation.cluster_name,
            ours = layout.cluster_name,
            file = layout.config.display(),
        )));
    }
    let owner = layout.state_directory()?;
    let is_new = take_secret(&layout, owner, &invitation.secret, args.force)?;
    let known = take_peers(&layout, owner, &invitation)?;
    if out.json() {
        out.object(&serde_json::json!({ "peers": known, "secret_taken": is_new }))?;
        return Ok(code::OK);
    }
    out.line(format!(
        "{known} addresses of peers known, secret taken, state in {}",
        layout.state.display()
    ))?;
    out.flush()?;
    say(&format!(
        "Now start it, again if it runs:\n    systemctl enable {unit} {proxy} && systemctl restart {unit} {proxy}\n\
         Then `clusterdctl peers ls` shows the others.",
        unit = layout.unit,
        proxy = layout.unit.replace("clusterd", "proxyd"),
    ));
    Ok(code::OK)
}

fn read() -> Result<Invitation, Failure> {
    if io::stdin().is_terminal() {
        say("Paste the invitation, then press Ctrl-D.");
    }
    let mut text = String::new();
    io::stdin()
        .take(TEXT_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|source| Failure::System { attempt: "read the invitation", source })?;
    Invitation::parse(&text).map_err(Failure::Invitation)
}

/// Puts the secret where clusterd looks for it; `false` when it was there already. One that a peer
/// has used is not replaced unasked: its pinset belongs to the cluster of that secret.
fn take_secret(layout: &Layout, owner: Owner, secret: &str, force: bool) -> Result<bool, Failure> {
    let Some((path, ours)) = layout.secret_in_force()? else {
        return private::write(&layout.secret(), owner, &line(secret)).map(|()| true);
    };
    if ours.eq_ignore_ascii_case(secret) {
        return Ok(false);
    }
    let given = layout.credential.as_ref() == Some(&path);
    if !force && (given || !layout.is_fresh()?) {
        let why = match given {
            true => "which an operator put there",
            false => "with which this peer has run",
        };
        return Err(Failure::Setup(format!(
            "{} holds another secret, {why}; --force replaces it, and this peer leaves that cluster",
            path.display()
        )));
    }
    // The one that an operator gave belongs to root, as the unit reads it as root.
    let owner = if given { (0.into(), 0.into()) } else { owner };
    private::write(&path, owner, &line(secret)).map(|()| true)
}

/// Adds the peers to those that are known. Gives how many there are.
fn take_peers(layout: &Layout, owner: Owner, invitation: &Invitation) -> Result<usize, Failure> {
    let path = layout.peerstore();
    let known = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        other => {
            other.map_err(|source| Failure::File { attempt: "read", path: path.clone(), source })?
        }
    };
    let mut all: BTreeSet<String> =
        known.lines().map(str::trim).filter(|line| peer(line).is_ok()).map(str::to_owned).collect();
    all.extend(invitation.peers.iter().map(ToString::to_string));
    let text: String = all.iter().map(|address| line(address)).collect();
    private::write(&path, owner, &text)?;
    Ok(all.len())
}

fn line(text: &str) -> String {
    format!("{text}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{getegid, geteuid};

    const PEER: &str =
        "/ip4/10.0.0.1/tcp/9096/p2p/12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha";

    struct Peer {
        _directory: tempfile::TempDir,
        layout: Layout,
        owner: Owner,
    }

    fn fresh_peer() -> Peer {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("c.toml");
        fs::write(&file, format!("state = {:?}\n", directory.path().join("state"))).unwrap();
        let layout = Layout::of(None, Some(&file)).unwrap();
        layout.state_directory().unwrap();
        Peer { _directory: directory, layout, owner: (geteuid(), getegid()) }
    }

    fn take(peer: &Peer, secret: &str, force: bool) -> Result<bool, Failure> {
        take_secret(&peer.layout, peer.owner, &secret.repeat(32), force)
    }

    #[test]
    fn a_secret_that_was_never_used_gives_way_and_a_used_one_does_not() {
        let peer = fresh_peer();
        assert!(take(&peer, "aa", false).unwrap());
        assert!(!take(&peer, "AA", false).unwrap(), "it is the same");
        assert!(take(&peer, "bb", false).unwrap(), "nothing depends on the first one");
        fs::create_dir(peer.layout.state.join("pinset")).unwrap();
        let refused = take(&peer, "cc", false).unwrap_err().to_string();
        assert!(refused.contains("--force") && !refused.contains("bbbb"), "{refused}");
        assert!(take(&peer, "cc", true).unwrap());
        assert_eq!(peer.layout.secret_in_force().unwrap().unwrap().1, "cc".repeat(32));
    }

    #[test]
    fn a_secret_that_an_operator_gave_is_replaced_only_when_that_is_asked_for() {
        let mut peer = fresh_peer();
        let given = peer.layout.state.with_file_name("given");
        fs::write(&given, "aa".repeat(32)).unwrap();
        peer.layout.credential = Some(given.clone());
        assert!(take(&peer, "bb", false).is_err());
        assert!(take(&peer, "bb", true).unwrap());
        assert_eq!(fs::read_to_string(given).unwrap().trim(), "bb".repeat(32));
        assert!(!peer.layout.secret().exists());
    }

    #[test]
    fn peers_are_added_to_those_that_are_known() {
        let peer = fresh_peer();
        let other = PEER.replace("10.0.0.1", "10.0.0.2");
        fs::write(peer.layout.peerstore(), format!("{other}\nrubbish\n")).unwrap();
        let invitation = Invitation {
            cluster_name: String::new(),
            secret: String::new(),
            peers: vec![PEER.parse().unwrap()],
        };
        for _ in 0..2 {
            assert_eq!(take_peers(&peer.layout, peer.owner, &invitation).unwrap(), 2);
        }
        assert_eq!(
            fs::read_to_string(peer.layout.peerstore()).unwrap(),
            format!("{PEER}\n{other}\n")
        );
    }
}
