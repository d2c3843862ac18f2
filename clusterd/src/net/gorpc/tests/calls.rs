//! Our client and our server together: every method, with its rules.

use std::sync::Arc;

use common::api::peers::IdInfo;
use common::api::tree::Query;
use common::pin::{Pin, Replication};
use common::status::{PinStatus, StatusFilter};

use super::super::client::{RpcError, calls, within};
use super::super::heads::{Answered, Called, Fault};
use super::super::methods::{Method, Policy};
use super::super::msgpack::{Reader, to_bytes};
use super::super::server::ServeError;
use super::super::types::{Asked, PeerPin};
use super::local::{Local, NEVER, OTHER, PANIC, REFUSED, cid, peer};
use super::served::{SOON, exchange, served};

#[tokio::test]
async fn unary_methods_answer() {
    let local = Arc::<Local>::default();
    let stream = || served(&local).0;
    assert_eq!(calls::id(stream()).await, Ok(Local::identity()));
    let added = calls::peer_add(stream(), &peer(OTHER)).await.unwrap();
    assert_eq!(added, IdInfo { id: peer(OTHER), ..Local::identity() });
    assert_eq!(calls::version(stream()).await.unwrap().version, "0.1.0");
    let status = calls::status(stream(), &cid(9)).await.unwrap();
    assert_eq!(status, PeerPin { cid: cid(9), ..Local::pin(1) });
    assert_eq!(calls::recover(stream(), &cid(8)).await.unwrap().cid, cid(8));
    let collected = calls::collect(stream()).await.unwrap();
    assert_eq!((collected.keys[0].key, collected.keys[1].error.as_str()), (Some(cid(1)), "locked"));
    assert_eq!(calls::repo_stat(stream()).await.unwrap().repo_size, 75_097);
    let counted = calls::counted_repo(stream()).await.unwrap();
    assert_eq!((counted.repo_size, counted.storage_max), (75_097, 10_000_000_000));
    assert_eq!((counted.num_objects, counted.kubo), (12, Some(peer(OTHER))));
    let query = Query { above: "ab".to_owned(), ..Query::default() };
    let beside = calls::beside(stream(), &query).await.unwrap();
    assert_eq!(beside.unsettled.get(&PinStatus::Pinning), Some(&2));
    assert_eq!(calls::swarm_peers(stream()).await, Ok(vec![peer(OTHER)]));
    let mut pin = Pin::new(cid(3), Replication::from_stored(1, 2), 5);
    pin.name = "p".to_owned();
    assert_eq!(calls::log_pin(stream(), &pin).await, Ok(()));
    assert_eq!(calls::log_unpin(stream(), &pin).await, Ok(()));
    assert_eq!(calls::heads(stream()).await.unwrap().0.len(), 2);
    let notes = local.notes();
    assert!(notes.contains(&format!("pin {} p", cid(3))), "{notes:?}");
    assert!(notes.contains(&format!("unpin {}", cid(3))), "{notes:?}");
    assert!(notes.contains(&"beside, below ab".to_owned()), "{notes:?}");
}

#[tokio::test]
async fn lists_come_item_by_item() {
    let local = Arc::new(Local { pins: 1_000, ..Local::default() });
    let (stream, served) = served(&local);
    let filter = StatusFilter::parse("pinned").unwrap();
    let mut answers = calls::status_all(stream, filter).await.unwrap();
    let mut number = 0;
    while let Some(pin) = answers.next().await.unwrap() {
        assert_eq!(pin, Local::pin(number));
        number += 2;
    }
    assert_eq!(number, 1_000);
    assert_eq!(served.ended().await, Ok(()));
    let mut recovered = calls::recover_all(self::served(&local).0).await.unwrap();
    assert_eq!(recovered.next().await.unwrap().unwrap().info.status, PinStatus::PinError);
}

#[tokio::test]
async fn a_list_that_its_maker_drops_is_an_error_and_no_short_list() {
    let (stream, served) = served(&Arc::default());
    let mut peers = calls::peers(stream).await.unwrap();
    assert!(peers.next().await.unwrap().is_some() && peers.next().await.unwrap().is_some());
    let broken = peers.next().await.unwrap_err();
    assert_eq!(broken.to_string(), "the list broke off");
    assert_eq!(served.ended().await, Ok(()));
}

#[tokio::test]
async fn a_list_of_a_lost_connection_is_no_short_list() {
    for is_connected in [true, false] {
        let (stream, _served) = served(&Arc::new(Local { pins: 0, ..Local::default() }));
        let answers = calls::recover_all(stream).await.unwrap();
        let mut answers = answers.while_connected(move || is_connected);
        match answers.next().await {
            Ok(None) => assert!(is_connected),
            Err(RpcError::Broken { reason, .. }) => {
                assert!(!is_connected);
                assert_eq!(reason, "it was lost before the list's end");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn refusals_are_the_methods_own_words() {
    let local = Arc::<Local>::default();
    let (stream, served) = served(&local);
    let refused = calls::status(stream, &cid(REFUSED)).await.unwrap_err();
    assert_eq!(refused.to_string(), "kubo is down");
    // The method has answered; there is nothing to log.
    assert_eq!(served.ended().await, Ok(()));
    let removed = calls::peer_remove(self::served(&local).0, &peer(OTHER)).await.unwrap_err();
    assert!(matches!(removed, RpcError::Refused { .. }), "{removed:?}");
}

#[tokio::test]
async fn untrusted_callers_may_call_open_methods_alone() {
    // One that never ends is watched below.
    for method in Method::ALL.iter().filter(|method| **method != Method::CompositeWatch) {
        let local = Arc::new(Local { is_trusting: false, ..Local::default() });
        let (stream, served) = served(&local);
        let route = method.route();
        let (service, name) = (route.service.to_owned(), route.method.to_owned());
        // Arguments that fit the open methods that take any.
        let is_states = *method == Method::CompositeStates;
        let states = to_bytes(&Asked(vec![cid(1)]));
        let argument = if is_states { states } else { to_bytes(&peer(OTHER)) };
        let request = [to_bytes(&Called { service, method: name }), argument].concat();
        let answer = exchange(stream, &request, false).await;
        let head: Answered = Reader::new(&answer).take().unwrap();
        if route.policy == Policy::Open {
            assert_eq!((head.error.as_str(), served.ended().await), ("", Ok(())), "{method}");
        } else {
            let words = format!("client does not have permissions to call {method}");
            assert_eq!((head.error, head.fault), (words, Fault::Authorization));
            let called = method.to_string();
            assert_eq!(served.ended().await, Err(ServeError::Denied { called }));
            assert_eq!(local.notes(), Vec::<String>::new());
        }
    }
    let local = Arc::new(Local { is_trusting: false, ..Local::default() });
    let mut news = calls::watch(served(&local).0).await.unwrap();
    assert_eq!(news.next().await.unwrap().unwrap().0.len(), 2);
    let denied = calls::heads(served(&local).0).await.unwrap_err();
    assert_eq!(denied, RpcError::Denied { method: Method::CompositeHeads });
}

#[tokio::test]
async fn unknown_methods_are_told_from_failures() {
    let (stream, _served) = served(&Arc::default());
    let request = to_bytes(&Called { service: "Composite".to_owned(), method: "Nope".to_owned() });
    let answer = exchange(stream, &request, false).await;
    let head: Answered = Reader::new(&answer).take().unwrap();
    assert_eq!((head.error.as_str(), head.fault), ("rpc: can't find method Nope", Fault::Server));
    // A Go peer knows no such service at all.
    let message = "rpc: can't find service Composite".to_owned();
    let missing = RpcError::Unserved { method: Method::CompositeHeads, message };
    assert!(missing.is_missing_method());
    assert!(!RpcError::Denied { method: Method::CompositeHeads }.is_missing_method());
}

#[tokio::test]
async fn a_method_that_falls_over_takes_nobody_with_it() {
    let local = Arc::<Local>::default();
    let (stream, served) = served(&local);
    let failed = calls::status(stream, &cid(PANIC)).await.unwrap_err();
    assert!(matches!(&failed, RpcError::Unserved { .. }), "{failed:?}");
    assert!(failed.to_string().contains("something went wrong"), "{failed}");
    let called = "PinTracker.Status".to_owned();
    assert_eq!(served.ended().await, Err(ServeError::Panicked { called }));
    assert_eq!(*local.running.borrow(), 0);
    assert!(calls::status(self::served(&local).0, &cid(1)).await.is_ok());
}

#[tokio::test]
async fn a_deadline_is_the_callers() {
    let local = Arc::<Local>::default();
    let (stream, served) = served(&local);
    let limit = std::time::Duration::from_millis(50);
    let never = cid(NEVER);
    let call = calls::status(stream, &never);
    let late = within(limit, Method::PinTrackerStatus, call).await.unwrap_err();
    assert_eq!(late.to_string(), "the peer did not answer PinTracker.Status within 50ms");
    // Giving up cancels the call at the other side.
    let gone = served.ended().await.unwrap_err();
    assert!(matches!(gone, ServeError::Gone { .. }), "{gone:?}");
    let mut running = local.running.subscribe();
    tokio::time::timeout(SOON, running.wait_for(|count| *count == 0)).await.unwrap().unwrap();
}
