//! Real swarms on the loopback interface.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::ids::PeerId;
use libp2p::identity::Keypair;
use multiaddr::Multiaddr;
use tempfile::TempDir;

use super::blocks::Blocks;
use super::*;
use crate::config::Trusted;

mod blocks;
mod dht;
mod gossip;
mod peers;
pub(super) mod raw;
mod recorded;

const SECRET: [u8; 32] = [7; 32];

/// Longest wait for anything, on a machine that does much else.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for a condition without a notification of its own.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    let whole = async {
        while !holds() {
            look.tick().await;
        }
    };
    within(what, whole).await;
}

pub(super) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, work).await {
        Ok(done) => done,
        Err(_) => panic!("{what} did not happen in {DEADLINE:?}"),
    }
}

/// Blocks of one peer.
#[derive(Default)]
struct Shelf(Mutex<BTreeMap<BlockId, Vec<u8>>>);

impl Shelf {
    fn put(&self, bytes: &[u8]) -> BlockId {
        let id = BlockId::of(bytes);
        self.0.lock().unwrap().insert(id, bytes.to_vec());
        id
    }
}

impl Blocks for Shelf {
    fn block(&self, id: &BlockId) -> Option<Vec<u8>> {
        self.0.lock().unwrap().get(id).cloned()
    }

    fn has(&self, id: &BlockId) -> bool {
        self.0.lock().unwrap().contains_key(id)
    }
}

/// A peer under test, with its files.
struct Peer {
    started: Started,
    directory: TempDir,
    config: NetConfig,
    blocks: Arc<Shelf>,
}

fn config(directory: &TempDir) -> NetConfig {
    NetConfig {
        keypair: Keypair::generate_ed25519(),
        secret: SECRET,
        cluster_name: "ipfs-cluster".to_owned(),
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
        announce: Vec::new(),
        bootstrap: Vec::new(),
        trusted: Trusted::Everyone,
        peerstore: directory.path().join("peerstore"),
        connections_max: 100,
        mdns: false,
        dht: false,
        fetch_timeout: Duration::from_secs(120),
    }
}

impl Peer {
    /// Starts a peer and waits until it listens.
    async fn start(change: impl FnOnce(&mut NetConfig)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = config(&directory);
        change(&mut config);
        Self::with(config, directory).await
    }

    async fn with(config: NetConfig, directory: TempDir) -> Self {
        let blocks = Arc::<Shelf>::default();
        let served: Arc<dyn Blocks> = blocks.clone();
        let started = start(config.clone(), served).unwrap();
        let net = started.net.clone();
        until("listening", || config.listen.is_empty() || !net.own_addresses().is_empty()).await;
        Self { started, directory, config, blocks }
    }

    /// A peer that connects to others first.
    async fn beside(others: &[&Self]) -> Self {
        let bootstrap = others.iter().map(|other| other.address()).collect();
        Self::start(|config| config.bootstrap = bootstrap).await
    }

    fn net(&self) -> &Net {
        &self.started.net
    }

    fn id(&self) -> PeerId {
        self.net().me()
    }

    fn address(&self) -> Multiaddr {
        self.net().own_addresses().remove(0)
    }

    /// Takes events until one fits.
    async fn event<T>(&mut self, what: &str, mut fit: impl FnMut(NetEvent) -> Option<T>) -> T {
        let events = &mut self.started.events;
        let found = async {
            loop {
                if let Some(found) = fit(events.recv().await.unwrap()) {
                    return found;
                }
            }
        };
        within(what, found).await
    }

    async fn connected_to(&mut self, peer: PeerId) {
        self.event("a connection", |event| (event == NetEvent::Connected { peer }).then_some(()))
            .await;
    }

    async fn subscribed_by(&mut self, peer: PeerId) {
        self.event("a subscription", |event| {
            (event == NetEvent::Subscribed { peer }).then_some(())
        })
        .await;
    }

    /// Stops it, and returns what is needed to start it again.
    async fn stop(self) -> (NetConfig, TempDir) {
        self.started.net.stop().await;
        within("the end of the network", self.started.task).await.unwrap();
        (self.config, self.directory)
    }
}

/// Heads that no other test announces.
fn heads(text: &str) -> Vec<BlockId> {
    vec![BlockId::of(text.as_bytes())]
}
