//! What a configuration may say, and how mistakes are shown.

use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    common::config::parse(Path::new("clusterd.toml"), text, |raw: RawConfig, faults| {
        Some(raw.check(faults))
    })
}

fn faults(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn an_empty_file_means_all_defaults() {
    assert_eq!(parse("").unwrap(), Config::default());
}

#[test]
fn every_key_is_taken() {
    let config = parse(
        "cluster_name = \"c\"\npeername = \"p\"\nstate = \"/s\"\n\
         [sockets]\nproxy = \"/p.sock\"\ncontrol = \"/c.sock\"\n\
         [ipfs]\napi = \"/unix/run/kubo.sock\"\npin_timeout = \"1m\"\ncall_timeout = \"5s\"\n\
         gc_hold_off = \"0s\"\n\
         [peers]\nlisten = []\nannounce = [\"/dns4/a.example/tcp/9096\"]\ntrusted = [\"*\"]\n\
         bootstrap = [\"/ip4/10.0.0.1/tcp/9096/p2p/12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt\"]\n\
         follower = true\nconnections_max = 50\nfetch_timeout = \"10s\"\nmdns = true\ndht = true\n\
         [replication]\nmin = 2\nmax = 3\nrepin = true\nrepin_after = \"1h\"\nrepin_per_minute = 9\n\
         [tracker]\npins_running_max = 4\nretry_after = \"1s\"\nretry_after_max = \"1h\"\naudit_every = \"1d\"\n\
         [status]\nlisten = \"/ip4/127.0.0.1/tcp/9097\"\n[metrics]\nlisten = \"/ip4/127.0.0.1/tcp/9092\"\n\
         [log]\nformat = \"json\"\nlevel = \"debug\"\n",
    )
    .unwrap();
    assert_eq!(config.ipfs.api, Address::Unix("/run/kubo.sock".into()));
    assert!(config.ipfs.gc_hold_off.is_zero());
    assert_eq!(config.replication.factors(), (2, 3));
    let hour = Duration::from_secs(3600);
    assert_eq!(config.repin, Repin { is_on: true, after: hour, per_minute: 9 });
    assert_eq!(config.tracker.pins_running_max, 4);
    assert_eq!((config.peers.bootstrap.len(), config.peers.announce.len()), (1, 1));
    assert_eq!((config.peers.connections_max, config.peers.fetch_timeout.as_secs()), (50, 10));
    assert!(config.peers.mdns && config.peers.dht && config.peers.follower);
    assert_eq!(config.status_listen, "127.0.0.1:9097".parse().ok());
    assert_eq!(config.metrics_listen, "127.0.0.1:9092".parse().ok());
}

#[test]
fn metrics_are_served_on_a_tcp_port_or_nowhere() {
    assert!(parse("[metrics]\nlisten = \"/ip6/::1/tcp/9092\"\n").unwrap().metrics_listen.is_some());
    for address in ["/dns4/localhost/tcp/9092", "/ip4/127.0.0.1/udp/9", "/ip4/127.0.0.1"] {
        let report = faults(&format!("[metrics]\nlisten = \"{address}\"\n"));
        assert!(report.contains("no TCP port of this machine"), "{address}:\n{report}");
    }
    assert!(faults("[metrics]\nlisten = \"127.0.0.1:9092\"\n").contains("multiaddr"));
}

#[test]
fn the_status_page_is_served_to_this_machine_alone() {
    assert!(parse("[status]\nlisten = \"/ip6/::1/tcp/9097\"\n").unwrap().status_listen.is_some());
    for address in ["/ip4/0.0.0.0/tcp/9097", "/ip4/10.0.0.1/tcp/9097", "/ip6/::/tcp/9097"] {
        let report = faults(&format!("[status]\nlisten = \"{address}\"\n"));
        assert!(report.contains("to this machine alone"), "{address}:\n{report}");
        assert!(report.contains("use /ip4/127.0.0.1/tcp/9097; "), "{address}:\n{report}");
    }
    let report = faults("[status]\nlisten = \"/ip4/127.0.0.1/udp/9097\"\n");
    assert!(report.contains("no TCP port of this machine") && report.contains("9097"), "{report}");
}

#[test]
fn all_mistakes_are_shown_at_once_with_their_lines() {
    let report = faults(
        "state = \"relative\"\n[ipfs]\napi = \"localhost:5001\"\n[tracker]\npins_running_max = 0\n",
    );
    for words in
        ["clusterd.toml:1", "clusterd.toml:3", "clusterd.toml:5", "/ip4/127.0.0.1/tcp/5001"]
    {
        assert!(report.contains(words), "{words} is not in:\n{report}");
    }
}

#[test]
fn replication_factors_come_as_a_usable_pair() {
    assert!(faults("[replication]\nmin = 1\n").contains("belong together"));
    assert!(faults("[replication]\nmin = 3\nmax = 2\n").contains("cannot be used together"));
    assert!(faults("[replication]\nmin = \"all\"\nmax = \"all\"\n").contains("everywhere"));
    assert!(faults("[replication]\nrepin_per_minute = 0\n").contains("1 to 60000"));
    let everywhere = parse("[replication]\nmin = \"everywhere\"\nmax = \"everywhere\"\n").unwrap();
    assert_eq!(everywhere.replication, Replication::Everywhere);
}

#[test]
fn strangers_are_refused_in_every_table() {
    for text in [
        "x = 1",
        "[sockets]\nx = 1",
        "[ipfs]\nx = 1",
        "[peers]\nx = 1",
        "[tracker]\nx = 1",
        "[log]\nx = 1",
    ] {
        assert!(faults(text).contains("unknown field"), "{text}");
    }
}

#[test]
fn a_star_among_ids_and_a_wrong_id_are_refused() {
    assert!(faults("[peers]\ntrusted = [\"*\", \"x\"]").contains("stands alone"));
    assert!(faults("[peers]\ntrusted = [\"x\"]").contains("invalid peer id"));
}

#[test]
fn addresses_of_peers_must_be_such_that_they_can_be_dialled() {
    for (key, address, words) in [
        ("bootstrap", "/ip4/10.0.0.1/tcp/9096", "id of the peer is missing"),
        ("bootstrap", "/ip4/10.0.0.1/udp/9096/quic-v1", "no peer can be reached"),
        ("announce", "/ip4/0.0.0.0/tcp/9096", "no peer can be reached"),
        ("announce", "10.0.0.1:9096", "invalid multiaddr"),
    ] {
        let report = faults(&format!("[peers]\n{key} = [\"{address}\"]\n"));
        assert!(report.contains(words), "{key} {address}:\n{report}");
    }
    assert!(parse("[peers]\nbootstrap = [\"/dnsaddr/cluster.example\"]\n").is_ok());
    assert!(faults("[peers]\nconnections_max = 2\n").contains("8 to 10000"));
}

#[test]
fn pins_go_to_trusted_or_to_untrusted_peers_and_not_to_both() {
    let trusted = "[peers]\ntrusted = [\"12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt\"]\n";
    let of = |text: &str| parse(text).unwrap().allocate_to;
    let [on, off] = ["true", "false"].map(|value| {
        format!("[allocation]\npin_only_on_trusted_peers = true\npin_only_on_untrusted_peers = {value}\n")
    });
    assert_eq!(of(&off), AllocateTo::Trusted);
    let untrusted = "[allocation]\npin_only_on_untrusted_peers = true\n";
    assert_eq!(of(&format!("{trusted}{untrusted}")), AllocateTo::Untrusted);
    let report = faults(&format!("{trusted}{on}"));
    assert!(
        report.contains("clusterd.toml:4") && report.contains("leave one of the two out"),
        "{report}"
    );
    assert!(faults(untrusted).contains("all peers are trusted"));
}
