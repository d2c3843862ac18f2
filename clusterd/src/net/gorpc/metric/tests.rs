//! Metrics as real peers sent them.

use data_encoding::HEXLOWER;
use serde_json::Value;

use super::*;

fn recorded() -> Vec<(Vec<u8>, Value)> {
    let text = include_str!("../../../../tests/vectors/pubsub-metrics.json");
    let messages: Vec<Value> = serde_json::from_str(text).unwrap();
    let data = |message: &Value| message["decoded"]["data"].as_str().unwrap().as_bytes().to_vec();
    messages
        .into_iter()
        .map(|message| (HEXLOWER.decode(&data(&message)).unwrap(), message["metric"].clone()))
        .collect()
}

/// Makes the metric anew from its name and value, as an informer would.
fn made_again(metric: &Metric) -> Metric {
    let (peer, expires) = (metric.peer, metric.expires_at_ns);
    let number = || metric.value.parse().unwrap();
    match metric.name.as_str() {
        PING => Metric::ping(peer, &metric.to_ping().unwrap(), expires),
        FREESPACE => Metric::freespace(peer, number(), expires),
        PINQUEUE => Metric::pinqueue(peer, number(), PINQUEUE_BUCKET, expires),
        name => Metric::tag(peer, name.strip_prefix(TAG_PREFIX).unwrap(), &metric.value, expires),
    }
}

#[test]
fn real_metrics_are_read_and_written_byte_for_byte() {
    let recorded = recorded();
    assert!(recorded.len() > 8);
    for (payload, decoded) in recorded {
        let metric = Metric::from_payload(&payload).unwrap();
        assert_eq!(metric.name, decoded["n"].as_str().unwrap());
        assert_eq!(metric.value, decoded["v"].as_str().unwrap());
        assert_eq!(metric.expires_at_ns, decoded["e"].as_i64().unwrap());
        assert_eq!(metric.weight, decoded["w"].as_i64().unwrap_or(0));
        assert_eq!(metric.is_partitionable, decoded["o"].as_bool().unwrap_or(false));
        let peer = HEXLOWER.encode(&metric.peer.encode());
        assert_eq!(format!("hex:{peer}"), decoded["p"].as_str().unwrap());
        assert_eq!(metric.to_payload(), payload);
        assert_eq!(made_again(&metric), metric);
        assert_eq!(made_again(&metric).to_payload(), payload);
    }
}

#[test]
fn a_metric_holds_until_its_time() {
    let (payload, _) = recorded().remove(0);
    let metric = Metric::from_payload(&payload).unwrap();
    assert!(metric.holds_at(metric.expires_at_ns) && !metric.holds_at(metric.expires_at_ns + 1));
    let invalid = Metric { is_valid: false, ..metric };
    assert!(!invalid.holds_at(0));
    assert_eq!(Metric::from_payload(&invalid.to_payload()), Ok(invalid));
}

#[test]
fn fuller_machines_and_queues_weigh_less() {
    let peer = Metric::from_payload(&recorded().remove(0).0).unwrap().peer;
    assert_eq!(Metric::pinqueue(peer, 250_000, PINQUEUE_BUCKET, 1).weight, -2);
    assert_eq!(Metric::pinqueue(peer, 3, 0, 1).weight, -3);
    assert_eq!(Metric::reposize(peer, 5, 1).weight, -5);
    assert_eq!(Metric::freespace(peer, u64::MAX, 1).weight, i64::MAX);
    assert!(!Metric::freespace(peer, 0, 1).is_valid);
    assert_eq!(Metric::numpin(peer, 7, 1).value, "7");
}

#[test]
fn a_ping_says_only_what_is_known() {
    let peer = Metric::from_payload(&recorded().remove(0).0).unwrap().peer;
    assert_eq!(Metric::ping(peer, &Ping::default(), 1).value, "{}");
    let address = "/ip4/8.8.8.8/tcp/4001".parse().unwrap();
    let ping = Ping { peer_name: "a".to_owned(), ipfs_addresses: vec![address], ipfs_id: None };
    let metric = Metric::ping(peer, &ping, 1);
    assert_eq!(metric.value, r#"{"peer_name":"a","ipfs_addresses":["/ip4/8.8.8.8/tcp/4001"]}"#);
    assert_eq!(metric.to_ping(), Some(ping));
    assert_eq!(Metric::tag(peer, "group", "{}", 1).to_ping(), None);
}

#[test]
fn what_is_no_metric_is_refused() {
    let (payload, _) = recorded().remove(0);
    assert!(Metric::from_payload(&payload[..payload.len() - 1]).is_err());
    assert_eq!(Metric::from_payload(&[&payload[..], &[0]].concat()), Err(DecodeError::Excess));
    let peerless = Metric::from_payload(&[0x81, 0xa1, b'n', 0xa1, b'x']).unwrap_err();
    assert_eq!(peerless.to_string(), "a metric without its peer");
    let bad_peer = [0x82, 0xa1, b'n', 0xa1, b'x', 0xa1, b'p', 0xa1, 0];
    assert!(
        Metric::from_payload(&bad_peer).unwrap_err().to_string().starts_with("p: invalid peer id")
    );
}
