//! Peers that stay away: their pins go to others, once, by one peer, late enough and not too fast.

use std::collections::{BTreeMap, BTreeSet};

use clusterd_core::config::{NodeConfig, RepinConfig};
use clusterd_core::effect::Answer;
use clusterd_core::election::Electors;
use clusterd_core::input::{Input, Until};
use clusterd_core::members::{FOLLOWER, Metric};
use common::ids::{Cid, PeerId};
use common::pin::{Pin, Replication};

use crate::chance::Chance;
use crate::world::{World, cid, request};

/// How long a ping holds, and how often one comes.
const LIFE: u64 = 30_000;
const EVERY: u64 = 5000;
/// The grace period.
const AFTER: u64 = 60_000;

fn peer(number: usize) -> PeerId {
    let byte = u8::try_from(number).unwrap() + 1;
    PeerId::decode(&[&[0, 36, 8, 1, 18, 32], [byte; 32].as_slice()].concat()).unwrap()
}

/// Several nodes that hear each other's metrics. What one writes does not reach the others, so that all
/// that each of them would do is seen.
struct Peers {
    worlds: Vec<World>,
    alive: BTreeSet<usize>,
    /// Tells that it follows.
    follower: Option<usize>,
    pins: BTreeMap<Cid, Pin>,
}

impl Peers {
    fn start(count: usize, pins: Vec<Pin>, change: impl Fn(&mut NodeConfig)) -> Self {
        let mut worlds = Vec::new();
        for number in 0..count {
            let mut config = NodeConfig::new(peer(number));
            config.repin = RepinConfig { after: Some(AFTER), per_minute: 6000 };
            change(&mut config);
            let mut world = World::with(config);
            let waiter = world.waiter();
            world.input(Input::Import { waiter, pins: pins.clone() });
            worlds.push(world);
        }
        let pins = pins.into_iter().map(|pin| (pin.cid, pin)).collect();
        Self { worlds, alive: (0..count).collect(), follower: None, pins }
    }

    /// Lets time pass; those that live tell all others so.
    fn pass(&mut self, millis: u64) {
        for _ in 0..millis / EVERY {
            for at in self.alive.clone() {
                for number in self.alive.clone() {
                    self.tell(at, number);
                }
                self.worlds[at].pass(EVERY);
                self.worlds[at].settle();
            }
            let now = self.worlds[*self.alive.first().unwrap()].now;
            // The clock of the dead goes on.
            self.worlds.iter_mut().for_each(|world| world.now = now);
        }
    }

    fn tell(&mut self, to: usize, number: usize) {
        let world = &mut self.worlds[to];
        let mut names = vec!["ping", "tag:group", "freespace"];
        names.extend((self.follower == Some(number)).then_some(FOLLOWER));
        for name in names {
            world.input(Input::Metric(Metric {
                peer: peer(number),
                name: name.to_owned(),
                value: "default".to_owned(),
                weight: 1 + i64::try_from(number).unwrap(),
                is_group: name == "tag:group",
                is_valid: true,
                expires: world.now.plus_millis(LIFE),
                received: world.now,
            }));
        }
    }

    /// What a peer has moved: the old and the new allocations.
    fn moved(&self, at: usize) -> BTreeMap<Cid, Pin> {
        let pins = self.worlds[at].pins().into_iter();
        pins.filter(|(cid, pin)| pin.allocations != self.pins[cid].allocations).collect()
    }

    fn moved_by_all(&self) -> usize {
        (0..self.worlds.len()).map(|at| self.moved(at).len()).sum()
    }
}

fn pin(number: u64, min: i32, max: i32, holders: &[usize]) -> Pin {
    let allocations = holders.iter().map(|number| peer(*number)).collect();
    Pin { allocations, ..Pin::new(cid(number), Replication::from_stored(min, max), 1) }
}

/// Sixty pins, each on two of five peers that stand next to each other.
fn pairs() -> Vec<Pin> {
    let place = |number: u64| usize::try_from(number % 5).unwrap();
    (0..60).map(|number| pin(number, 2, 2, &[place(number), place(number + 1)])).collect()
}

#[test]
fn each_pin_of_a_peer_that_stays_away_is_moved_by_the_elected_peer_alone_and_not_before() {
    let mut peers = Peers::start(5, pairs(), |_| {});
    peers.pass(60_000);
    peers.alive.remove(&0);
    peers.pass(LIFE + AFTER - EVERY);
    assert_eq!(peers.moved_by_all(), 0, "nothing moves in the grace period");
    peers.pass(2 * LIFE);
    let electors = Electors::new((1..5).map(peer));
    let mut seen = BTreeSet::new();
    for at in 1..5 {
        for (cid, pin) in peers.moved(at) {
            assert_eq!(electors.elected(&cid), Some(peer(at)));
            let mut kept = peers.pins[&cid].allocations.iter().filter(|one| **one != peer(0));
            assert_eq!((pin.allocations.len(), Some(&pin.allocations[0])), (2, kept.next()));
            assert!(!pin.allocations.contains(&peer(0)) && seen.insert(cid));
        }
    }
    assert_eq!(seen.len(), 24, "all pins that were on it, each once");
    peers.pass(3_600_000);
    assert_eq!(peers.moved_by_all(), 24, "what others are elected for is left to them");
}

#[test]
fn nothing_moves_where_enough_holders_are_left_or_it_is_switched_off() {
    let three = (0..20).map(|number| pin(number, 2, 3, &[0, 1, 2])).collect();
    let mut peers = Peers::start(5, three, |_| {});
    peers.pass(60_000);
    peers.alive.remove(&0);
    peers.pass(600_000);
    assert_eq!(peers.moved_by_all(), 0);
    let mut off = Peers::start(5, pairs(), |config| config.repin.after = None);
    off.pass(60_000);
    off.alive.remove(&0);
    off.pass(3_600_000);
    assert_eq!(off.moved_by_all(), 0);
}

#[test]
fn pins_move_no_faster_than_allowed_and_stay_once_the_peer_is_back() {
    let pins = (0..200).map(|number| pin(number, 1, 1, &[1])).collect();
    let mut peers = Peers::start(2, pins, |config| config.repin.per_minute = 60);
    peers.pass(60_000);
    peers.alive.remove(&1);
    peers.pass(LIFE + AFTER + 40_000);
    let mut before = peers.moved(0).len();
    peers.pass(60_000);
    let in_a_minute = peers.moved(0).len() - before;
    assert!((55..=62).contains(&in_a_minute), "{in_a_minute}");
    peers.alive.insert(1);
    peers.tell(0, 1);
    before = peers.moved(0).len();
    peers.pass(600_000);
    assert_eq!(peers.moved(0).len(), before, "it is back");
    assert!(before < 200);
    // The rest goes when it is away for good.
    peers.alive.remove(&1);
    peers.pass(600_000);
    assert_eq!(peers.moved(0).len(), 200);
}

#[test]
fn a_peer_that_was_away_before_this_one_started_is_waited_for_as_long() {
    let mut peers = Peers::start(2, vec![pin(1, 1, 1, &[1])], |_| {});
    peers.alive.remove(&1);
    peers.pass(LIFE + AFTER - EVERY);
    assert_eq!(peers.moved_by_all(), 0);
    peers.pass(8 * EVERY);
    assert_eq!(peers.moved(0)[&cid(1)].allocations, [peer(0)]);
}

#[test]
fn a_machine_that_slept_takes_nobody_for_gone_at_once() {
    let mut peers = Peers::start(2, vec![pin(1, 1, 1, &[1])], |_| {});
    peers.pass(60_000);
    peers.worlds.iter_mut().for_each(|world| world.now = world.now.plus_millis(7_200_000));
    peers.worlds[0].input(Input::Tick);
    peers.alive.remove(&1);
    peers.pass(LIFE + AFTER - 2 * EVERY);
    assert_eq!(peers.moved_by_all(), 0);
    peers.pass(LIFE + 2 * EVERY);
    assert_eq!(peers.moved_by_all(), 1);
}

#[test]
fn a_follower_moves_nothing_and_is_not_waited_for() {
    let mut peers = Peers::start(3, pairs(), |config| config.follower = config.peer == peer(2));
    peers.follower = Some(2);
    peers.pass(60_000);
    peers.alive.remove(&0);
    peers.pass(600_000);
    let concerned = |pin: &&Pin| pin.allocations.contains(&peer(0));
    // Peers 3 and 4 were never there; of each pin with 0 or those, this peer moves what can be moved.
    assert!(peers.pins.values().filter(concerned).all(|pin| {
        let moved = &peers.worlds[1].pins()[&pin.cid];
        !moved.allocations.contains(&peer(0))
    }));
    assert!(peers.worlds[2].pins().is_empty());
    let asked = peers.worlds[2].pin(vec![request(cid(1))], Until::Accepted);
    assert!(peers.worlds[2].refusal(asked).contains("follower mode"));
}

#[test]
fn pins_are_given_away_by_hand_also_from_a_peer_that_lives() {
    let mut peers = Peers::start(5, pairs(), |config| config.repin.after = None);
    peers.pass(60_000);
    let waiter = peers.worlds[1].waiter();
    peers.worlds[1].input(Input::RepinView { waiter, peer: peer(0) });
    let Some(Answer::Repin(view)) = peers.worlds[1].answer(waiter) else { panic!("no view") };
    assert_eq!((view.candidates.len(), view.due), (4, None));
    assert_eq!(view.gone, BTreeSet::from([peer(0)]));
    peers.worlds[1].input(Input::Repin { peer: peer(0) });
    peers.pass(60_000);
    assert_eq!(peers.moved(1).len(), 24);
    assert_eq!(peers.moved_by_all(), 24);
    // Its turn is over: later pins may go there again.
    let later = peers.worlds[1].pin(vec![request(cid(99))], Until::Accepted);
    assert!(peers.worlds[1].is_done(later));
    peers.pass(600_000);
    assert_eq!(peers.worlds[1].pins().len(), 61);
}

#[test]
fn a_removed_peer_is_forgotten_and_its_pins_move_where_that_is_on() {
    for (is_on, moved) in [(true, 24), (false, 0)] {
        let mut peers = Peers::start(5, pairs(), |config| {
            config.repin.after = is_on.then_some(AFTER);
        });
        peers.pass(60_000);
        peers.alive.remove(&0);
        peers.pass(EVERY);
        peers.worlds[1].input(Input::PeerRemoved { peer: peer(0) });
        let now = peers.worlds[1].now;
        assert!(!peers.worlds[1].node.members().is_member(&peer(0), now));
        peers.pass(2 * EVERY);
        assert_eq!(peers.moved(1).len(), moved, "re-allocation is on: {is_on}");
    }
}

/// Peers come and go at random: no pin is ever taken from one that was not away for the grace period.
#[test]
fn no_pin_is_taken_from_a_peer_within_its_grace_period() {
    for seed in 0..20 {
        let mut chance = Chance::of_seed(seed);
        let mut peers = Peers::start(5, pairs(), |_| {});
        let (mut seen, mut back) = (vec![0; 5], vec![0; 5]);
        for step in 0..200u64 {
            for (number, until) in back.iter_mut().enumerate().skip(1) {
                if *until == step {
                    peers.alive.insert(number);
                } else if *until < step && chance.below(15) == 0 {
                    peers.alive.remove(&number);
                    // Never so short that it does not notice itself that it was away.
                    *until = step + 6 + chance.below(30);
                }
            }
            peers.alive.iter().for_each(|number| seen[*number] = step);
            let before: Vec<_> = (0..5).map(|at| peers.worlds[at].pins()).collect();
            peers.pass(EVERY);
            for (at, old) in before.iter().enumerate() {
                for (cid, new) in peers.worlds[at].pins() {
                    let kept = |one: &&PeerId| !new.allocations.contains(one);
                    for lost in old[&cid].allocations.iter().filter(kept) {
                        let number = (0..5).find(|number| peer(*number) == *lost).unwrap();
                        let away = (step - seen[number]) * EVERY;
                        assert!(away + EVERY > LIFE + AFTER, "seed {seed}: away for {away} ms");
                    }
                }
            }
        }
        assert!(peers.moved_by_all() > 0, "seed {seed} shows nothing");
    }
}
