//! Topics, names of messages and announcements against what Go peers sent.

use data_encoding::HEXLOWER;
use libp2p::PeerId;
use serde_json::Value;

use super::*;

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn crdt() -> Value {
    vectors(include_str!("../../../tests/vectors/pubsub-crdt.json"))
}

fn metrics() -> Value {
    vectors(include_str!("../../../tests/vectors/pubsub-metrics.json"))
}

#[test]
fn topics_are_gos() {
    let vectors = vectors(include_str!("../../../tests/vectors/topics.json"));
    let topics = vectors["crdt_topic_by_cluster_name"].as_object().unwrap();
    assert!(topics.len() >= 4);
    for (name, topic) in topics {
        let found = Topics::of(name);
        assert_eq!(found.heads.hash().as_str(), topic.as_str().unwrap());
        assert_eq!(found.metrics.hash().as_str(), vectors["metrics_topic"].as_str().unwrap());
        assert_eq!(found.find(&found.heads.hash()), Some(Topic::Heads));
    }
    assert_eq!(Topics::of("a").find(&Topics::of("b").heads.hash()), None);
}

#[test]
fn messages_are_named_as_go_names_them() {
    for vectors in [crdt(), metrics()] {
        for vector in vectors.as_array().unwrap() {
            let sent = &vector["decoded"];
            let number = bytes(&sent["seqno"]).try_into().unwrap();
            let message = gossipsub::Message {
                source: Some(sent["from"].as_str().unwrap().parse::<PeerId>().unwrap()),
                data: bytes(&sent["data"]),
                sequence_number: Some(u64::from_be_bytes(number)),
                topic: TopicHash::from_raw(sent["topic"].as_str().unwrap()),
            };
            assert_eq!(message_id(&message).0, bytes(&sent["message_id"]));
        }
    }
}

#[test]
fn announcements_are_read_and_written_as_gos() {
    let vectors = crdt();
    for vector in vectors.as_array().unwrap() {
        let payload = bytes(&vector["decoded"]["data"]);
        let heads = decode_heads(&payload).unwrap();
        let cids: Vec<String> =
            heads.iter().map(|head| Cid::decode(&head.cid_bytes()).unwrap().to_string()).collect();
        let expected = vector["heads"].as_array().unwrap();
        assert_eq!(cids, expected.iter().map(|cid| cid.as_str().unwrap()).collect::<Vec<_>>());
        assert_eq!(encode_heads(&heads), payload);
    }
}

#[test]
fn a_bare_cid_of_an_older_peer_is_read() {
    let head = BlockId::of(b"block");
    assert_eq!(decode_heads(&head.cid_bytes()), Ok(vec![head]));
}

#[test]
fn what_is_no_announcement_is_refused() {
    let raw_block = Cid::from(cid::Cid::new_v1(0x55, *cid_of_block().inner().hash()));
    let of_another_kind =
        BroadcastMessage { heads: vec![HeadMessage { cid: raw_block.encode() }] }.encode_to_vec();
    for payload in [&b"\xff\xff\xff"[..], &[0x0a, 2, 0x0a, 0], &of_another_kind] {
        assert!(decode_heads(payload).is_err(), "{payload:02x?}");
    }
    assert_eq!(decode_heads(&[]), Ok(Vec::new()));
}

fn cid_of_block() -> Cid {
    Cid::decode(&BlockId::of(b"block").cid_bytes()).unwrap()
}

#[test]
fn as_many_heads_as_one_message_takes_fit_into_it() {
    let heads: Vec<BlockId> =
        (0..HEADS_PER_MESSAGE_MAX).map(|n| BlockId::of(&n.to_be_bytes())).collect();
    assert!(encode_heads(&heads).len() < MESSAGE_BYTES_MAX / 10);
}
