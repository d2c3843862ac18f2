//! The node's owner: batches, commits, time, crashes; and what was answered to whom.

use std::collections::{BTreeMap, BTreeSet};

use clusterd_core::config::NodeConfig;
use clusterd_core::effect::{Answer, Effect, PeerPinStatus};
use clusterd_core::input::{Input, PinCall, PinRequest, Time, Until, WaiterId};
use clusterd_core::node::Node;
use clusterd_core::pinset::key::PinKey;
use clusterd_core::pinset::pin_row::PinRow;
use clusterd_core::store::{Entry, MemoryStore, Space, Store, StoreError};
use common::ids::{Cid, RequestId};
use common::pin::{FastProvide, Pin, PinMode};

use crate::kubo::Kubo;

pub(crate) const PEER: &str = "12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt";

/// A store whose next commit may find the disk full.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    pub(crate) memory: MemoryStore,
    pub(crate) is_full: bool,
}

impl Store for Disk {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory.get(space, key)
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.memory.scan(space, prefix, after, limit)
    }

    fn put(&mut self, space: Space, key: Vec<u8>, value: Vec<u8>) {
        self.memory.put(space, key, value);
    }

    fn delete(&mut self, space: Space, key: Vec<u8>) {
        self.memory.delete(space, key);
    }

    fn is_dirty(&self) -> bool {
        self.memory.is_dirty()
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        if self.is_full && self.is_dirty() {
            self.memory.rollback();
            return Err(StoreError::Full { attempt: "commit" });
        }
        self.memory.commit()
    }

    fn rollback(&mut self) {
        self.memory.rollback();
    }
}

/// Everything together. Time moves only when told.
pub(crate) struct World {
    pub(crate) config: NodeConfig,
    pub(crate) node: Node<Disk>,
    pub(crate) kubo: Kubo,
    pub(crate) now: Time,
    pub(crate) answers: BTreeMap<WaiterId, Vec<Answer>>,
    /// Asked, and neither answered nor cut off by a crash.
    pub(crate) open: BTreeSet<WaiterId>,
    pub(crate) disk_is_full: bool,
    /// Whether the last input changed anything on disk.
    pub(crate) wrote: bool,
    next_waiter: u64,
}

pub(crate) fn cid(number: u64) -> Cid {
    use multihash_codetable::{Code, MultihashDigest};
    cid::Cid::new_v1(0x70, Code::Sha2_256.digest(&number.to_be_bytes())).into()
}

pub(crate) fn request(cid: Cid) -> PinRequest {
    PinRequest {
        cid,
        mode: PinMode::Recursive,
        name: None,
        replication: None,
        user_allocations: Vec::new(),
        metadata: BTreeMap::new(),
        origins: Vec::new(),
        expires_at: None,
        update_from: None,
        local: false,
        provide: FastProvide::default(),
    }
}

/// Waits without limit.
pub(crate) const DONE: Until = Until::Done { deadline: None };

impl World {
    pub(crate) fn new() -> Self {
        Self::with(NodeConfig::new(PEER.parse().unwrap()))
    }

    pub(crate) fn with(config: NodeConfig) -> Self {
        let now = Time(1_000_000_000_000);
        let (node, effects) = Node::open(Disk::default(), config.clone(), now).unwrap();
        let mut world = Self {
            config,
            node,
            kubo: Kubo::default(),
            now,
            answers: BTreeMap::new(),
            open: BTreeSet::new(),
            disk_is_full: false,
            wrote: false,
            next_waiter: 0,
        };
        world.release(effects);
        world
    }

    pub(crate) fn waiter(&mut self) -> WaiterId {
        self.next_waiter += 1;
        let waiter = WaiterId(self.next_waiter);
        self.open.insert(waiter);
        waiter
    }

    /// One batch: all or nothing.
    pub(crate) fn batch(&mut self, inputs: Vec<Input>) {
        let mut effects = Vec::new();
        for input in inputs {
            effects.extend(self.node.handle(input, self.now).unwrap());
        }
        let blocks = self.rows(Space::Blocks).len();
        self.wrote = self.node.store().is_dirty();
        // The disk fills up between two commits, so the store itself is swapped in place.
        if self.disk_is_full && self.wrote {
            self.fail_commit();
            return;
        }
        let told = self.node.commit().unwrap();
        assert!(self.rows(Space::Blocks).len() <= blocks + 1, "one block a batch");
        self.release(effects);
        self.release(told);
    }

    /// What the owner does when a commit fails: breaks off Kubo's calls, answers all, reloads.
    fn fail_commit(&mut self) {
        self.kubo.asked.clear();
        (self.kubo.probes, self.kubo.audits) = (0, 0);
        self.open.clear();
        let effects = self.node.rollback(self.now).unwrap();
        self.release(effects);
    }

    fn release(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::Answer { waiter, answer } = effect {
                assert!(self.open.contains(&waiter), "{waiter:?} has its final answer already");
                if answer.is_final() {
                    self.open.remove(&waiter);
                }
                self.answers.entry(waiter).or_default().push(answer);
            } else {
                self.kubo.take(effect);
            }
        }
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.batch(vec![input]);
    }

    /// The process dies and starts again; the open batch is lost, Kubo lives on.
    pub(crate) fn crash(&mut self) {
        let mut disk = self.node.store().clone();
        disk.rollback();
        self.kubo.asked.clear();
        (self.kubo.probes, self.kubo.audits) = (0, 0);
        self.open.clear();
        let (node, effects) = Node::open(disk, self.config.clone(), self.now).unwrap();
        self.node = node;
        self.release(effects);
    }

    /// Lets time pass, waking the node when it asks to be woken.
    pub(crate) fn pass(&mut self, millis: u64) {
        let end = self.now.plus_millis(millis);
        // A node that wakes for nothing would never get through an hour.
        for _ in 0..100_000 {
            let Some(wake) = self.node.next_wake().filter(|wake| *wake <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(wake);
            self.input(Input::Tick);
        }
        panic!("the node keeps waking up");
    }

    /// Kubo does all it was asked to and can do, until there is nothing more to do at this moment.
    pub(crate) fn settle(&mut self) {
        loop {
            let before = self.kubo.calls;
            for op in self.kubo.asked.keys().copied().collect::<Vec<_>>() {
                if let Some(input) = self.kubo.finish(op) {
                    self.input(input);
                }
            }
            self.answer_probes_and_audits();
            self.pass(0);
            if self.kubo.calls == before && self.kubo.probes + self.kubo.audits == 0 {
                return;
            }
        }
    }

    pub(crate) fn answer_probes_and_audits(&mut self) {
        while self.kubo.probes > 0 {
            self.kubo.probes -= 1;
            let alive = !self.kubo.is_down;
            self.input(Input::IpfsProbed { alive });
        }
        while self.kubo.audits > 0 {
            for input in self.kubo.audit() {
                self.input(input);
            }
        }
    }

    pub(crate) fn pin(&mut self, pins: Vec<PinRequest>, until: Until) -> WaiterId {
        let waiter = self.waiter();
        self.input(Input::Pin { waiter, call: None, pins, until });
        waiter
    }

    /// A call with this number, made (again) by somebody who was, or was not, told of its success.
    pub(crate) fn call(&mut self, id: u128, accepted: bool, pins: Vec<PinRequest>) -> WaiterId {
        let waiter = self.waiter();
        let call = Some(PinCall { id: RequestId::from_bits(id), accepted });
        self.input(Input::Pin { waiter, call, pins, until: Until::Done { deadline: None } });
        waiter
    }

    pub(crate) fn unpin(&mut self, cids: Vec<Cid>, until: Until) -> WaiterId {
        let waiter = self.waiter();
        self.input(Input::Unpin { waiter, request: None, cids, recursive: true, until });
        waiter
    }

    /// The final answer.
    pub(crate) fn answer(&self, waiter: WaiterId) -> Option<&Answer> {
        self.answers.get(&waiter)?.last().filter(|answer| answer.is_final())
    }

    pub(crate) fn is_done(&self, waiter: WaiterId) -> bool {
        matches!(self.answer(waiter), Some(Answer::Done { .. }))
    }

    /// The words of a refusal.
    pub(crate) fn refusal(&self, waiter: WaiterId) -> String {
        match self.answer(waiter) {
            Some(Answer::Refused(refusal)) => refusal.to_string(),
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(crate) fn status(&mut self, cid: Cid) -> (Option<Pin>, PeerPinStatus) {
        let waiter = self.waiter();
        self.input(Input::Status { waiter, cid });
        match self.answer(waiter) {
            Some(Answer::Status { pin, peers }) => {
                (pin.as_deref().cloned(), peers.first().unwrap().clone())
            }
            other => panic!("no status: {other:?}"),
        }
    }

    pub(crate) fn rows(&self, space: Space) -> Vec<Entry> {
        self.node.store().scan(space, &[], None, usize::MAX).unwrap()
    }

    /// The pinset as it is on disk.
    pub(crate) fn pins(&self) -> BTreeMap<Cid, Pin> {
        let rows = self.rows(Space::Pins).into_iter();
        rows.map(|(key, row)| {
            let pin = PinRow::parse(&row).unwrap().pin(&key).unwrap();
            (pin.cid, pin)
        })
        .collect()
    }

    /// Pins that count as held: in the pinset, and nothing unsettled.
    pub(crate) fn settled(&self) -> BTreeMap<Cid, Pin> {
        let unsettled: BTreeSet<Vec<u8>> =
            self.rows(Space::Unsettled).into_iter().map(|(key, _)| key).collect();
        let is_settled = |cid: &Cid| !unsettled.contains(PinKey::from_cid(cid).as_bytes());
        self.pins().into_iter().filter(|(cid, _)| is_settled(cid)).collect()
    }
}
