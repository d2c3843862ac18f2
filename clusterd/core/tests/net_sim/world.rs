//! Time, events and processes of a world. One number decides all that happens in it.

use std::collections::{BTreeMap, BTreeSet};

use clusterd_core::effect::Answer;
use clusterd_core::input::{Input, OpId, Time, WaiterId};
use clusterd_core::pinset::codec::BlockId;
use common::ids::Cid;

use crate::chance::Chance;
use crate::peer::Peer;
use crate::report::Report;

/// What may happen, and when.
#[derive(Debug)]
pub(crate) enum Event {
    Input {
        peer: usize,
        epoch: u64,
        input: Box<Input>,
    },
    Wake {
        peer: usize,
        epoch: u64,
    },
    Commit {
        peer: usize,
        epoch: u64,
    },
    Start {
        peer: usize,
    },
    Fetch {
        peer: usize,
        epoch: u64,
        id: BlockId,
    },
    Kubo {
        peer: usize,
        epoch: u64,
        op: OpId,
    },
    Probe {
        peer: usize,
        epoch: u64,
    },
    Audit {
        peer: usize,
        epoch: u64,
    },
    /// Others are asked about what is not known of their pins.
    Ask {
        peer: usize,
        epoch: u64,
    },
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
    /// Who listens to whom.
    pub(crate) listening: BTreeSet<(usize, usize)>,
    /// Whether all know each other as members from the start.
    pub(crate) is_introduced: bool,
    /// Blocks that liars made.
    pub(crate) forged: BTreeMap<BlockId, Vec<u8>>,
    pub(crate) report: Report,
    /// Announcements of heads so far.
    pub(crate) announced: u64,
    /// Requests so far.
    pub(crate) requests: u64,
    /// Number of the newest request that wrote a pin and was told so.
    pub(crate) accepted: BTreeMap<Cid, u64>,
    /// Number of the newest request that may have unpinned.
    pub(crate) unpinned: BTreeMap<Cid, u64>,
    pub(crate) acts_left: u64,
    /// What was answered at last.
    pub(crate) answers: BTreeMap<WaiterId, Answer>,
    events: BTreeMap<(Time, u64), Event>,
    sequence: u64,
}

impl World {
    /// A world where everything goes wrong, with so many bursts of requests.
    pub(crate) fn new(seed: u64, size: Option<usize>, acts: u64) -> Self {
        let mut chance = Chance::of_seed(seed);
        let climate = Climate::of(&mut chance);
        let size = size.unwrap_or_else(|| usize::try_from(3 + chance.below(4)).unwrap());
        let mut world = Self::made(chance, climate, size);
        world.acts_left = acts;
        world.is_introduced = true;
        for peer in 0..size {
            // Some come late, and find a history.
            let late = if world.roll(4) { world.chance.below(60_000) } else { 0 };
            world.after(late, Event::Start { peer });
        }
        world.after(10, Event::Act);
        world.after(10, Event::Trouble);
        world
    }

    /// A world where nothing happens by itself, for a test that tells what happens. Nobody reaches
    /// anybody yet.
    pub(crate) fn quiet(size: usize) -> Self {
        let mut chance = Chance::of_seed(1);
        let climate =
            Climate { asks: true, batch_age: 0, has_liars: false, ..Climate::of(&mut chance) };
        let mut world = Self::made(chance, climate, size);
        world.is_calm = true;
        world.groups = (0..size as u64).collect();
        (0..size).for_each(|peer| world.start(peer));
        world.pass(1000);
        world
    }

    fn made(chance: Chance, climate: Climate, size: usize) -> Self {
        let peers: Vec<Peer> = (0..size).map(|n| Peer::new(n, climate.batch_age)).collect();
        let report = Report { worlds: 1, peers: size as u64, ..Report::default() };
        Self {
            now: Time(1_700_000_000_000),
            chance,
            climate,
            is_calm: false,
            peers,
            groups: vec![0; size],
            listening: BTreeSet::new(),
            is_introduced: false,
            forged: BTreeMap::new(),
            report,
            announced: 0,
            requests: 0,
            accepted: BTreeMap::new(),
            unpinned: BTreeMap::new(),
            acts_left: 0,
            answers: BTreeMap::new(),
            events: BTreeMap::new(),
            sequence: 0,
        }
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
                self.feed(peer, *input);
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
            Event::Ask { peer, epoch } if self.is_current(peer, epoch) => self.ask_others(peer),
            Event::Start { peer } => self.start(peer),
            Event::Act => self.act(),
            Event::Trouble => self.trouble(),
            Event::Input { .. }
            | Event::Wake { .. }
            | Event::Commit { .. }
            | Event::Fetch { .. }
            | Event::Kubo { .. }
            | Event::Probe { .. }
            | Event::Audit { .. }
            | Event::Ask { .. } => {}
        }
    }
}
