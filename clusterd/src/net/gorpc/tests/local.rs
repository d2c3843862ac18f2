//! A peer with known answers, which notes what it was asked.

use std::sync::Mutex;

use clusterd_core::spread::{News, PeerState, Report};
use common::api::peers::{IdInfo, IpfsInfo, VersionInfo};
use common::api::pins::PinInfo;
use common::api::repo::{RepoGc, RepoGcKey};
use common::api::time::WireTime;
use common::api::tree::{Beside, Daemon, Query};
use common::ids::{Cid, PeerId};
use common::pin::Pin;
use common::status::{PinStatus, StatusFilter};
use futures_util::FutureExt;
use tokio::sync::watch;

use super::super::items::{Items, Refusal, items};
use super::super::peer::{Peer, Soon};
use super::super::types::{Asked, BlockPut, CountedRepo, Heads, IpfsRepoStat, PeerPin, Reports};

/// A raw CID that ends in a number.
pub(super) fn cid(number: u32) -> Cid {
    let digest = [&[0x01, 0x55, 0x12, 0x20][..], &[7; 28], &number.to_be_bytes()].concat();
    Cid::decode(&digest).unwrap()
}

pub(super) const US: &str = "12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt";
pub(super) const OTHER: &str = "12D3KooWSUmugQVfogFSJyTSqNpXmGmreFgPncRsbcuQyASKoN6G";

pub(super) fn peer(text: &str) -> PeerId {
    text.parse().unwrap()
}

/// A peer that answers from its fields.
pub(super) struct Local {
    pub(super) is_trusting: bool,
    /// How many pins it lists.
    pub(super) pins: u32,
    /// What it was asked, in words.
    pub(super) asked: Mutex<Vec<String>>,
    /// How many calls run that never end by themselves, and were not dropped.
    pub(super) running: watch::Sender<usize>,
}

impl Default for Local {
    fn default() -> Self {
        let (asked, running) = (Mutex::default(), watch::Sender::new(0));
        Self { is_trusting: true, pins: 3, asked, running }
    }
}

/// Counts a call that runs, until it is dropped.
struct Running(watch::Sender<usize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Local {
    fn note(&self, words: impl ToString) {
        self.asked.lock().unwrap().push(words.to_string());
    }

    pub(super) fn notes(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn run(&self) -> Running {
        self.running.send_modify(|count| *count += 1);
        Running(self.running.clone())
    }

    pub(super) fn identity() -> IdInfo {
        let address = |port: u16| format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
        IdInfo {
            id: peer(US),
            addresses: vec![address(9096)],
            cluster_peers: vec![peer(US), peer(OTHER)],
            cluster_peers_addresses: Vec::new(),
            version: "0.1.0".to_owned(),
            commit: String::new(),
            rpc_protocol_version: IdInfo::RPC_PROTOCOL_VERSION.to_owned(),
            error: String::new(),
            ipfs: IpfsInfo { id: None, addresses: Vec::new(), error: "down".to_owned() },
            peername: "alpha".to_owned(),
        }
    }

    pub(super) fn pin(number: u32) -> PeerPin {
        PeerPin {
            cid: cid(number),
            name: format!("pin {number}"),
            peer: peer(US),
            allocations: Vec::new(),
            origins: Vec::new(),
            created: WireTime::from_seconds(1_700_000_000),
            metadata: [("k".to_owned(), "v".to_owned())].into(),
            info: PinInfo {
                peername: "alpha".to_owned(),
                ipfs_peer_id: Some(peer(OTHER)),
                ipfs_peer_addresses: Vec::new(),
                status: if number.is_multiple_of(2) {
                    PinStatus::Pinned
                } else {
                    PinStatus::PinError
                },
                timestamp: WireTime::from_millis(1_700_000_000_123),
                error: String::new(),
                attempt_count: number,
                priority_pin: true,
                progress: None,
            },
        }
    }

    /// Pins from 0 on, made while they are read.
    fn pins(&self, filter: StatusFilter) -> Items<PeerPin> {
        let (feed, list) = items(2);
        let (pins, running) = (self.pins, self.run());
        tokio::spawn(async move {
            let _running = running;
            for pin in (0..pins).map(Self::pin).filter(|pin| filter.admits(pin.info.status)) {
                if feed.send(pin).await.is_err() {
                    return;
                }
            }
            feed.end().await;
        });
        list
    }
}

/// The CID whose status never comes.
pub(super) const NEVER: u32 = 1_000_000;
/// The CID whose status makes the peer fall over.
pub(super) const PANIC: u32 = 1_000_001;
/// The CID that is refused.
pub(super) const REFUSED: u32 = 1_000_002;

fn now<'a, T: Send + 'a>(answer: T) -> Soon<'a, T> {
    std::future::ready(Ok(answer)).boxed()
}

impl Peer for Local {
    fn trusts(&self, _: &PeerId) -> bool {
        self.is_trusting
    }

    fn id(&self) -> Soon<'_, IdInfo> {
        now(Self::identity())
    }

    fn add_peer(&self, joining: PeerId) -> Soon<'_, IdInfo> {
        self.note(format!("add {joining}"));
        now(IdInfo { id: joining, ..Self::identity() })
    }

    fn remove_peer(&self, leaving: PeerId) -> Soon<'_, ()> {
        self.note(format!("remove {leaving}"));
        let words = "crdt consensus component cannot remove peers".to_owned();
        std::future::ready(Err(Refusal(words))).boxed()
    }

    fn version(&self) -> VersionInfo {
        VersionInfo { version: "0.1.0".to_owned() }
    }

    fn peers(&self) -> Items<IdInfo> {
        let (feed, list) = items(4);
        tokio::spawn(async move {
            feed.send(Self::identity()).await.unwrap();
            feed.send(IdInfo { id: peer(OTHER), ..Self::identity() }).await.unwrap();
            // Dropped without an end.
        });
        list
    }

    fn status(&self, asked: Cid) -> Soon<'_, PeerPin> {
        self.note(format!("status {asked}"));
        if asked == cid(REFUSED) {
            return std::future::ready(Err(Refusal("kubo is down".to_owned()))).boxed();
        }
        let running = self.run();
        async move {
            let _running = running;
            assert!(asked != cid(PANIC), "fell over, as it was asked to");
            if asked == cid(NEVER) {
                std::future::pending::<()>().await;
            }
            Ok(PeerPin { cid: asked, ..Self::pin(1) })
        }
        .boxed()
    }

    fn status_all(&self, filter: StatusFilter) -> Items<PeerPin> {
        self.note(format!("status of {}", filter.bits()));
        self.pins(filter)
    }

    fn recover(&self, asked: Cid) -> Soon<'_, PeerPin> {
        self.note(format!("recover {asked}"));
        now(PeerPin { cid: asked, ..Self::pin(2) })
    }

    fn recover_all(&self) -> Items<PeerPin> {
        self.pins(StatusFilter::parse("pin_error").unwrap())
    }

    fn collect(&self) -> Soon<'_, RepoGc> {
        let removed = RepoGcKey { key: Some(cid(1)), error: String::new() };
        let failed = RepoGcKey { key: None, error: "locked".to_owned() };
        let keys = vec![removed, failed];
        now(RepoGc { peer: peer(US), peername: "alpha".to_owned(), keys, error: String::new() })
    }

    fn repo_stat(&self) -> Soon<'_, IpfsRepoStat> {
        now(IpfsRepoStat { repo_size: 75_097, storage_max: 10_000_000_000 })
    }

    fn counted_repo(&self) -> Soon<'_, CountedRepo> {
        let (repo_size, storage_max) = (75_097, 10_000_000_000);
        now(CountedRepo { repo_size, storage_max, num_objects: 12, kubo: Some(peer(OTHER)) })
    }

    fn beside(&self, query: Query) -> Soon<'_, Beside> {
        self.note(format!("beside, below {}", query.above));
        let daemon = Daemon::Kubo { id: OTHER.to_string() };
        now(Beside { unsettled: [(PinStatus::Pinning, 2)].into(), pin: None, daemon })
    }

    fn swarm_peers(&self) -> Soon<'_, Vec<PeerId>> {
        now(vec![peer(OTHER)])
    }

    fn put_blocks(&self, mut blocks: Items<BlockPut>) -> Soon<'_, ()> {
        let running = self.run();
        async move {
            let _running = running;
            while let Some(block) = blocks.next().await? {
                if block.cid == cid(REFUSED) {
                    return Err(Refusal("no space left".to_owned()));
                }
                self.note(format!("block {} of {} bytes", block.cid, block.data.len()));
            }
            self.note("all blocks");
            Ok(())
        }
        .boxed()
    }

    fn log_pin(&self, pin: Pin) -> Soon<'_, ()> {
        self.note(format!("pin {} {}", pin.cid, pin.name));
        now(())
    }

    fn log_unpin(&self, pin: Pin) -> Soon<'_, ()> {
        self.note(format!("unpin {}", pin.cid));
        now(())
    }

    fn heads(&self) -> Soon<'_, Heads> {
        let heads = [&b"one"[..], b"two"].map(clusterd_core::pinset::codec::BlockId::of);
        now(Heads(heads.to_vec()))
    }

    fn states(&self, asked: Asked) -> Soon<'_, Reports> {
        self.note(format!("states of {}", asked.0.len()));
        let held = |cid| Report { cid, news: News::State(PeerState::Held { record: 1 }) };
        now(Reports(asked.0.into_iter().map(held).collect()))
    }

    fn watch(&self, _: PeerId) -> Items<Reports> {
        let (feed, list) = items(2);
        let running = self.run();
        tokio::spawn(async move {
            let _running = running;
            let lost = PeerState::Missing {
                lost: true,
                attempts: 1,
                error: "no space".to_owned(),
                is_away: false,
            };
            let lost = Report { cid: cid(1), news: News::State(lost) };
            let progress = Report { cid: cid(2), news: News::Progress { nodes: 3, bytes: 400 } };
            let first = feed.send(Reports(vec![lost, progress])).await;
            first.unwrap();
            std::future::pending::<()>().await;
        });
        list
    }
}
