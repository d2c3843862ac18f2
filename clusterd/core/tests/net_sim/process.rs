//! How a process runs: inputs, commits, effects, and the crashes between any two of them.

use clusterd_core::effect::{Answer, Effect, Refusal};
use clusterd_core::input::{Input, WaiterId};

use crate::peer::Asked;
use crate::report::Fault;
use crate::world::{Event, World};

impl World {
    pub(crate) fn start(&mut self, at: usize) {
        if self.peers[at].node.is_some() {
            return;
        }
        self.peers[at].disk.fill(false);
        let effects = self.peers[at].start(self.now);
        self.release(at, effects);
        if self.peers[at].node.is_some() {
            self.plan_wake(at);
            if self.is_introduced {
                self.introduce(at);
            }
            self.meet(at);
            self.listen();
        }
    }

    pub(crate) fn crash(&mut self, at: usize, fault: Fault) {
        self.report.count(fault);
        self.peers[at].stop();
        self.listening.retain(|(listener, of)| *listener != at && *of != at);
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

    pub(crate) fn commit(&mut self, at: usize) {
        if self.has_bad_luck() {
            return self.crash(at, Fault::CrashBeforeCommit);
        }
        let (now, peer) = (self.now, &mut self.peers[at]);
        peer.commit_at = None;
        let Some(node) = &mut peer.node else { return };
        peer.commits += u64::from(clusterd_core::store::Store::is_dirty(node.store()));
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
            Effect::TellState { .. }
            | Effect::TellAway { .. }
            | Effect::TellProgress { .. }
            | Effect::AskOthers
            | Effect::ListenAnew
            | Effect::RecoverAt { .. } => self.happen_elsewhere(peer, effect),
        }
    }

    fn answered(&mut self, at: usize, waiter: WaiterId, answer: &Answer) {
        if !answer.is_final() {
            return;
        }
        self.answers.insert(waiter, answer.clone());
        let asked = self.peers[at].open.remove(&waiter);
        let Asked { number, pins, .. } = asked.expect("a waiter got a second final answer");
        let is_accepted = match answer {
            Answer::Done { .. } | Answer::Imported { .. } | Answer::Recovering { .. } => true,
            Answer::Refused(Refusal::PinFailed { .. } | Refusal::DeadlineExceeded) => true,
            Answer::Refused(_) => false,
            other @ (Answer::Progress { .. }
            | Answer::Status { .. }
            | Answer::Operations { .. }
            | Answer::History { .. }
            | Answer::Repin(_)
            | Answer::Members(_)) => panic!("{other:?}"),
        };
        if is_accepted {
            for cid in pins {
                let newest = self.accepted.entry(cid).or_default();
                *newest = number.max(*newest);
            }
        }
    }
}
