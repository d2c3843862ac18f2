//! A world told step by step: who does what, and when peers meet.

use clusterd_core::effect::Answer;
use clusterd_core::input::{Input, Until, WaiterId};
use clusterd_core::store::Space;
use common::ids::Cid;
use common::pin::Pin;

use crate::act::request;
use crate::peer::Asked;
use crate::world::World;

/// Waits without limit.
pub(crate) const DONE: Until = Until::Done { deadline: None };

impl World {
    /// Asks something of a peer.
    pub(crate) fn ask(&mut self, at: usize, input: impl FnOnce(WaiterId) -> Input) -> WaiterId {
        self.requests += 1;
        let waiter = WaiterId(self.requests);
        let input = input(waiter);
        let what = format!("{input:?}");
        let asked = Asked { number: self.requests, what, pins: Vec::new() };
        self.peers[at].open.insert(waiter, asked);
        self.feed(at, input);
        waiter
    }

    pub(crate) fn pin_at(&mut self, at: usize, cid: Cid, name: &str) -> WaiterId {
        let mut request = request(cid);
        request.name = Some(name.to_owned());
        self.ask(at, |waiter| Input::Pin { waiter, call: None, pins: vec![request], until: DONE })
    }

    pub(crate) fn unpin_at(&mut self, at: usize, cid: Cid) -> WaiterId {
        let cids = vec![cid];
        let (request, recursive, until) = (None, true, DONE);
        self.ask(at, |waiter| Input::Unpin { waiter, request, cids, recursive, until })
    }

    pub(crate) fn import_at(&mut self, at: usize, pins: Vec<Pin>) -> WaiterId {
        self.ask(at, |waiter| Input::Import { waiter, pins })
    }

    /// All reach each other from now on.
    pub(crate) fn join(&mut self) {
        self.groups.fill(0);
        (0..self.peers.len()).for_each(|at| self.meet(at));
        self.listen();
    }

    /// The name of a pin at a peer, if it is there.
    pub(crate) fn name_at(&self, at: usize, cid: Cid) -> Option<String> {
        self.pins(at).remove(&cid).map(|pin| pin.name)
    }

    pub(crate) fn refusal(&self, waiter: WaiterId) -> String {
        match self.answers.get(&waiter) {
            Some(Answer::Refused(refusal)) => refusal.to_string(),
            other => panic!("not refused: {other:?}"),
        }
    }

    /// How many rows a peer has in a space.
    pub(crate) fn count(&self, at: usize, space: Space) -> usize {
        self.peers[at].node.as_ref().unwrap().store().rows(space).len()
    }
}
