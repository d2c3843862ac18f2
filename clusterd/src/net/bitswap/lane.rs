//! What the behaviour and the connections of one peer share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use libp2p::futures::task::AtomicWaker;

use super::ledger::Ledger;
use super::outbox::Outbox;

/// One of a peer's connections leads: it carries all that we send. The others only receive.
#[derive(Debug)]
pub(super) struct Lane {
    state: Mutex<State>,
    /// Wakes the leading connection.
    pub(super) leader: AtomicWaker,
}

/// Both directions of one peer.
#[derive(Debug)]
pub(super) struct State {
    /// What we want of it.
    pub(super) outbox: Outbox,
    /// What it wants of us.
    pub(super) ledger: Ledger,
}

impl Lane {
    /// A lane for a peer that may want so many blocks of us.
    pub(super) fn new(wants_max: usize) -> Self {
        let state = State { outbox: Outbox::default(), ledger: Ledger::new(wants_max) };
        Self { state: Mutex::new(state), leader: AtomicWaker::new() }
    }

    /// The state; held for a moment only, never while a block is read.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
