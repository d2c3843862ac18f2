//! `clusterdctl invite`: which addresses the next machine is told, from what clusterd shows.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use crate::fake::{Fake, Ran, reply};

const OWN: &str = "12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt";
const OTHER: &str = "12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha";
const SILENT: &str = "12D3KooWLeTYRzRbbd38BbSMF5Tntgo7ridMziK8FUr4R7cj478q";

fn id(peer: &str, error: &str, places: &[&str]) -> String {
    let addresses: Vec<String> =
        places.iter().map(|place| format!("\"{place}/p2p/{peer}\"")).collect();
    format!(r#"{{"id":"{peer}","error":"{error}","addresses":[{}]}}"#, addresses.join(",")) + "\n"
}

/// A peer that has a secret, with these settings; clusterd shows `own` and `others`.
struct Peer {
    fake: Fake,
    config: PathBuf,
    _directory: tempfile::TempDir,
}

impl Peer {
    fn new(peers: &str, own: &[&str], others: String) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("clusterd.toml");
        fs::write(&config, format!("state = {:?}\n[peers]\n{peers}\n", directory.path())).unwrap();
        fs::write(directory.path().join("cluster-secret"), "ab".repeat(32)).unwrap();
        let own = id(OWN, "", own);
        let fake = Fake::new(move |line: &str, stream: &mut UnixStream| match line {
            "GET /id HTTP/1.1" => reply(stream, 200, &own),
            "GET /peers HTTP/1.1" => reply(stream, 200, &format!("{own}{others}")),
            _ => panic!("was called: {line}"),
        });
        Self { fake, config, _directory: directory }
    }

    fn invite(&self) -> Ran {
        self.fake.run(&["invite", "--config", self.config.to_str().unwrap()])
    }
}

/// The places of the invitation, in order, each of the peer `id`.
fn places(ran: &Ran, id: &str) -> Vec<String> {
    let peers = ran.out.lines().filter_map(|line| line.strip_prefix("peer "));
    peers.filter_map(|peer| peer.strip_suffix(&format!("/p2p/{id}"))).map(str::to_owned).collect()
}

#[test]
fn an_invitation_names_addresses_that_other_machines_can_dial() {
    let shown = [
        "/ip4/127.0.0.1/tcp/9096",
        "/ip4/10.1.0.7/tcp/9096",
        "/ip6/fe80::7/tcp/9096",
        "/dns/a/tcp/1",
    ];
    let others = id(OTHER, "", &["/ip6/::1/tcp/9096", "/ip4/10.1.0.8/udp/9096/quic-v1", "/ip4/10.1.0.8/tcp/9096"])
        // Where its connection came from: nobody listens there.
        + &id(SILENT, "time-out", &["/ip4/10.1.0.9/tcp/54321"]);
    let ran = Peer::new("", &shown, others).invite();
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(places(&ran, OWN), ["/ip4/10.1.0.7/tcp/9096", "/dns/a/tcp/1"]);
    assert_eq!(places(&ran, OTHER), ["/ip4/10.1.0.8/tcp/9096"]);
    assert!(!ran.out.contains(SILENT), "{}", ran.out);
}

#[test]
fn a_peer_that_has_not_told_its_addresses_yet_is_named_by_its_settings() {
    let settings = "listen = [\"/ip4/10.1.0.7/tcp/9000\"]";
    for shown in [&[][..], &["/ip4/127.0.0.1/tcp/9096"]] {
        let ran = Peer::new(settings, shown, String::new()).invite();
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        assert_eq!(places(&ran, OWN), ["/ip4/10.1.0.7/tcp/9000"]);
    }
}

#[test]
fn an_address_that_no_other_machine_reaches_is_told_with_a_warning() {
    let settings = "listen = [\"/ip4/127.0.0.1/tcp/0\"]";
    let ran = Peer::new(settings, &["/ip4/127.0.0.1/tcp/41234"], String::new()).invite();
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(places(&ran, OWN), ["/ip4/127.0.0.1/tcp/41234"]);
    assert!(ran.err.contains("--address"), "{}", ran.err);
}

#[test]
fn a_peer_without_any_address_asks_for_one() {
    let ran = Peer::new("listen = []", &[], String::new()).invite();
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("--address /dns4/NAME/tcp/9096"), "{}", ran.err);
}
