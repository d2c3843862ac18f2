//! One peer: takes what happens, changes its store, says what to do.

mod batch;
mod early;
mod expiry;
mod format;
mod import;
mod outcomes;
mod pins;
mod rebroadcast;
mod repin;
mod replicate;
mod requests;
mod spread;
mod status;
mod take;
mod unpins;
mod wait;
mod waiters;
mod watch;

use std::collections::BTreeSet;

use common::ids::PeerId;

use crate::config::NodeConfig;
use crate::counts::Counts;
use crate::effect::Effect;
use crate::input::{Input, Time};
use crate::members::Members;
use crate::mutant::{self, Mutant};
use crate::pinset::Pinset;
use crate::pinset::heads::Heads;
use crate::pinset::walk::{Progress, Walk};
use crate::store::{Store, StoreError};
use crate::tracker::phase::Lane;
use crate::tracker::queue::LaneFront;
use crate::tracker::{Tracker, Work};
use batch::Batch;
use early::Early;
pub use format::FORMAT;
use rebroadcast::Rebroadcast;
use repin::Repin;
use requests::Requests;
use take::change_of_client;
use waiters::Waiters;

/// After a failed commit nothing is fetched for so long, in milliseconds: on a full volume the same
/// blocks would be fetched again and again.
const PAUSE_AFTER_ROLLBACK: u64 = 5000;

/// One peer and its store. Memory holds heads, wanted blocks, running operations, waiters and the
/// front of the queue; everything else stays in the store.
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
    walk: Walk,
    rebroadcast: Rebroadcast,
    members: Members,
    /// The members when those who wait were last looked after.
    counted: BTreeSet<PeerId>,
    repin: Repin,
    batch: Batch,
    started: Time,
    /// When others are to be listened to anew.
    listen_at: Option<Time>,
    early: Vec<Early>,
    /// Pins of other peers, made long ago, that came since the last audit that they asked for.
    old_pins: u64,
    /// What others were told of a Kubo that is away.
    told_away: Option<String>,
    /// The way from this cluster to itself, where it is its own sub-cluster.
    ring: Option<String>,
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
        format::check(&mut store)?;
        let counts = Counts::load(&store)?;
        let mut node = Self {
            pinset: Pinset::load(&store)?,
            counts,
            saved_counts: counts,
            tracker: Tracker::new(&config, now),
            waiters: Waiters::default(),
            requests: Requests::load(&store)?,
            expiries: LaneFront::new(Lane::Expiry),
            walk: Walk::load(&store)?,
            rebroadcast: Rebroadcast::new(&config.peer, config.rebroadcast_every, now),
            members: Members::new(config.peer),
            counted: BTreeSet::new(),
            repin: Repin::new(config.repin, now),
            batch: Batch::default(),
            started: now,
            listen_at: None,
            early: Vec::new(),
            old_pins: 0,
            told_away: None,
            ring: None,
            config,
            store,
        };
        let mut effects = node.handle(Input::Tick, now)?;
        effects.append(&mut node.commit()?);
        Ok((node, effects))
    }

    /// Takes one input. What it changes is in the store's open batch; the effects may happen once
    /// [`Self::commit`] succeeded.
    ///
    /// # Errors
    /// When the storage fails; [`Self::rollback`] must follow.
    pub fn handle(&mut self, input: Input, now: Time) -> Result<Vec<Effect>, StoreError> {
        let mut effects = Vec::new();
        let is_client = change_of_client(&input).is_some();
        let is_heard = matches!(input, Input::Metric(_));
        let is_tick = matches!(input, Input::Tick);
        self.take(input, now, &mut effects)?;
        if is_heard || self.early_due().is_some_and(|due| due <= now) {
            self.retry_early(now, &mut effects)?;
        }
        self.expire_pins(now, &mut effects)?;
        if self.listen_at.take_if(|at| *at <= now).is_some() {
            effects.push(Effect::ListenAnew);
        }
        self.check_members(now);
        if is_tick {
            self.repin(now, &mut effects)?;
        }
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
        self.tell(outcomes, now, &mut effects)?;
        self.tell_away(&mut effects);
        self.recheck(now, &mut effects)?;
        self.waiters.expire(now, &mut effects);
        let fetches = self.walk.fetches(now).into_iter();
        effects.extend(fetches.map(|id| Effect::FetchBlock { id }));
        let told = self.rebroadcast.take(self.pinset.heads(), now).into_iter();
        effects.extend(told.map(|heads| Effect::Broadcast { heads }));
        self.note_batch(is_client, now);
        Ok(effects)
    }

    /// Makes everything since the last commit durable, as one block of the history, and gives what
    /// may happen now besides the effects of the inputs: others are told of the block.
    ///
    /// # Errors
    /// When the storage fails; [`Self::rollback`] must follow.
    pub fn commit(&mut self) -> Result<Vec<Effect>, StoreError> {
        if mutant::is(Mutant::AnnouncedBeforeStored) {
            self.store.commit()?;
        }
        self.pinset.seal(&mut self.store)?;
        if self.counts != self.saved_counts {
            self.counts.save(&mut self.store);
        }
        if !mutant::is(Mutant::AnnouncedBeforeStored) {
            self.store.commit()?;
        }
        self.saved_counts = self.counts;
        self.repin.committed();
        self.batch = Batch::default();
        let sealed = self.pinset.take_sealed();
        Ok(sealed.map(|id| Effect::Broadcast { heads: vec![id] }).into_iter().collect())
    }

    /// After a failure: drops the batch and reads memory anew from the store. All waiters and all
    /// running operations are forgotten; the owner answers the former and breaks off the latter.
    /// Fetches begin anew, too; it does no harm when the answer to an old one still comes.
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
        self.early.clear();
        self.requests = Requests::load(&self.store)?;
        self.expiries = LaneFront::new(Lane::Expiry);
        self.walk = Walk::load(&self.store)?;
        self.walk.pause(now.plus_millis(PAUSE_AFTER_ROLLBACK));
        self.repin.reset(now);
        self.batch = Batch::default();
        // What the batch was to tell was not told: it is told anew, whatever it is.
        self.told_away = Some(String::new());
        // What others told meanwhile is lost, and they tell nothing twice. On a full volume each of it
        // would fail again.
        self.listen_at = Some(now.plus_millis(PAUSE_AFTER_ROLLBACK));
        self.handle(Input::Tick, now)
    }

    /// When a [`Input::Tick`] is due, unless something else comes before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        let expiry = self.expiries.peek().map(|place| place.time(Lane::Expiry));
        let rebroadcast = Some(self.rebroadcast.due());
        let wakes =
            [self.tracker.next_wake(), self.waiters.next_deadline(), expiry, self.early_due()];
        let repin = Some(&self.repin).filter(|_| !self.config.follower).and_then(Repin::next_wake);
        let others =
            [self.walk.next_wake(), rebroadcast, self.members.next_check(), repin, self.listen_at];
        wakes.into_iter().chain(others).flatten().min()
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

    /// The current heads.
    #[must_use]
    pub fn heads(&self) -> &Heads {
        self.pinset.heads()
    }

    /// Who is there, and what they can take.
    #[must_use]
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// How much of the history is known to be missing.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.walk.progress()
    }

    /// The store, for reading.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.store
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
        self.tell(outcomes, now, effects)?;
        Ok(done)
    }
}
