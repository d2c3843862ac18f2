//! One peer of a world: its node, its disk, its Kubo, and who waits there.

use std::collections::BTreeMap;

use clusterd_core::config::NodeConfig;
use clusterd_core::effect::Effect;
use clusterd_core::input::{OpId, Time, WaiterId};
use clusterd_core::node::Node;
use common::ids::PeerId;

use crate::disk::Disk;
use crate::kubo::Kubo;

/// A request that waits for its final answer.
#[derive(Clone)]
pub(crate) struct Asked {
    /// Number among all requests of the world.
    pub(crate) number: u64,
    /// What was asked, for whoever reads of a failure.
    pub(crate) what: String,
    /// Pins that are new records, if the answer says that they were accepted.
    pub(crate) pins: Vec<common::ids::Cid>,
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

pub(crate) struct Peer {
    pub(crate) config: NodeConfig,
    /// `None` while the process does not run.
    pub(crate) node: Option<Node<Disk>>,
    /// What outlives the process.
    pub(crate) disk: Disk,
    pub(crate) kubo: Kubo,
    /// Counts the starts: what was meant for an earlier process reaches nobody.
    pub(crate) epoch: u64,
    /// Effects that wait for the commit.
    pub(crate) held: Vec<Effect>,
    pub(crate) wake_at: Option<Time>,
    pub(crate) commit_at: Option<Time>,
    /// When others are asked next, and after what wait.
    pub(crate) ask: Option<(Time, u64)>,
    pub(crate) open: BTreeMap<WaiterId, Asked>,
    /// What those who listen are told of its Kubo; of the process alone.
    pub(crate) away: Option<String>,
    /// Commits that had something to write.
    pub(crate) commits: u64,
}

impl Peer {
    pub(crate) fn new(number: usize, batch_age: u64) -> Self {
        let mut config = NodeConfig::new(id(number));
        // Within the time that a world gets to heal.
        config.retry_after = 5000;
        config.retry_after_max = 40_000;
        config.batch_age = batch_age;
        config.batch_pins = 5;
        Self {
            config,
            node: None,
            away: None,
            disk: Disk::default(),
            kubo: Kubo::default(),
            epoch: 0,
            held: Vec::new(),
            wake_at: None,
            commit_at: None,
            ask: None,
            open: BTreeMap::new(),
            commits: 0,
        }
    }

    /// The process runs from now on.
    pub(crate) fn start(&mut self, now: Time) -> Vec<Effect> {
        let (node, effects) = Node::open(self.disk.clone(), self.config.clone(), now).unwrap();
        self.node = Some(node);
        effects
    }

    /// The process is gone: the open batch and all that waits are lost, Kubo lives on.
    pub(crate) fn stop(&mut self) {
        let Some(node) = self.node.take() else { return };
        self.disk = node.store().clone();
        clusterd_core::store::Store::rollback(&mut self.disk);
        self.epoch += 1;
        self.break_off();
        self.wake_at = None;
        self.ask = None;
        self.away = None;
    }

    /// Kubo's calls end, and nobody waits any more.
    pub(crate) fn break_off(&mut self) {
        self.kubo.asked.clear();
        (self.kubo.probes, self.kubo.audits) = (0, 0);
        self.open.clear();
        self.held.clear();
        self.commit_at = None;
    }

    /// Whether Kubo still works on an operation.
    pub(crate) fn runs(&self, op: OpId) -> bool {
        self.kubo.asked.contains_key(&op)
    }
}

/// The id of a made-up ed25519 key: identity multihash of key type and 32 bytes.
pub(crate) fn id(number: usize) -> PeerId {
    let digest = [u8::try_from(number + 1).unwrap(); 32];
    PeerId::decode(&[&[0, 36, 8, 1, 18, 32], digest.as_slice()].concat()).unwrap()
}
