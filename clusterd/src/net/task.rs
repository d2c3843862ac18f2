//! The task that owns the swarm. It never waits for anyone: commands are done at once or taken note
//! of, and what happens goes to the outlet, which has room or drops what will be repeated.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

use futures_util::StreamExt;
use libp2p::PeerId;
use libp2p::swarm::Swarm;
use libp2p::swarm::dial_opts::DialOpts;
use multiaddr::Multiaddr;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::advice::Advice;
use super::behaviour::Behaviour;
use super::fetches::Fetches;
use super::gossip::Topics;
use super::handle::{Command, Net, Seen};
use super::lookup::Lookups;
use super::mdns::Mdns;
use super::outlet::Outlet;
use super::redial::Redial;
use super::start::{NetConfig, NetError};
use super::traffic::Meter;
use super::{NetEvent, addresses, peerstore};
use crate::config::Trusted;

mod commands;
mod connections;
mod messages;

/// Housekeeping: dials, waiters that have left, the peerstore.
const TICK: Duration = Duration::from_secs(1);

/// The peerstore is written this long after the last time at the earliest.
const SAVE_EVERY: Duration = Duration::from_secs(10);

/// Addresses without an id are dialled this often while nobody is connected.
const NAMELESS_EVERY: Duration = Duration::from_secs(30);

/// A member has told its subscriptions by then: they are the first it sends.
const SUBSCRIBED_AFTER: Duration = Duration::from_secs(10);

/// Owns the swarm.
pub(super) struct Task {
    swarm: Swarm<Behaviour>,
    commands: mpsc::Receiver<Command>,
    outlet: Outlet,
    seen: Arc<RwLock<Seen>>,
    advice: Advice,
    meter: Meter,
    topics: Topics,
    trusted: Trusted,
    fetches: Fetches,
    lookups: Lookups,
    redial: Redial,
    mdns: Option<Mdns>,
    /// Peers that connected lately and have not told that they take heads.
    silent: HashMap<PeerId, Silence>,
    bootstrap: Vec<Multiaddr>,
    /// Configured addresses without an id, and when they are dialled next.
    nameless: (Vec<Multiaddr>, Instant),
    announces: bool,
    heads_refused: u64,
    peerstore: Store,
}

/// A peer that was not heard to be of our cluster yet.
#[derive(Debug, Clone, Copy)]
struct Silence {
    since: Instant,
    /// It takes something, if not our heads.
    subscribed: bool,
}

/// The file of known peers.
struct Store {
    path: PathBuf,
    unsaved: bool,
    next: Instant,
    saving: Option<JoinHandle<()>>,
}

impl Task {
    /// A task that does not run yet.
    ///
    /// # Errors
    /// [`NetError::Mdns`].
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<NetEvent>,
        net: &Net,
        topics: Topics,
        config: NetConfig,
    ) -> Result<Self, NetError> {
        let me = *swarm.local_peer_id();
        let now = Instant::now();
        Ok(Self {
            swarm,
            commands,
            outlet: Outlet::new(events),
            seen: Arc::clone(&net.seen),
            advice: net.advice.clone(),
            meter: net.meter.clone(),
            topics,
            trusted: config.trusted,
            fetches: Fetches::default(),
            lookups: Lookups::default(),
            redial: Redial::new(&me),
            mdns: if config.mdns { Some(Mdns::start(me)?) } else { None },
            silent: HashMap::new(),
            bootstrap: config.bootstrap,
            nameless: (Vec::new(), now),
            announces: !config.announce.is_empty(),
            heads_refused: 0,
            peerstore: Store { path: config.peerstore, unsaved: false, next: now, saving: None },
        })
    }

    /// Runs until it is told to stop, or nobody can tell it anything any more.
    pub(super) async fn run(mut self, known: Vec<Multiaddr>) {
        self.learn_at_start(known);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                command = self.commands.recv() => match command {
                    Some(Command::Stop) | None => break,
                    Some(command) => self.on_command(command),
                },
                () = self.outlet.hand_on(), if !self.outlet.is_empty() => {}
                _ = tick.tick() => self.on_tick(),
            }
        }
        self.save_last().await;
    }

    fn learn_at_start(&mut self, known: Vec<Multiaddr>) {
        let now = Instant::now();
        let book = &mut self.swarm.behaviour_mut().book;
        for address in std::mem::take(&mut self.bootstrap) {
            match addresses::split(&address) {
                (place, Some(peer)) if book.add_fixed(peer, &place) => self.redial.add(peer, now),
                (place, None) => self.nameless.0.push(place),
                // Ourselves: all members may share one list.
                (_, Some(_)) => {}
            }
        }
        // The first line is the best: it is added last.
        for address in known.iter().rev() {
            if let (place, Some(peer)) = addresses::split(address)
                && book.add(peer, &place)
            {
                self.redial.add(peer, now);
            }
        }
        // Nothing new: the peerstore need not be written.
        book.take_changed();
        self.note_known();
    }

    fn on_tick(&mut self) {
        let now = Instant::now();
        for peer in self.redial.due(now) {
            self.dial(peer, now);
        }
        self.dial_nameless(now);
        self.search(now);
        for id in self.fetches.sweep() {
            self.unwant(id);
        }
        self.judge_silence(now);
        if self.swarm.behaviour_mut().book.take_changed() {
            self.peerstore.unsaved = true;
            self.note_known();
        }
        self.save(now);
        self.meter.tick();
        let counts = self.counts();
        self.seen().counts = counts;
    }

    fn dial(&mut self, peer: PeerId, now: Instant) {
        if self.swarm.is_connected(&peer) {
            self.redial.remove(&peer);
            return;
        }
        // From a port of its own: the shared one cannot be used again for a while after a loss.
        let dialled = self.swarm.dial(DialOpts::peer_id(peer).allocate_new_port().build());
        if let Err(error) = dialled {
            self.on_dial_failed(Some(peer), &error, now);
        }
    }

    fn dial_nameless(&mut self, now: Instant) {
        if now < self.nameless.1 || self.swarm.network_info().num_peers() > 0 {
            return;
        }
        self.nameless.1 = now + NAMELESS_EVERY;
        for address in self.nameless.0.clone() {
            let opts = DialOpts::unknown_peer_id().address(address).allocate_new_port().build();
            if let Err(error) = self.swarm.dial(opts) {
                self.on_dial_failed(None, &error, now);
            }
        }
    }

    /// Takes what the search on the local network found.
    fn search(&mut self, now: Instant) {
        let Some(mdns) = &mut self.mdns else { return };
        let own = self.seen.read().unwrap_or_else(PoisonError::into_inner).own.clone();
        if let Err(error) = mdns.offer(&own) {
            tracing::warn!(%error, "this peer cannot be found on the local network");
        }
        for (peer, places) in mdns.found() {
            self.learn(peer, &places, now);
        }
    }

    /// Takes addresses of a peer, and connects to it.
    fn learn(&mut self, peer: PeerId, places: &[Multiaddr], now: Instant) {
        let book = &mut self.swarm.behaviour_mut().book;
        let mut dialable = false;
        for place in places {
            dialable |= book.add(peer, place);
        }
        if dialable && !self.swarm.is_connected(&peer) {
            self.redial.add(peer, now);
        }
    }

    /// A peer that takes something but not our heads is of another cluster.
    fn judge_silence(&mut self, now: Instant) {
        let advice = &self.advice;
        self.silent.retain(|peer, silence| {
            let over = now - silence.since >= SUBSCRIBED_AFTER;
            if over && silence.subscribed {
                advice.cluster_name(*peer);
            }
            !over
        });
    }

    fn save(&mut self, now: Instant) {
        let store = &mut self.peerstore;
        let busy = store.saving.as_ref().is_some_and(|saving| !saving.is_finished());
        if !store.unsaved || now < store.next || busy {
            return;
        }
        store.unsaved = false;
        store.next = now + SAVE_EVERY;
        let (path, lines) = (store.path.clone(), self.swarm.behaviour().book.lines());
        store.saving = Some(tokio::task::spawn_blocking(move || {
            if let Err(error) = peerstore::save(&path, &lines) {
                tracing::warn!(path = %path.display(), %error, "cannot write the known peers");
            }
        }));
    }

    async fn save_last(mut self) {
        self.mdns = None;
        if let Some(saving) = self.peerstore.saving.take() {
            drop(saving.await);
        }
        self.peerstore.unsaved |= self.swarm.behaviour_mut().book.take_changed();
        self.peerstore.next = Instant::now();
        self.save(Instant::now());
        if let Some(saving) = self.peerstore.saving.take() {
            drop(saving.await);
        }
    }

    fn seen(&self) -> RwLockWriteGuard<'_, Seen> {
        self.seen.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where others are.
    fn note_known(&mut self) {
        let known = self.swarm.behaviour().book.lines();
        self.seen().known = known;
    }

    /// Where others can reach us.
    fn note_own_addresses(&mut self) {
        if !self.announces {
            let own = self.swarm.listeners().cloned().collect();
            self.seen().own = own;
        }
    }
}
