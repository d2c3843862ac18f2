//! What clients do: pin, unpin, update and import, at any peer.

use clusterd_core::input::{Input, PinRequest, Until, WaiterId};
use common::ids::Cid;
use common::pin::{FastProvide, Pin, PinMode, Replication};
use std::collections::BTreeMap;

use crate::peer::{self, Asked};
use crate::world::{Event, World};

/// Few, so that changes meet.
const CIDS: u64 = 7;
/// Pins that go away by themselves are others, so that those never should.
const EXPIRING: u64 = 100;

pub(crate) fn cid(number: u64) -> Cid {
    use multihash_codetable::{Code, MultihashDigest};
    cid::Cid::new_v1(0x70, Code::Sha2_256.digest(&number.to_be_bytes())).into()
}

impl World {
    /// A client does something somewhere, and the next one follows.
    pub(crate) fn act(&mut self) {
        self.acts_left = self.acts_left.saturating_sub(1);
        if self.is_calm {
            return;
        }
        let running = self.running();
        // Changes often come in bursts, at different peers.
        for _ in 0..=self.chance.below(3) {
            if let Some(at) = self.chance.of(running.clone()) {
                self.request(at);
            }
        }
        let wait = if self.roll(3) { 0 } else { self.chance.below(4000) };
        self.after(wait, Event::Act);
    }

    fn request(&mut self, at: usize) {
        if self.peers[at].node.is_none() {
            return;
        }
        self.requests += 1;
        self.report.requests += 1;
        let waiter = WaiterId(self.requests);
        let (input, pins, unpins) = match self.chance.below(12) {
            0..=5 => self.pin(waiter),
            6..=8 => self.unpin(waiter),
            9 => self.update(waiter),
            _ => self.import(waiter),
        };
        for cid in unpins {
            self.unpinned.insert(cid, self.requests);
        }
        let what = format!("{input:?}");
        self.peers[at].open.insert(waiter, Asked { number: self.requests, what, pins });
        self.feed(at, input);
    }

    fn until(&mut self) -> Until {
        match self.chance.below(3) {
            0 => Until::Accepted,
            1 => Until::Done { deadline: None },
            _ => Until::Done { deadline: Some(self.now.plus_millis(5000)) },
        }
    }

    fn any_cid(&mut self) -> Cid {
        cid(self.chance.below(CIDS))
    }

    fn pin(&mut self, waiter: WaiterId) -> (Input, Vec<Cid>, Vec<Cid>) {
        let mut pins = Vec::new();
        let mut written = Vec::new();
        for _ in 0..=self.chance.below(2) {
            let mut request = request(self.any_cid());
            if self.roll(3) {
                request.replication = Some(Replication::from_stored(1, 2));
            }
            if self.roll(12) {
                request.cid = cid(EXPIRING + self.chance.below(2));
                request.expires_at = Some(self.now.seconds() + 2 + self.chance.below(60));
            }
            // A pin that is there already writes nothing, so an unpin may win over it.
            if !self.roll(5) {
                request.name = Some(format!("n{}", self.requests));
                written.push(request.cid);
            }
            pins.push(request);
        }
        let last = |cid: &Cid| pins.iter().rev().find(|pin| pin.cid == *cid);
        written.retain(|cid| last(cid).is_some_and(|pin| pin.name.is_some()));
        written.retain(|written| *written != cid(EXPIRING) && *written != cid(EXPIRING + 1));
        let until = self.until();
        (Input::Pin { waiter, call: None, pins, until }, written, Vec::new())
    }

    fn unpin(&mut self, waiter: WaiterId) -> (Input, Vec<Cid>, Vec<Cid>) {
        let cids: Vec<Cid> = (0..=self.chance.below(2)).map(|_| self.any_cid()).collect();
        let until = self.until();
        let unpin =
            Input::Unpin { waiter, request: None, cids: cids.clone(), recursive: true, until };
        (unpin, Vec::new(), cids)
    }

    fn update(&mut self, waiter: WaiterId) -> (Input, Vec<Cid>, Vec<Cid>) {
        let (from, to, until) = (self.any_cid(), self.any_cid(), self.until());
        let (unpin, provide) = (self.roll(2), FastProvide::default());
        let (request, name) = (None, Some(format!("u{}", self.requests)));
        let update = Input::Update { waiter, request, from, to, unpin, name, provide, until };
        let written = if from == to { Vec::new() } else { vec![to] };
        (update, written, if unpin { vec![from] } else { Vec::new() })
    }

    /// Records of any age, for any peers. A peer on its first walk may take an old one for history
    /// that its own unpin is newer than.
    fn import(&mut self, waiter: WaiterId) -> (Input, Vec<Cid>, Vec<Cid>) {
        let (mut pins, mut old) = (Vec::new(), Vec::new());
        for _ in 0..=self.chance.below(3) {
            let age = [0, 10, 1_000_000][self.index(3)];
            let replication =
                if self.roll(2) { Replication::Everywhere } else { Replication::from_stored(1, 2) };
            let mut pin = Pin::new(self.any_cid(), replication, self.now.seconds() - age);
            if replication != Replication::Everywhere {
                let size = self.peers.len();
                pin.allocations = (0..2).map(|_| peer::id(self.index(size))).collect();
                pin.allocations.dedup();
            }
            pin.name = format!("i{}", self.chance.below(4));
            if age > 0 {
                old.push(pin.cid);
            }
            pins.push(pin);
        }
        (Input::Import { waiter, pins }, Vec::new(), old)
    }
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
