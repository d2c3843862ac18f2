//! Owns the node on a thread of its own: takes inputs in batches, commits, then lets effects happen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clusterd_core::effect::Effect;
use clusterd_core::input::{Input, WaiterId};
use clusterd_core::node::Node;
use clusterd_core::pinset::codec::BlockId;
use clusterd_core::store::StoreError;
use common::ids::PeerId;
use common::lifecycle;
use common::messages;
use common::status::PinStatus;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use crate::api::door::Waiters;
use crate::api::room::Counts;
use crate::api::stored;
use crate::clock;
use crate::effects::Outbox;
use crate::store::{FjallStore, Housekeeper};
use crate::story;

mod silence;
mod state;

use state::{State, waiter};

/// At this many waiting inputs those who bring more wait; none is dropped.
pub const INPUTS_WAITING_MAX: usize = 256;

/// Longest sleep: housekeeping and the status line are looked after so often.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// The store is tidied up when nothing happened for so long.
const IDLE_FOR: Duration = Duration::from_secs(2);

/// A store that failed is opened again so often.
const REPAIR_EVERY: Duration = Duration::from_secs(1);

/// Clients that try again and again must not fill the log.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// What the driver works with.
pub struct Driver {
    /// The node; its store is clean.
    pub node: Node<FjallStore>,
    /// What happened.
    pub inputs: mpsc::Receiver<Input>,
    /// Turns true when the daemon ends.
    pub stop: watch::Receiver<bool>,
    /// Who waits.
    pub waiters: Arc<Waiters>,
    /// Where effects go.
    pub outbox: Outbox,
    /// Tidies the store up.
    pub housekeeper: Housekeeper,
    /// Where the counts are shown.
    pub counts: watch::Sender<Counts>,
    /// Where the members are shown.
    pub members: watch::Sender<BTreeSet<PeerId>>,
    /// The runtime whose timers are used.
    pub runtime: Handle,
    /// Effects that wait for the commit of a batch that collects more changes.
    pub held: Vec<Effect>,
    /// Blocks that came with that batch.
    pub fetched: Vec<BlockId>,
}

/// A panic on the driver's thread means a broken invariant: the process must not go on without it.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

impl Driver {
    /// Releases the effects of opening the node, then runs until `stop`.
    pub fn run(mut self, opened: Vec<Effect>) {
        let _abort = AbortOnPanic;
        let mut state = State::new();
        self.settle(Ok(opened), &[], &mut state);
        loop {
            if let Some(watchdog) = state.watchdog {
                watchdog.feed();
            }
            let (batch, is_over) = self.next_batch(&state);
            if !batch.is_empty() {
                state.quiet_since = Instant::now();
            }
            self.work(batch, &mut state);
            self.look_after(&mut state);
            if is_over {
                break;
            }
        }
        self.outbox.cancel_all();
        self.waiters.forget_all();
    }

    /// Waits for inputs, or for the time of the node's next own step.
    fn next_batch(&mut self, state: &State) -> (Vec<Input>, bool) {
        let wakes = [self.node.next_wake(), self.node.batch_due()];
        let until_wake = wakes
            .into_iter()
            .flatten()
            .min()
            .map(|wake| Duration::from_millis(wake.0.saturating_sub(clock::now().0)));
        let sleep = until_wake.unwrap_or(SLEEP_MAX).min(SLEEP_MAX).min(state.feed_every());
        let mut batch = Vec::new();
        let (inputs, stop) = (&mut self.inputs, &mut self.stop);
        let is_over = self.runtime.block_on(async {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => true,
                _ = inputs.recv_many(&mut batch, INPUTS_WAITING_MAX) => false,
                () = tokio::time::sleep(sleep) => false,
            }
        });
        if is_over {
            while let Ok(input) = self.inputs.try_recv() {
                batch.push(input);
            }
        }
        if self.node.next_wake().is_some_and(|wake| wake <= clock::now()) {
            batch.push(Input::Tick);
        }
        (batch, is_over)
    }

    fn work(&mut self, batch: Vec<Input>, state: &mut State) {
        if batch.is_empty() && !self.is_commit_due() {
            return;
        }
        let waiters: Vec<WaiterId> = batch.iter().filter_map(waiter).collect();
        if let Some(error) = &state.broken {
            if !waiters.is_empty() {
                self.count_refusal();
            }
            for waiter in waiters {
                self.waiters.finish(waiter, Err(stored(error)));
            }
            return;
        }
        self.waiters.introduce(&waiters);
        let effects = self.handle_all(batch);
        self.settle(effects, &waiters, state);
    }

    /// All or nothing: durable first, visible second.
    fn handle_all(&mut self, batch: Vec<Input>) -> Result<Vec<Effect>, StoreError> {
        let now = clock::now();
        for input in batch {
            story::asked(&input);
            // What a block brought can be served from the commit on.
            if let Input::BlockFetched { id, .. } = &input {
                self.fetched.push(*id);
            }
            self.held.append(&mut self.node.handle(input, now)?);
        }
        if self.node.batch_due().is_some_and(|due| due > now) {
            return Ok(Vec::new());
        }
        let mut effects = std::mem::take(&mut self.held);
        effects.append(&mut self.node.commit()?);
        self.outbox.have(std::mem::take(&mut self.fetched));
        Ok(effects)
    }

    fn is_commit_due(&self) -> bool {
        self.node.batch_due().is_some_and(|due| due <= clock::now())
    }

    fn settle(
        &mut self,
        effects: Result<Vec<Effect>, StoreError>,
        waiters: &[WaiterId],
        state: &mut State,
    ) {
        match effects {
            Ok(effects) => {
                for effect in effects {
                    self.outbox.release(effect);
                }
            }
            Err(error) => {
                self.count_refusal();
                if state.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
                    tracing::error!(
                        name: messages::UNSTORABLE, %error,
                        "changes cannot be stored and are refused"
                    );
                    state.told = Some(Instant::now());
                }
                for waiter in waiters {
                    self.waiters.finish(*waiter, Err(stored(&error)));
                }
                state.broken = Some(error);
                self.repair(state);
            }
        }
    }

    fn count_refusal(&self) {
        self.counts.send_modify(|counts| counts.refused += 1);
    }

    /// Brings the node back to what is durable. Operations start anew; who waits may ask again.
    fn repair(&mut self, state: &mut State) {
        self.outbox.cancel_all();
        self.waiters.forget_known();
        self.held.clear();
        self.fetched.clear();
        state.repaired = Instant::now();
        match self.node.rollback(clock::now()) {
            Ok(effects) => {
                state.broken = None;
                for effect in effects {
                    self.outbox.release(effect);
                }
            }
            Err(error) => state.broken = Some(error),
        }
    }

    fn look_after(&mut self, state: &mut State) {
        if state.broken.is_some() {
            if state.repaired.elapsed() >= REPAIR_EVERY {
                self.repair(state);
            }
            return;
        }
        let is_quiet = state.quiet_since.elapsed() >= IDLE_FOR;
        if is_quiet
            && self.housekeeper.is_due()
            && let Err(error) = self.housekeeper.shrink()
        {
            tracing::error!(name: messages::UNTIDY, %error, "cannot tidy the store up");
        }
        self.show(state);
    }

    /// Tells the counts to the API and to `systemctl status`.
    fn show(&self, state: &mut State) {
        let counts = self.node.counts();
        let running = self.outbox.running();
        let unsettled = PinStatus::ALL.into_iter().map(|status| (status, counts.of(status)));
        let unsettled: BTreeMap<_, _> = unsettled.filter(|(_, count)| *count > 0).collect();
        let refused = self.counts.borrow().refused;
        let shown = Counts { pins: counts.pins, unsettled, refused };
        let members = self.node.members().members(clock::now());
        let peers = members.len();
        self.members.send_if_modified(|old| {
            let is_new = *old != members;
            if is_new {
                state.silence.tell(old, &members, &self.node.members().known());
            }
            *old = members;
            is_new
        });
        self.counts.send_if_modified(|old| {
            let is_new = *old != shown;
            *old = shown;
            is_new
        });
        if state.status_at.elapsed() < SLEEP_MAX {
            return;
        }
        state.status_at = Instant::now();
        let away = if self.node.ipfs_away().is_some() { ", ipfs does not answer" } else { "" };
        let waiting = counts.unsettled();
        let line = format!(
            "{peers} peers, {} pins, {running} running, {waiting} not as wanted{away}",
            counts.pins
        );
        if state.status != line {
            lifecycle::status(&line);
            state.status = line;
        }
    }
}
