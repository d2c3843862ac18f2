//! The network: announcements, fetches, who meets whom, and what of it goes wrong.

use clusterd_core::input::{Input, IpfsFailure, OpId};
use clusterd_core::pinset::codec::BlockId;

use crate::kubo::Asked;
use crate::report::Fault;
use crate::world::{Event, World};

impl World {
    /// Announces heads to everybody who can be reached.
    pub(crate) fn gossip(&mut self, from: usize, heads: &[BlockId]) {
        self.announced += 1;
        for head in heads {
            assert!(self.durable(from, head).is_some(), "announced before it was stored");
        }
        for to in 0..self.peers.len() {
            if to != from && self.is_reached(from, to) {
                self.send(to, heads);
            }
        }
    }

    /// One message, or none, or two.
    pub(crate) fn send(&mut self, to: usize, heads: &[BlockId]) {
        if !self.is_calm && self.chance.below(100) < self.climate.lost {
            return self.report.count(Fault::MessageLost);
        }
        let is_repeated = !self.is_calm && self.chance.below(100) < self.climate.repeated;
        if is_repeated {
            self.report.count(Fault::MessageRepeated);
        }
        for _ in 0..=u64::from(is_repeated) {
            let wait = if self.is_calm { 20 } else { self.chance.below(self.climate.late) };
            if wait > 2000 {
                self.report.count(Fault::MessageLate);
            }
            self.tell(to, wait, Input::HeadsSeen { heads: heads.to_vec(), asked: false });
        }
    }

    pub(crate) fn tell(&mut self, peer: usize, wait: u64, input: Input) {
        let (epoch, input) = (self.peers[peer].epoch, Box::new(input));
        self.after(wait, Event::Input { peer, epoch, input });
    }

    pub(crate) fn fetch(&mut self, peer: usize, id: BlockId) {
        let epoch = self.peers[peer].epoch;
        let is_slow = !self.is_calm && self.roll(20);
        if is_slow {
            self.report.count(Fault::FetchSlow);
            return self.tell(peer, 30_000, Input::BlockFailed { id });
        }
        let wait = 1 + self.chance.below(if self.is_calm { 20 } else { 400 });
        self.after(wait, Event::Fetch { peer, epoch, id });
    }

    /// Somebody who has the block serves it, a liar serves something, or nobody does.
    pub(crate) fn serve(&mut self, at: usize, id: BlockId) {
        let has_liar = self.climate.has_liars && !self.is_calm;
        if has_liar && self.roll(6) {
            self.report.count(Fault::BytesOfAnotherBlock);
            let bytes = self.wrong_bytes(at, &id);
            return self.feed(at, Input::BlockFetched { id, bytes });
        }
        let others = (0..self.peers.len()).filter(|to| *to != at && self.is_reached(at, *to));
        let serving: Vec<usize> = others.filter(|to| self.durable(*to, &id).is_some()).collect();
        let served = match self.chance.of(serving) {
            Some(from) => self.durable(from, &id),
            None => self.forged.get(&id).cloned(),
        };
        match served {
            Some(bytes) => self.feed(at, Input::BlockFetched { id, bytes }),
            None => {
                self.report.count(Fault::FetchFailed);
                self.tell(at, 1000, Input::BlockFailed { id });
            }
        }
    }

    /// A process started, or a partition ended.
    pub(crate) fn meet(&mut self, at: usize) {
        let others = (0..self.peers.len()).filter(|to| *to != at && self.is_reached(at, *to));
        for other in others.collect::<Vec<_>>() {
            for (to, of) in [(at, other), (other, at)] {
                self.tell(to, 10, Input::PeerCame);
                let heads = self.peers[of].node.as_ref().map(|node| node.heads().iter());
                let heads: Vec<BlockId> = heads.into_iter().flatten().map(|(id, _)| id).collect();
                // What is not durable yet is not told either.
                let is_stored = heads.iter().all(|id| self.durable(of, id).is_some());
                if self.climate.asks && is_stored {
                    self.tell(to, 30, Input::HeadsSeen { heads, asked: true });
                }
            }
        }
    }

    pub(crate) fn kubo_works(&mut self, peer: usize, op: OpId) {
        if !self.peers[peer].runs(op) {
            return;
        }
        let is_ill = self.climate.has_ill_kubos && !self.is_calm;
        if is_ill && self.roll(8) {
            return self.kubo_fails(peer, op);
        }
        match self.peers[peer].kubo.finish(op) {
            Some(input) => self.feed(peer, input),
            None => {
                let epoch = self.peers[peer].epoch;
                self.after(2000, Event::Kubo { peer, epoch, op });
            }
        }
    }

    fn kubo_fails(&mut self, peer: usize, op: OpId) {
        self.report.count(Fault::KuboFailed);
        let failure = match self.chance.below(3) {
            0 => IpfsFailure::Refused("no".to_owned()),
            1 => IpfsFailure::Unreachable("broke off".to_owned()),
            _ => IpfsFailure::Stalled("nothing came".to_owned()),
        };
        let was_done = self.roll(2);
        let kubo = &mut self.peers[peer].kubo;
        // It may have done it all the same.
        if was_done && !kubo.is_down {
            match kubo.asked[&op].clone() {
                Asked::Pin { cid, mode, name } => {
                    kubo.held.insert(cid, (mode, name));
                }
                Asked::Unpin { cid } => {
                    kubo.held.remove(&cid);
                }
            }
        }
        let input = kubo.fail(op, failure);
        self.feed(peer, input);
    }

    /// Something gets worse, or better.
    pub(crate) fn trouble(&mut self) {
        if self.is_calm {
            return;
        }
        let at = self.index(self.peers.len());
        match self.chance.below(6) {
            0 if self.climate.has_partitions => {
                self.report.count(Fault::Partition);
                let parts = 1 + self.chance.below(3);
                let groups = (0..self.peers.len()).map(|_| self.chance.below(parts)).collect();
                self.groups = groups;
                self.meet(at);
                self.listen();
            }
            1 if self.climate.has_full_disks => {
                if let Some(node) = &self.peers[at].node {
                    node.store().fill(!node.store().is_full());
                }
            }
            2 if self.climate.has_ill_kubos => {
                let kubo = &mut self.peers[at].kubo;
                kubo.is_down = !kubo.is_down;
                self.report.count(Fault::KuboAway);
            }
            3 | 4 if self.climate.has_liars => self.lie(),
            5 if self.climate.crashes > 0 && self.peers[at].node.is_some() => {
                self.crash(at, Fault::CrashBeforeCommit);
            }
            _ => {}
        }
        let wait = self.chance.below(4000);
        self.after(wait, Event::Trouble);
    }

    /// From now on all is well.
    pub(crate) fn calm_down(&mut self) {
        self.is_calm = true;
        self.groups.fill(0);
        for at in 0..self.peers.len() {
            self.peers[at].kubo.is_down = false;
            self.peers[at].kubo.dead.clear();
            if let Some(node) = &self.peers[at].node {
                node.store().fill(false);
            }
            self.start(at);
        }
        self.listen();
        for at in 0..self.peers.len() {
            self.tell(at, 10, Input::PeerCame);
        }
    }
}
