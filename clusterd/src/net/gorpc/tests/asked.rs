//! What real Go peers asked, answered by our server, and forms that Go accepts.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use serde_json::Value;

use super::super::heads::Answered;
use super::super::msgpack::{Reader, from_bytes, to_bytes};
use super::super::types::BlockPut;
use super::local::Local;
use super::recorded::{hex, recorded, to_go};
use super::served::{exchange, served};

#[tokio::test]
async fn what_go_refuses_we_refuse_with_the_same_bytes() {
    let cases = [
        "Cluster.PinGet(closed)",
        "Cluster.Pins(closed,stream)",
        "Cluster.Nope(unknown)",
        "Nope.Nope(unknown svc)",
    ];
    for case in cases {
        let recorded = to_go(case);
        let (stream, served) = served(&Arc::default());
        let answer = exchange(stream, &recorded.request, recorded.is_ended).await;
        let expected = HEXLOWER.encode(&recorded.answers.concat());
        assert_eq!(HEXLOWER.encode(&answer), expected, "{case}");
        served.ended().await.unwrap_err();
    }
}

#[tokio::test]
async fn what_go_asks_is_answered() {
    let local = Arc::<Local>::default();
    for (case, items) in [
        ("PinTracker.StatusAll", 3),
        ("Cluster.IDStream", 1),
        ("Cluster.ID", 1),
        ("PinTracker.Status", 1),
        ("Cluster.RecoverAllLocal", 1),
        ("IPFSConnector.SwarmPeers", 1),
        ("Cluster.RepoGCLocal", 1),
    ] {
        let recorded = recorded("calls_from_a_go_peer", case);
        let (stream, served) = served(&local);
        let answer = exchange(stream, &recorded.request, recorded.is_ended).await;
        assert_eq!(served.ended().await, Ok(()), "{case}");
        // The head is what Go's own library wrote.
        let head: Answered = Reader::new(&answer).take().unwrap();
        assert_eq!(format!("{}.{}", head.called.service, head.called.method), case);
        if let Some(theirs) = recorded.answers.first() {
            let length = to_bytes(&head).len();
            assert_eq!(answer[..length], theirs[..length], "{case}");
        }
        let mut reader = Reader::new(&answer);
        let mut count = 0;
        while !reader.is_at_end() {
            assert_eq!(reader.take::<Answered>().unwrap(), head);
            reader.skip().unwrap();
            count += 1;
        }
        assert_eq!(count, items, "{case}");
    }
    let notes = local.notes();
    assert_eq!(notes[0], "status of 0");
    assert_eq!(notes[1], "status bafybeibydzof4m35lzkailbiam3vgvpd7pl52ktwdviuhi5fmm6q4udtji");
}

#[test]
fn blocks_are_read_as_go_sends_them() {
    let block = "83a164a40a020801a163da0022122059948439065f29619ef41280cbb932be52c56d99c5966b65e0111239f098bbefa17304";
    let bytes = HEXLOWER.decode(block.as_bytes()).unwrap();
    let block: BlockPut = from_bytes(&bytes).unwrap();
    assert_eq!((block.data.as_slice(), block.cumulative_size), (&[0x0a, 2, 8, 1][..], 4));
    assert_eq!(to_bytes(&block), bytes);
}

#[tokio::test]
async fn go_accepts_and_refuses_the_same_forms_as_we_do() {
    let text = include_str!("../../../../tests/vectors/gorpc-decoder-tolerance.json");
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    assert_eq!(cases.len(), 9);
    for case in cases {
        let name = case["case"].as_str().unwrap();
        let (stream, served) = served(&Arc::default());
        let answer =
            exchange(stream, &hex(&case["request_hex"]), name.starts_with("StatusAll")).await;
        let head: Answered = if answer.is_empty() {
            // A filter that lets nothing through is accepted all the same.
            assert_eq!(name, "StatusAll-filter256");
            Answered::default()
        } else {
            Reader::new(&answer).take().unwrap()
        };
        assert_eq!(head.error.is_empty(), case["accepted"].as_bool().unwrap(), "{name}: {head:?}");
        let theirs = case["response_first_object"]["ErrType"].as_u64().unwrap_or(0);
        assert_eq!(head.fault as u64, theirs, "{name}");
        assert_eq!(served.ended().await.is_ok(), head.error.is_empty());
    }
}
