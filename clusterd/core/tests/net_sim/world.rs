//! Time, events and processes of a world. One number decides all that happens in it.

use std::collections::{BTreeMap, BTreeSet};

use clusterd_core::effect::{Answer, Effect, Refusal};
use clusterd_core::input::{Input, OpId, Time, WaiterId};
use clusterd_core::pinset::codec::BlockId;
use clusterd_core::store::{Space, Store};
use common::ids::Cid;

use crate::chance::Chance;
use crate::peer::{Asked, Peer};
use crate::report::{Fault, Report};

/// What may happen, and when.
#[derive(Debug)]
pub(crate) enum Event {
    Input { peer: usize, epoch: u64, input: Input },
    Wake { peer: usize, epoch: u64 },
    Commit { peer: usize, epoch: u64 },
    Start { peer: usize },
    Fetch { peer: usize, epoch: u64, id: BlockId },
    Kubo { peer: usize, epoch: u64, op: OpId },
    Probe { peer: usize, epoch: u64 },
    Audit { peer: usize, epoch: u64 },
    /// A client does something.
    Act,
    /// Something goes wrong, or well again.
    Trouble,
}

/// How bad a world is.
#[derive(Debug, Clone)]
pub(crate) struct Climate {
    /// Of a hundred messages.
    pub(crate) lost: u64,
    pub(crate) repeated: u64,
    /// Longest delay of a message, in milliseconds.
    pub(crate) late: u64,
    /// Of a thousand commits or effects.
    pub(crate) crashes: u64,
    pub(crate) has_partitions: bool,
    pub(crate) has_full_disks: bool,
    pub(crate) has_liars: bool,
    pub(crate) has_ill_kubos: bool,
    /// Whether a peer that connects is asked for its heads.
    pub(crate) asks: bool,
    pub(crate) batch_age: u64,
}

impl Climate {
    fn of(chance: &mut Chance) -> Self {
        let mut is = |of: u64| chance.below(of) == 0;
        let (has_partitions, has_full_disks) = (is(2), is(3));
        let (has_liars, has_ill_kubos, asks, batches) = (is(3), is(3), is(2), is(4));
        Self {
            lost: chance.below(4) * 10,
            repeated: chance.below(3) * 10,
            late: [20, 300, 3000, 15_000][usize::try_from(chance.below(4)).unwrap()],
            crashes: chance.below(3) * 8,
            has_partitions,
            has_full_disks,
            has_liars,
            has_ill_kubos,
            asks,
            batch_age: if batches { 1500 } else { 0 },
        }
    }
}

pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) chance: Chance,
    pub(crate) climate: Climate,
    /// Nothing goes wrong any more.
    pub(crate) is_calm: bool,
    pub(crate) peers: Vec<Peer>,
    /// Peers with the same number reach each other.
    pub(crate) groups: Vec<u64>,
    /// Blocks that liars made.
    pub(crate) forged: BTreeMap<BlockId, Vec<u8>>,
    pub(crate) report: Report,
    /// Requests so far.
    pub(crate) requests: u64,
    /// Number of the newest request that wrote a pin and was told so.
    pub(crate) accepted: BTreeMap<Cid, u64>,
    /// Number of the newest request that may have unpinned.
    pub(crate) unpinned: BTreeMap<Cid, u64>,
    pub(crate) acts_left: u64,
    events: BTreeMap<(Time, u64), Event>,
    sequence: u64,
}

impl World {
    pub(crate) fn new(seed: u64, size: Option<usize>, acts: u64) -> Self {
        let mut chance = Chance::of_seed(seed);
        let climate = Climate::of(&mut chance);
        let size = size.unwrap_or_else(|| usize::try_from(3 + chance.below(4)).unwrap());
        let peers: Vec<Peer> = (0..size).map(|n| Peer::new(n, climate.batch_age)).collect();
        let report = Report { worlds: 1, peers: size as u64, ..Report::default() };
        let mut world = Self {
            now: Time(1_700_000_000_000),
            chance,
            climate,
            is_calm: false,
            peers,
            groups: vec![0; size],
            forged: BTreeMap::new(),
            report,
            requests: 0,
            accepted: BTreeMap::new(),
            unpinned: BTreeMap::new(),
            acts_left: acts,
            events: BTreeMap::new(),
            sequence: 0,
        };
        for peer in 0..size {
            // Some come late, and find a history.
            let late = if world.roll(4) { world.chance.below(60_000) } else { 0 };
            world.after(late, Event::Start { peer });
        }
        world.after(10, Event::Act);
        world.after(10, Event::Trouble);
        world
    }

    /// True once in so many times.
    pub(crate) fn roll(&mut self, of: u64) -> bool {
        self.chance.below(of) == 0
    }

    pub(crate) fn index(&mut self, of: usize) -> usize {
        usize::try_from(self.chance.below(of as u64)).unwrap()
    }

    pub(crate) fn after(&mut self, millis: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now.plus_millis(millis), self.sequence), event);
    }

    pub(crate) fn is_reached(&self, from: usize, to: usize) -> bool {
        self.groups[from] == self.groups[to] && self.peers[to].node.is_some()
    }

    pub(crate) fn running(&self) -> Vec<usize> {
        (0..self.peers.len()).filter(|at| self.peers[*at].node.is_some()).collect()
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, millis: u64) {
        let end = self.now.plus_millis(millis);
        while let Some(first) = self.events.first_entry() {
            if first.key().0 > end {
                break;
            }
            let ((time, _), event) = first.remove_entry();
            self.now = time;
            self.take(event);
        }
        self.now = end;
    }

    /// Everything goes wrong until the clients are done; then nothing does any more.
    pub(crate) fn live(&mut self) {
        while self.acts_left > 0 {
            self.pass(1000);
        }
        self.calm_down();
    }

    fn is_current(&self, peer: usize, epoch: u64) -> bool {
        self.peers[peer].node.is_some() && self.peers[peer].epoch == epoch
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Input { peer, epoch, input } if self.is_current(peer, epoch) => {
                self.feed(peer, input);
            }
            Event::Wake { peer, epoch } if self.is_current(peer, epoch) => {
                if self.peers[peer].wake_at == Some(self.now) {
                    self.peers[peer].wake_at = None;
                    self.feed(peer, Input::Tick);
                }
            }
            Event::Commit { peer, epoch } if self.is_current(peer, epoch) => {
                if self.peers[peer].commit_at == Some(self.now) {
                    self.commit(peer);
                }
            }
            Event::Fetch { peer, epoch, id } if self.is_current(peer, epoch) => {
                self.serve(peer, id);
            }
            Event::Kubo { peer, epoch, op } if self.is_current(peer, epoch) => {
                self.kubo_works(peer, op);
            }
            Event::Probe { peer, epoch } if self.is_current(peer, epoch) => {
                let kubo = &mut self.peers[peer].kubo;
                // A rollback breaks probes off.
                if kubo.probes > 0 {
                    kubo.probes -= 1;
                    let alive = !kubo.is_down;
                    self.feed(peer, Input::IpfsProbed { alive });
                }
            }
            Event::Audit { peer, epoch } if self.is_current(peer, epoch) => {
                if self.peers[peer].kubo.audits == 0 {
                    return;
                }
                for input in self.peers[peer].kubo.audit() {
                    // The first may have brought the process down.
                    if self.is_current(peer, epoch) {
                        self.feed(peer, input);
                    }
                }
            }
            Event::Start { peer } => self.start(peer),
            Event::Act => self.act(),
            Event::Trouble => self.trouble(),
            Event::Input { .. }
            | Event::Wake { .. }
            | Event::Commit { .. }
            | Event::Fetch { .. }
            | Event::Kubo { .. }
            | Event::Probe { .. }
            | Event::Audit { .. } => {}
        }
    }

    pub(crate) fn start(&mut self, at: usize) {
        if self.peers[at].node.is_some() {
            return;
        }
        self.peers[at].disk.fill(false);
        let effects = self.peers[at].start(self.now);
        self.release(at, effects);
        if self.peers[at].node.is_some() {
            self.plan_wake(at);
            self.meet(at);
        }
    }

    pub(crate) fn crash(&mut self, at: usize, fault: Fault) {
        self.report.count(fault);
        self.peers[at].stop();
        let down = if self.roll(2) { 0 } else { self.chance.below(20_000) };
        self.after(down, Event::Start { peer: at });
    }

    /// Gives an input to a node; commits when that is due.
    pub(crate) fn feed(&mut self, at: usize, input: Input) {
        let (now, peer) = (self.now, &mut self.peers[at]);
        let Some(node) = &mut peer.node else { return };
        peer.held.append(&mut node.handle(input, now).unwrap());
        match node.batch_due().filter(|due| *due > now) {
            Some(due) => {
                let epoch = peer.epoch;
                if peer.commit_at.is_none_or(|at| due < at) {
                    peer.commit_at = Some(due);
                    let wait = due.0 - now.0;
                    self.after(wait, Event::Commit { peer: at, epoch });
                }
            }
            None => self.commit(at),
        }
        self.plan_wake(at);
    }

    fn commit(&mut self, at: usize) {
        if self.has_bad_luck() {
            return self.crash(at, Fault::CrashBeforeCommit);
        }
        let (now, peer) = (self.now, &mut self.peers[at]);
        peer.commit_at = None;
        let Some(node) = &mut peer.node else { return };
        let mut effects = match node.commit() {
            Ok(mut told) => {
                let mut effects = std::mem::take(&mut peer.held);
                effects.append(&mut told);
                effects
            }
            Err(_) => {
                let effects = node.rollback(now).unwrap();
                peer.break_off();
                self.report.count(Fault::CommitFailed);
                effects
            }
        };
        self.release(at, std::mem::take(&mut effects));
    }

    fn has_bad_luck(&mut self) -> bool {
        !self.is_calm && self.climate.crashes > 0 && self.chance.below(1000) < self.climate.crashes
    }

    fn release(&mut self, at: usize, effects: Vec<Effect>) {
        for effect in effects {
            if self.has_bad_luck() {
                return self.crash(at, Fault::CrashBetweenEffects);
            }
            self.happen(at, effect);
        }
    }

    pub(crate) fn plan_wake(&mut self, at: usize) {
        let (now, peer) = (self.now, &mut self.peers[at]);
        let Some(wake) = peer.node.as_ref().and_then(|node| node.next_wake()) else { return };
        let wake = wake.max(now.plus_millis(1));
        if peer.wake_at.is_none_or(|before| wake < before) {
            peer.wake_at = Some(wake);
            let epoch = peer.epoch;
            self.after(wake.0 - now.0, Event::Wake { peer: at, epoch });
        }
    }

    fn happen(&mut self, peer: usize, effect: Effect) {
        let epoch = self.peers[peer].epoch;
        match effect {
            Effect::Answer { waiter, answer } => self.answered(peer, waiter, &answer),
            Effect::IpfsPin { op, .. } | Effect::IpfsUnpin { op, .. } => {
                self.peers[peer].kubo.take(effect);
                let work = self.chance.below(2000);
                self.after(work, Event::Kubo { peer, epoch, op });
            }
            // One that ended while the effect waited for the commit is nobody's any more.
            Effect::IpfsCancel { op } => {
                if self.peers[peer].runs(op) {
                    self.peers[peer].kubo.take(effect);
                }
            }
            Effect::IpfsProbe => {
                self.peers[peer].kubo.take(effect);
                self.after(50, Event::Probe { peer, epoch });
            }
            Effect::IpfsAudit => {
                self.peers[peer].kubo.take(effect);
                self.after(500, Event::Audit { peer, epoch });
            }
            Effect::FetchBlock { id } => self.fetch(peer, id),
            Effect::Broadcast { heads } => self.gossip(peer, &heads),
        }
    }

    fn answered(&mut self, at: usize, waiter: WaiterId, answer: &Answer) {
        if !answer.is_final() {
            return;
        }
        let asked = self.peers[at].open.remove(&waiter);
        let Asked { number, pins, .. } = asked.expect("a waiter got a second final answer");
        let is_accepted = match answer {
            Answer::Done { .. } | Answer::Imported { .. } => true,
            Answer::Refused(Refusal::PinFailed { .. } | Refusal::DeadlineExceeded) => true,
            Answer::Refused(_) => false,
            other => panic!("{other:?}"),
        };
        if is_accepted {
            for cid in pins {
                let newest = self.accepted.entry(cid).or_default();
                *newest = number.max(*newest);
            }
        }
    }

    /// Ids of all blocks that a peer has on its disk.
    pub(crate) fn blocks_of(&self, at: usize) -> BTreeSet<BlockId> {
        let node = self.peers[at].node.as_ref().unwrap();
        let rows = node.store().rows(Space::Blocks).into_iter();
        rows.map(|(digest, _)| BlockId::from_digest(&digest).unwrap()).collect()
    }

    /// A block as it is durable at a peer.
    pub(crate) fn durable(&self, at: usize, id: &BlockId) -> Option<Vec<u8>> {
        let store = self.peers[at].node.as_ref()?.store();
        if !store.is_dirty() {
            return clusterd_core::pinset::set::block_bytes(store, id).unwrap();
        }
        let mut durable = store.clone();
        durable.rollback();
        clusterd_core::pinset::set::block_bytes(&durable, id).unwrap()
    }
}
