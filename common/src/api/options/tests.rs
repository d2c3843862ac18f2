//! What is read, what is refused, and that both directions agree.

use super::*;

const CID: &str = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPBdX";
const PEER: &str = "12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt";

fn read(pairs: &[(&str, &str)]) -> Result<PinOptions, ApiError> {
    let owned: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    PinOptions::from_query(&owned, 1_000)
}

#[test]
fn nothing_asked_for_means_defaults() {
    assert_eq!(read(&[]), Ok(PinOptions::default()));
    // What Go's client always sends.
    let go = [
        ("replication-min", "0"),
        ("replication-max", "0"),
        ("name", ""),
        ("mode", "recursive"),
        ("shard-size", "0"),
        ("user-allocations", ""),
    ];
    assert_eq!(read(&go), Ok(PinOptions::default()));
}

#[test]
fn all_options_survive_the_query() {
    let options = PinOptions {
        replication: Replication::from_factors(1, 3).unwrap(),
        name: "a b&c=%é".to_owned(),
        mode: PinMode::Direct,
        user_allocations: vec![PEER.parse().unwrap(); 2],
        expires_at: Some(1_893_456_000),
        metadata: BTreeMap::from([("k=1".to_owned(), "v&2".to_owned())]),
        update_from: Some(CID.parse().unwrap()),
        origins: vec![format!("/ip4/1.2.3.4/tcp/4001/p2p/{PEER}").parse().unwrap()],
    };
    let pairs = options.to_query();
    assert_eq!(PinOptions::from_query(&pairs, 0), Ok(options));
}

#[test]
fn replication_sets_both_factors_and_expiry_counts_from_now() {
    let options = read(&[("replication", "-1"), ("replication-min", "2"), ("expire-in", "1m")]);
    let options = options.unwrap();
    assert_eq!(options.replication, Some(Replication::Everywhere));
    assert_eq!(options.expires_at, Some(1_060));
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    for (key, value, words) in [
        ("replication-min", "x", "parameter replication-min invalid"),
        ("replication-max", "3", "replication factors 0 and 3"),
        ("mode", "foo", "mode \"foo\""),
        ("expire-at", "foo", "expire-at cannot be parsed"),
        ("expire-in", "5", "time: missing unit in duration \"5\""),
        ("expire-in", "10ms", "expire-in duration too short"),
        ("expire-in", "-1h", "expire-in duration too short"),
        ("user-allocations", "foo", "user-allocations"),
        ("pin-update", "foo", "error decoding update option parameter"),
        ("origins", "foo", "error decoding multiaddress"),
        ("origins", "/ip4/1.2.3.4/tcp/1", "does not contain peer ID"),
    ] {
        let error = read(&[(key, value)]).unwrap_err();
        assert_eq!(error.reason, ErrorCode::BadRequest);
        assert!(error.message.contains(words), "{key}={value}: {}", error.message);
    }
}
