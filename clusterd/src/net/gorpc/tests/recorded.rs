//! What real Go peers sent and answered, read by us and written by us.

use std::sync::Arc;

use common::api::peers::{IdInfo, VersionInfo};
use common::api::pins::PinJson;
use common::ids::Cid;
use common::pin::Pin;
use common::status::{PinStatus, StatusFilter};
use data_encoding::HEXLOWER;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use serde_json::Value;
use tokio::time::timeout;

use super::super::client::{Answers, RpcError, calls};
use super::super::heads::Answered;
use super::super::msgpack::{Decode, Reader, from_bytes, to_bytes};
use super::super::types::{IpfsRepoStat, PeerPin};
use super::local::{Local, OTHER, peer};
use super::served::{SOON, exchange, served};
use super::wire::{End, pair};

pub(super) fn hex(text: &Value) -> Vec<u8> {
    HEXLOWER.decode(text.as_str().unwrap().as_bytes()).unwrap()
}

/// Both sides of a recorded call.
pub(super) struct Recorded {
    pub(super) request: Vec<u8>,
    pub(super) answers: Vec<Vec<u8>>,
    /// Whether the caller ended its side before the answer.
    pub(super) is_ended: bool,
}

pub(super) fn recorded(direction: &str, case: &str) -> Recorded {
    let all: Value =
        serde_json::from_str(include_str!("../../../../tests/vectors/gorpc.json")).unwrap();
    let calls = all[direction].as_array().unwrap();
    let call = calls.iter().find(|call| call["case"] == case).expect(case);
    let (request, answer) =
        if direction == "calls_to_a_go_peer" { ("send", "recv") } else { ("recv", "send") };
    let of = |kind: &str| {
        let events = call["events"].as_array().unwrap().iter();
        events.filter(|event| event[0] == kind).map(|event| hex(&event[1])).collect::<Vec<_>>()
    };
    let is_ended = call["events"].as_array().unwrap().iter().any(|event| {
        let kind = event[0].as_str().unwrap();
        kind == "closewrite" || kind == "readerr:EOF"
    });
    Recorded { request: of(request).concat(), answers: of(answer), is_ended }
}

pub(super) fn to_go(case: &str) -> Recorded {
    recorded("calls_to_a_go_peer", case)
}

/// Plays the Go peer: checks that we ask as the recorded caller did, and answers as Go did.
fn plays(recorded: Recorded) -> End {
    let (ours, mut theirs) = pair(64 << 10);
    tokio::spawn(async move {
        let mut request = vec![0; recorded.request.len()];
        theirs.read_exact(&mut request).await.unwrap();
        assert_eq!(HEXLOWER.encode(&request), HEXLOWER.encode(&recorded.request));
        if recorded.is_ended {
            assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0, "we send more, or do not end");
        }
        theirs.write_all(&recorded.answers.concat()).await.unwrap();
        theirs.close().await.unwrap();
        if !recorded.is_ended {
            assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0, "we send more");
        }
    });
    ours
}

async fn whole<T: Decode>(answers: Result<Answers<End, T>, RpcError>) -> Result<Vec<T>, RpcError> {
    let (mut answers, mut list) = (answers?, Vec::new());
    while let Some(item) = timeout(SOON, answers.next()).await.expect("no item")? {
        list.push(item);
    }
    Ok(list)
}

fn pinned_cid() -> Cid {
    "QmS4mv1XCXeEpemfHMy6ND7HGqBVyM7cg3zADSrkuXNow5".parse().unwrap()
}

/// Splits a recorded answer into its head and its value.
fn body<T: Decode>(answer: &[u8]) -> (T, Vec<u8>) {
    let mut reader = Reader::new(answer);
    let head: Answered = reader.take().unwrap();
    assert_eq!(head.error, "");
    let start = to_bytes(&head).len();
    assert_eq!(to_bytes(&head), answer[..start]);
    (from_bytes(&answer[start..]).unwrap(), answer[start..].to_vec())
}

#[tokio::test]
async fn a_go_peer_says_who_it_is() {
    let id = calls::id(plays(to_go("Cluster.ID"))).await.unwrap();
    assert_eq!((id.peername.as_str(), id.version.as_str()), ("gopeer1", "1.1.6"));
    assert_eq!(id.rpc_protocol_version, IdInfo::RPC_PROTOCOL_VERSION);
    assert_eq!((id.cluster_peers.len(), id.cluster_peers_addresses.len()), (3, 2));
    assert_eq!(id.addresses[0].to_string(), format!("/ip4/127.0.0.1/tcp/26001/p2p/{}", id.id));
    assert!(id.ipfs.id.is_some() && id.ipfs.error.is_empty());
    let (read, bytes) = body::<IdInfo>(&to_go("Cluster.ID").answers[0]);
    assert_eq!(read, id);
    assert_eq!(to_bytes(&id), bytes);
    let version = calls::version(plays(to_go("Cluster.Version"))).await.unwrap();
    assert_eq!(version, VersionInfo { version: "1.1.6".to_owned() });
}

#[tokio::test]
async fn a_go_peer_takes_us_in_and_lists_the_members() {
    let us = peer(OTHER);
    let id = calls::peer_add(plays(to_go("Cluster.PeerAdd")), &us).await.unwrap();
    assert_eq!((id.id, id.peername.as_str()), (us, "wirepeer"));
    let peers = whole(calls::peers(plays(to_go("Cluster.Peers"))).await).await.unwrap();
    let names: Vec<&str> = peers.iter().map(|peer| peer.peername.as_str()).collect();
    assert_eq!(names, ["gopeer1", "gopeer2", "wirepeer"]);
    for answer in &to_go("Cluster.Peers").answers[..2] {
        let (id, bytes) = body::<IdInfo>(answer);
        assert_eq!(to_bytes(&id), bytes);
    }
}

#[tokio::test]
async fn a_go_peer_says_how_a_pin_is() {
    let status = calls::status(plays(to_go("PinTracker.Status")), &pinned_cid()).await.unwrap();
    assert_eq!((status.cid, status.name.as_str()), (pinned_cid(), "two-meta"));
    assert_eq!(status.info.status, PinStatus::Pinned);
    assert_eq!(status.metadata["akey"], "av");
    assert_eq!(status.info.timestamp, status.created);
    assert_eq!(status.allocations.len(), 2);
    let recovered = calls::recover(plays(to_go("PinTracker.Recover")), &pinned_cid()).await;
    assert_eq!(recovered.unwrap(), status);
    for case in ["PinTracker.Status", "PinTracker.Recover"] {
        let (pin, bytes) = body::<PeerPin>(&to_go(case).answers[0]);
        assert_eq!(pin, status);
        assert_eq!(to_bytes(&pin), bytes);
    }
}

#[tokio::test]
async fn a_go_peer_lists_its_pins() {
    let case = "PinTracker.StatusAll";
    let answers = calls::status_all(plays(to_go(case)), StatusFilter::default()).await;
    let pins = whole(answers).await.unwrap();
    let states: Vec<_> = pins.iter().map(|pin| (pin.name.as_str(), pin.info.status)).collect();
    let (pinned, remote) = (PinStatus::Pinned, PinStatus::Remote);
    let expected = [
        ("two-meta", pinned),
        ("alloc1", remote),
        ("everywhere-again", pinned),
        ("two-meta", pinned),
    ];
    assert_eq!(states, expected);
    for (pin, answer) in pins.iter().zip(to_go(case).answers) {
        let (read, bytes) = body::<PeerPin>(&answer);
        assert_eq!(&read, pin);
        // Go writes an error that is empty but was set; we leave it out.
        let mut ours = to_bytes(pin);
        ours[0] += 1;
        assert_eq!([&ours[..], &[0xa1, b'e', 0xa0]].concat(), bytes);
    }
    let recovered = calls::recover_all(plays(to_go("Cluster.RecoverAllLocal"))).await;
    assert_eq!(whole(recovered).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_go_peer_says_how_its_kubo_is() {
    let stat = calls::repo_stat(plays(to_go("IPFSConnector.RepoStat"))).await.unwrap();
    assert_eq!(stat, IpfsRepoStat { repo_size: 75_097, storage_max: 10_000_000_000 });
    let (stat, bytes) = body::<IpfsRepoStat>(&to_go("IPFSConnector.RepoStat").answers[0]);
    assert_eq!(to_bytes(&stat), bytes);
    let refused = calls::swarm_peers(plays(to_go("IPFSConnector.SwarmPeers"))).await.unwrap_err();
    assert!(matches!(refused, RpcError::Refused { .. }), "{refused:?}");
    assert!(refused.to_string().starts_with("IPFS error (swarm/peers). Code: 500."), "{refused}");
}

#[tokio::test]
async fn records_are_logged_on_go_peers_and_on_us() {
    let text = include_str!("../../../../tests/vectors/gorpc-logpin.json");
    let events: Vec<Value> = serde_json::from_str(text).unwrap();
    assert_eq!(events.len(), 6);
    for events in events.chunks(2) {
        let (request, answer) = (hex(&events[0]["hex"]), hex(&events[1]["hex"]));
        let call = events[0]["call"].as_str().unwrap();
        let mut reader = Reader::new(&request);
        reader.skip().unwrap();
        let pin: Pin = reader.take().unwrap();
        assert_eq!((pin.name.as_str(), pin.created_at), ("via-logpin", 1_700_000_000));
        let is_trusting = events[1]["decoded"][1] != Value::Null;
        // As client of the recorded peer.
        let answers = vec![answer.clone()];
        let stream = plays(Recorded { request: request.clone(), answers, is_ended: false });
        let told = match call {
            "Consensus.LogPin" => calls::log_pin(stream, &pin).await,
            _ => calls::log_unpin(stream, &pin).await,
        };
        assert_eq!(told.is_ok(), is_trusting);
        assert_eq!(matches!(told, Err(RpcError::Denied { .. })), !is_trusting);
        // As server of the recorded caller.
        let local = Arc::new(Local { is_trusting, ..Local::default() });
        let (stream, served) = served(&local);
        assert_eq!(exchange(stream, &request, false).await, answer);
        assert_eq!(served.ended().await.is_ok(), is_trusting);
        assert_eq!(local.notes().len(), usize::from(is_trusting));
    }
}

#[test]
fn records_are_gos_byte_for_byte() {
    let text = include_str!("../../../../core/tests/vectors/pin-encodings.json");
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let name = case["case"].as_str().unwrap();
        let bytes = hex(&case["msgpack_hex"]);
        let read = from_bytes::<Pin>(&bytes);
        if name == "zero" {
            assert_eq!(read.unwrap_err().to_string(), "the record has no cid");
            continue;
        }
        let expected: PinJson = serde_json::from_value(case["json"].clone()).unwrap();
        let pin = read.unwrap();
        assert_eq!(pin, Pin::try_from(expected).unwrap(), "{name}");
        if name == "full" {
            // It has preferred peers and a fraction of a second, which are not stored.
            assert_eq!(from_bytes(&to_bytes(&pin)), Ok(pin));
        } else {
            assert_eq!(HEXLOWER.encode(&to_bytes(&pin)), HEXLOWER.encode(&bytes), "{name}");
        }
    }
}
