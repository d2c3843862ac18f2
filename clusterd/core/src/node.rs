//! One peer: takes what happens, changes its store, says what to do.

mod expiry;
mod import;
mod pins;
mod requests;
mod status;
mod unpins;
mod wait;
mod waiters;

use crate::config::NodeConfig;
use crate::counts::Counts;
use crate::effect::Effect;
use crate::input::{Input, Time};
use crate::pinset::Pinset;
use crate::store::{Space, Store, StoreError};
use crate::tracker::phase::Lane;
use crate::tracker::queue::LaneFront;
use crate::tracker::{Tracker, Work};
use requests::Requests;
use waiters::Waiters;

/// Format of the state that this program writes and reads.
pub const FORMAT: u32 = 1;
/// Name of the fact that holds the format, 4 bytes, in every format.
const FORMAT_NAME: &[u8] = b"format";

/// One peer and its store. Memory holds heads, running operations, waiters and the front of the
/// queue; everything else stays in the store.
#[derive(Debug)]
pub struct Node<S> {
    config: NodeConfig,
    store: S,
    pinset: Pinset,
    counts: Counts,
    saved_counts: Counts,
    tracker: Tracker,
    waiters: Waiters,
    requests: Requests,
    expiries: LaneFront,
}

impl<S: Store> Node<S> {
    /// Opens the state, new or old, without reading its pins. The effects take up unfinished work;
    /// they may happen at once.
    ///
    /// # Errors
    /// [`StoreError::TooNew`] for a state of a newer program; others when the storage fails.
    pub fn open(
        mut store: S,
        config: NodeConfig,
        now: Time,
    ) -> Result<(Self, Vec<Effect>), StoreError> {
        check_format(&mut store)?;
        let counts = Counts::load(&store)?;
        let mut node = Self {
            pinset: Pinset::load(&store)?,
            counts,
            saved_counts: counts,
            tracker: Tracker::new(&config, now),
            waiters: Waiters::default(),
            requests: Requests::load(&store)?,
            expiries: LaneFront::new(Lane::Expiry),
            config,
            store,
        };
        let effects = node.handle(Input::Tick, now)?;
        node.commit()?;
        Ok((node, effects))
    }

    /// Takes one input. What it changes is in the store's open batch; the effects may happen once
    /// [`Self::commit`] succeeded.
    ///
    /// # Errors
    /// When the storage fails; [`Self::rollback`] must follow.
    pub fn handle(&mut self, input: Input, now: Time) -> Result<Vec<Effect>, StoreError> {
        let mut effects = Vec::new();
        self.take(input, now, &mut effects)?;
        self.expire_pins(now, &mut effects)?;
        let awaited = &self.waiters;
        let mut outcomes = Vec::new();
        let mut work = Work {
            store: &mut self.store,
            pinset: &self.pinset,
            counts: &mut self.counts,
            effects: &mut effects,
            outcomes: &mut outcomes,
            now,
        };
        self.tracker.pump(&mut work, &|key| awaited.is_awaited(key))?;
        for outcome in outcomes {
            self.waiters.tell(outcome, &mut effects);
        }
        self.waiters.expire(now, &mut effects);
        Ok(effects)
    }

    /// Makes everything since the last commit durable, as one block of the history.
    ///
    /// # Errors
    /// When the storage fails; [`Self::rollback`] must follow.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        self.pinset.seal(&mut self.store)?;
        if self.counts != self.saved_counts {
            self.counts.save(&mut self.store);
        }
        self.store.commit()?;
        self.saved_counts = self.counts;
        Ok(())
    }

    /// After a failure: drops the batch and reads memory anew from the store. All waiters and all
    /// running operations are forgotten; the owner answers the former and breaks off the latter.
    /// Unfinished work is taken up again after a pause.
    ///
    /// # Errors
    /// When the storage fails even to read.
    pub fn rollback(&mut self, now: Time) -> Result<Vec<Effect>, StoreError> {
        self.store.rollback();
        self.pinset = Pinset::load(&self.store)?;
        self.counts = Counts::load(&self.store)?;
        self.saved_counts = self.counts;
        self.tracker.reset(&self.config, now);
        self.waiters = Waiters::default();
        self.requests = Requests::load(&self.store)?;
        self.expiries = LaneFront::new(Lane::Expiry);
        self.handle(Input::Tick, now)
    }

    /// When a [`Input::Tick`] is due, unless something else comes before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        let expiry = self.expiries.peek().map(|place| place.time(Lane::Expiry));
        [self.tracker.next_wake(), self.waiters.next_deadline(), expiry].into_iter().flatten().min()
    }

    /// How many pins there are, as of the last input.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Since when Kubo is away, and how it showed; `None` while it answers.
    #[must_use]
    pub fn ipfs_away(&self) -> Option<(Time, &str)> {
        self.tracker.breaker.away()
    }

    /// The store, for reading.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.store
    }

    fn take(
        &mut self,
        input: Input,
        now: Time,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        match input {
            Input::Pin { waiter, call, pins, until } => {
                self.pin(pins::Asked { waiter, call, pins, until }, now, effects)
            }
            Input::Unpin { waiter, request, cids, recursive, until } => {
                let unpin = unpins::Unpin { waiter, request, cids, recursive, until };
                self.unpin(unpin, now, effects)
            }
            Input::Update { waiter, request, from, to, unpin, name, provide, until } => {
                let update =
                    unpins::Update { waiter, request, from, to, unpin, name, provide, until };
                self.update(update, now, effects)
            }
            Input::Import { waiter, pins } => self.import(waiter, pins, now, effects),
            Input::Recover { waiter, cid } => self.recover(waiter, cid, now, effects),
            Input::Status { waiter, cid } => self.status(waiter, cid, effects),
            Input::Operations { waiter } => {
                self.operations(waiter, effects);
                Ok(())
            }
            Input::WaiterGone { waiter } => {
                self.waiters.remove(waiter);
                Ok(())
            }
            Input::IpfsProgress { op, nodes, bytes } => self.work(now, effects, |tracker, work| {
                tracker.progress(work, op, (nodes, bytes));
                Ok(())
            }),
            Input::IpfsEnded { op, outcome } => {
                self.work(now, effects, |tracker, work| tracker.ended(work, op, outcome))
            }
            Input::IpfsProbed { alive } => {
                self.work(now, effects, |tracker, work| tracker.probed(work, alive))
            }
            Input::Audited { held } => {
                self.work(now, effects, |tracker, work| tracker.audited(work, &held))
            }
            Input::AuditEnded { complete } => {
                self.tracker.audit.read(complete, now);
                Ok(())
            }
            Input::Tick => Ok(()),
        }
    }

    /// Lets the tracker work, then tells those who wait.
    fn work<T>(
        &mut self,
        now: Time,
        effects: &mut Vec<Effect>,
        step: impl FnOnce(&mut Tracker, &mut Work<'_, S>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut outcomes = Vec::new();
        let mut work = Work {
            store: &mut self.store,
            pinset: &self.pinset,
            counts: &mut self.counts,
            effects,
            outcomes: &mut outcomes,
            now,
        };
        let done = step(&mut self.tracker, &mut work)?;
        for outcome in outcomes {
            self.waiters.tell(outcome, effects);
        }
        Ok(done)
    }
}

fn check_format<S: Store>(store: &mut S) -> Result<(), StoreError> {
    let Some(row) = store.get(Space::Meta, FORMAT_NAME)? else {
        store.put(Space::Meta, FORMAT_NAME.to_vec(), FORMAT.to_be_bytes().to_vec());
        return Ok(());
    };
    let found = row.as_slice().try_into().map(u32::from_be_bytes);
    match found {
        Ok(FORMAT) => Ok(()),
        Ok(found) if found > FORMAT => Err(StoreError::TooNew { found, known: FORMAT }),
        Ok(_) | Err(_) => Err(StoreError::Damaged { what: "the format's number".to_owned() }),
    }
}
