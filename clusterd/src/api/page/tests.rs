//! What the page makes of names that are attacks, of much, and of nothing.

use std::collections::BTreeMap;
use std::sync::Mutex as StdMutex;

use clusterd_core::input::Time;
use clusterd_core::pinset::key::PinKey;
use clusterd_core::snapshot::{Row, Snapshot, Visitor};
use clusterd_core::store::{Entry, Space, StoreError};
use clusterd_core::tracker::phase::{Goal, Unsettled};
use common::api::health::{AlertJson, MetricJson, PeerHealth};
use common::api::time::WireTime;
use common::api::tree::{Daemon, Tree, TreePeer};
use common::ids::{Cid, PeerId};
use common::pin::Replication;
use common::status::PinStatus;
use jiff::Timestamp;

use super::failures::{Failure, Failures, LOOKED_AT_MAX, SHOWN_MAX};
use super::seen::{KnownTree, Kubo, Node, Seen};
use super::*;
use crate::api::room::{Counts, Me};

const HOSTILE: &str = "<script>alert('x')</script>\"&<img src=x onerror=alert(1)>";
const PEER: &str = "12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha";
const CLUSTER: &str = "0123456789abcdef0123456789abcdef";

fn peer() -> PeerId {
    PEER.parse().unwrap()
}

fn cid() -> Cid {
    "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy".parse().unwrap()
}

fn seen_of(name: &str, peers: usize) -> Seen {
    let health = PeerHealth {
        peer: peer(),
        peername: name.to_owned(),
        member: false,
        pinged: WireTime::NONE,
        silent_since: WireTime::from_seconds(1),
        freespace: Some(1 << 30),
        pinqueue: Some(2),
        tags: BTreeMap::new(),
    };
    let metric = MetricJson {
        name: name.to_owned(),
        peer: peer(),
        value: name.to_owned(),
        expire: 1,
        valid: true,
        weight: 0,
        partitionable: false,
        received_at: 1,
    };
    let alert = AlertJson { metric, triggered_at: WireTime::from_seconds(1) };
    let failure = Failure {
        cid: cid(),
        name: name.to_owned(),
        status: PinStatus::PinError,
        since: WireTime::from_seconds(1),
        attempts: 3,
        error: name.to_owned(),
    };
    let node = Node {
        peers: vec![health; peers],
        alerts: vec![alert],
        alerts_left: 4,
        running: 1,
        waiting: 2,
    };
    Seen {
        now: Timestamp::UNIX_EPOCH,
        me: Me {
            peer: peer(),
            peername: name.to_owned(),
            is_follower: true,
            cluster: CLUSTER.parse().unwrap(),
            cluster_name: name.to_owned(),
            replication: Replication::Everywhere,
        },
        counts: Counts {
            pins: 7,
            unsettled: BTreeMap::from([(PinStatus::PinError, 1)]),
            refused: 0,
        },
        node: Some(node),
        kubo: Kubo::Silent { error: name.to_owned() },
        failures: Some(Failures { newest: vec![failure], is_partial: true }),
        stored_bytes: Some(4096),
    }
}

fn tree_of(name: &str) -> Tree {
    let peer = |daemon| TreePeer {
        peer: peer(),
        name: name.to_owned(),
        is_member: true,
        free: None,
        unsettled: BTreeMap::new(),
        pin: None,
        daemon: Some(daemon),
    };
    let mut tree = Tree::above(CLUSTER.parse().unwrap(), name.to_owned());
    tree.peers = vec![
        peer(Daemon::Unknown { error: name.to_owned() }),
        peer(Daemon::Cluster { tree: Box::new(tree.clone()) }),
    ];
    tree.is_above = false;
    tree.refuses = name.to_owned();
    tree
}

#[test]
fn what_others_call_themselves_is_text_everywhere() {
    let mut known = KnownTree::new(tree_of(HOSTILE));
    known.error = HOSTILE.to_owned();
    let page = view::document(&seen_of(HOSTILE, 1), &known).into_string();
    assert!(!page.contains("<img"), "{page}");
    assert!(!page.contains("alert('x')</script>"), "{page}");
    assert_eq!(page.matches("<script").count(), 1, "the page's own: {page}");
    assert!(page.matches("&lt;script&gt;alert(").count() > 10, "{page}");
    // The policy refuses all of these.
    for forbidden in [" style=", "<style", "javascript:", " onload=", "http://evil"] {
        assert!(!page.contains(forbidden), "{forbidden}: {page}");
    }
}

#[test]
fn a_cluster_below_a_peer_is_shown_with_its_health() {
    let seen = Seen { kubo: Kubo::Answers, ..seen_of("alpha", 1) };
    let page = view::document(&seen, &KnownTree::new(tree_of("beta"))).into_string();
    let cell = "cluster <bdi>beta</bdi>: <span class=\"bad\">loop</span>";
    assert!(page.contains(cell), "{page}");
}

#[test]
fn what_is_not_known_in_time_is_said_so() {
    let quiet = Seen { node: None, failures: None, stored_bytes: None, ..seen_of("alpha", 0) };
    let mut known = KnownTree::default();
    known.error = "no answer within 3 s".to_owned();
    let page = view::document(&quiet, &known).into_string();
    for words in [
        "The node did not answer in time.",
        "The store did not answer in time.",
        "no answer within 3 s",
    ] {
        assert!(page.contains(words), "no {words} in {page}");
    }
}

#[test]
fn a_page_stays_small_however_many_there_are() {
    let page = view::document(&seen_of("alpha", 5000), &KnownTree::default()).into_string();
    assert!(page.contains("And 4500 more: "), "{page}");
    assert!(page.len() < 1 << 20, "{} bytes", page.len());
}

/// Rows of `Space::Unsettled` alone.
struct Rows(StdMutex<BTreeMap<Vec<u8>, Vec<u8>>>);

impl Snapshot for Rows {
    fn visit(&self, _: Option<&[u8]>, _: &mut Visitor<'_>) -> Result<(), StoreError> {
        panic!("the page must not go through all pins")
    }

    fn look(&self, key: &[u8], visitor: &mut dyn FnMut(Row<'_>)) -> Result<(), StoreError> {
        let rows = self.0.lock().unwrap();
        let unsettled = rows.get(key).map(Vec::as_slice);
        visitor(Row { key, pin: None, unsettled, spread: None });
        Ok(())
    }

    fn rows(
        &self,
        space: Space,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        assert_eq!(space, Space::Unsettled);
        let rows = self.0.lock().unwrap();
        let later = rows.iter().filter(|(key, _)| after.is_none_or(|after| key.as_slice() > after));
        Ok(later.take(limit).map(|(key, row)| (key.clone(), row.clone())).collect())
    }
}

/// A row for a CID of its own, which failed at this time or never.
fn row(number: u64, failed_at: Option<u64>) -> (Vec<u8>, Vec<u8>) {
    let digest = [number.to_be_bytes().as_slice(), &[0; 24]].concat();
    let bytes = [[0x01, 0x55, 0x12, 0x20].as_slice(), &digest].concat();
    let mut row = Unsettled::new(Goal::Pin, Time(failed_at.unwrap_or(0)));
    row.attempts = u32::from(failed_at.is_some());
    (PinKey::from_cid(&Cid::decode(&bytes).unwrap()).into_bytes(), row.encode())
}

#[test]
fn the_newest_failures_are_found_among_what_is_not_as_wanted() {
    let failed = (0..100).map(|number| row(number, Some(1000 + (number * 37) % 100)));
    let waiting = (100..3000).map(|number| row(number, None));
    let rows = Rows(StdMutex::new(failed.chain(waiting).collect()));
    let found = failures::read(&rows).unwrap();
    let times: Vec<i64> = found.newest.iter().filter_map(|one| one.since.seconds()).collect();
    assert_eq!((found.newest.len(), found.is_partial), (SHOWN_MAX, false));
    assert!(times.is_sorted_by(|one, next| one >= next), "{times:?}");
    let millis = |one: &Failure| one.since.timestamp().unwrap().as_millisecond();
    assert_eq!(millis(&found.newest[0]), 1099);
    assert_eq!(millis(&found.newest[SHOWN_MAX - 1]), 1050);
}

#[test]
fn looking_for_failures_has_an_end() {
    let rows = (0..LOOKED_AT_MAX as u64 + 5000).map(|number| row(number, Some(number + 1)));
    let found = failures::read(&Rows(StdMutex::new(rows.collect()))).unwrap();
    assert_eq!((found.newest.len(), found.is_partial), (SHOWN_MAX, true));
}
