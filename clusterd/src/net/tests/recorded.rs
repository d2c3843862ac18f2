//! What real Go peers sent, byte for byte, is taken by a running peer.

use data_encoding::HEXLOWER;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use super::raw::{LIMITS, Raw};
use super::*;

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

/// Appends a length below 2^14 as a varint, and the bytes.
fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap();
    assert!(length < 1 << 14);
    if length >= 128 {
        out.push(u8::try_from(length & 127).unwrap() | 128);
        out.push(u8::try_from(length >> 7).unwrap());
    } else {
        out.push(u8::try_from(length).unwrap());
    }
    out.extend_from_slice(bytes);
}

/// A frame with one published message.
fn publishing(message: &[u8]) -> Vec<u8> {
    let (mut rpc, mut frame) = (vec![0x12], Vec::new());
    put(&mut rpc, message);
    put(&mut frame, &rpc);
    frame
}

/// A peer that speaks nothing but gossip, and a peer under test, connected.
async fn stage() -> (Raw, Peer, PeerStream) {
    let peer = Peer::start(|_| {}).await;
    let raw = Raw::start("/meshsub/1.3.0", LIMITS).await;
    raw.dial(peer.address()).await;
    let stream = raw.open(*peer.id().inner()).await.unwrap();
    (raw, peer, stream)
}

#[tokio::test]
async fn recorded_frames_are_understood() {
    let frames = vectors(include_str!("../../../tests/vectors/gossipsub-frames.json"));
    let (raw, mut peer, mut stream) = stage().await;
    let mut sent = 0;
    for kind in ["subscriptions", "control:GRAFT,GRAFT", "publish"] {
        for frame in frames[kind].as_array().unwrap() {
            let mut framed = Vec::new();
            put(&mut framed, &bytes(&frame["rpc_hex_without_length"]));
            stream.write_all(&framed).await.unwrap();
            sent += 1;
        }
    }
    stream.flush().await.unwrap();
    assert_eq!(sent, 8);
    peer.subscribed_by(PeerId::from(raw.id)).await;
    let metric = peer.event("a metric", |event| {
        if let NetEvent::Metric { from, payload } = event { Some((from, payload)) } else { None }
    });
    let (from, payload) = metric.await;
    // The metric names its peer in raw bytes, and Go signs with that peer's key.
    let id = from.encode();
    assert!(payload.windows(id.len()).any(|part| part == id));
}

#[tokio::test]
async fn recorded_announcements_and_metrics_come_once_with_their_signer() {
    let (_raw, mut peer, mut stream) = stage().await;
    let mut expected = Vec::new();
    for text in [
        include_str!("../../../tests/vectors/pubsub-crdt.json"),
        include_str!("../../../tests/vectors/pubsub-metrics.json"),
    ] {
        let vectors = vectors(text);
        for vector in vectors.as_array().unwrap() {
            let frame = publishing(&bytes(&vector["message_hex"]));
            // Twice, as two neighbours would.
            stream.write_all(&[frame.clone(), frame].concat()).await.unwrap();
            let from: PeerId = vector["decoded"]["from"].as_str().unwrap().parse().unwrap();
            let payload = bytes(&vector["decoded"]["data"]);
            expected.push(match vector.get("heads") {
                Some(_) => NetEvent::Heads {
                    from,
                    heads: crate::net::gossip::decode_heads(&payload).unwrap(),
                },
                None => NetEvent::Metric { from, payload },
            });
        }
    }
    stream.flush().await.unwrap();
    assert!(expected.len() >= 20);
    let mut came = Vec::new();
    while came.len() < expected.len() {
        came.push(
            peer.event("gossip", |event| match event {
                NetEvent::Heads { .. } | NetEvent::Metric { .. } => Some(event),
                NetEvent::Connected { .. }
                | NetEvent::Disconnected { .. }
                | NetEvent::Subscribed { .. } => None,
            })
            .await,
        );
    }
    assert_eq!(came, expected);
}

#[tokio::test]
async fn a_message_that_was_changed_on_its_way_is_not_taken() {
    let vectors = vectors(include_str!("../../../tests/vectors/pubsub-metrics.json"));
    let (_raw, mut peer, mut stream) = stage().await;
    let (first, second) = (&vectors[0], &vectors[1]);
    let mut forged = bytes(&first["message_hex"]);
    // Inside the payload, behind the signer.
    forged[60] ^= 1;
    stream.write_all(&publishing(&forged)).await.unwrap();
    stream.write_all(&publishing(&bytes(&second["message_hex"]))).await.unwrap();
    stream.flush().await.unwrap();
    let came = peer.event("a metric", |event| {
        if let NetEvent::Metric { payload, .. } = event { Some(payload) } else { None }
    });
    assert_eq!(came.await, bytes(&second["decoded"]["data"]));
}
