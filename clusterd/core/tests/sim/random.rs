//! Random inputs, failures and crashes, held against a simple model. `SIM_SEED=7` replays one seed.

use std::collections::BTreeMap;

use clusterd_core::effect::Answer;
use clusterd_core::input::{Input, IpfsFailure, OpId, PinRequest, Time, Until, WaiterId};
use clusterd_core::pinset::Pinset;
use clusterd_core::pinset::codec::BlockId;
use clusterd_core::pinset::heads::Heads;
use clusterd_core::pinset::key::PinKey;
use clusterd_core::pinset::pin_row::PinRow;
use clusterd_core::pinset::set::block_bytes;
use clusterd_core::pinset::walk::Walk;
use clusterd_core::store::{MemoryStore, Space, Store};
use clusterd_core::tracker::phase::{Goal, Unsettled};
use common::ids::Cid;
use common::pin::{Pin, PinMode};

use crate::chance::Chance;
use crate::kubo::Asked;
use crate::world::{World, cid, request};

/// Some seconds; `SIM_SEEDS` asks for more.
const SEEDS: u64 = 100;
const STEPS: usize = 200;
/// Few, so that operations meet.
const CIDS: u64 = 6;

/// Mode and name of what was accepted.
type Model = BTreeMap<Cid, (PinMode, String)>;

struct Run {
    world: World,
    chance: Chance,
    model: Model,
    /// What a waiter's pins must be like when it is told "done".
    promised: BTreeMap<WaiterId, Vec<Cid>>,
    seed: u64,
}

#[test]
fn accepted_pins_are_never_lost_and_no_status_lies() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..number("SIM_SEEDS").unwrap_or(SEEDS) + 1,
    };
    for seed in seeds {
        let chance = Chance::of_seed(seed);
        let (model, promised) = (Model::new(), BTreeMap::new());
        let mut run = Run { world: World::new(), chance, model, promised, seed };
        for _ in 0..STEPS {
            run.step();
            run.check();
        }
        run.heal();
    }
}

impl Run {
    fn step(&mut self) {
        match self.chance.below(20) {
            0..=4 => self.pin(),
            5..=6 => self.unpin(),
            7..=11 => self.finish_op(),
            12 => self.fail_op(),
            13 => self.world.pass(1 + (1 << (self.seed % 20))),
            14 => self.world.answer_probes_and_audits(),
            15 => self.world.kubo.is_down = !self.world.kubo.is_down,
            16 => self.crash_in_a_batch(),
            17 => self.world.disk_is_full = !self.world.disk_is_full,
            18 => self.change_content(),
            _ => self.update(),
        }
    }

    fn any_cid(&mut self) -> Cid {
        cid(self.chance.below(CIDS))
    }

    fn until(&mut self) -> Until {
        match self.chance.below(3) {
            0 => Until::Accepted,
            1 => Until::Done { deadline: None },
            _ => Until::Done { deadline: Some(self.world.now.plus_millis(5000)) },
        }
    }

    fn any_request(&mut self) -> PinRequest {
        let cid = self.any_cid();
        let mode = if self.chance.below(4) == 0 { PinMode::Direct } else { PinMode::Recursive };
        let name = (self.chance.below(3) == 0).then(|| "n".to_owned());
        PinRequest { mode, name, ..request(cid) }
    }

    fn pin(&mut self) {
        let pins: Vec<PinRequest> =
            (0..=self.chance.below(2)).map(|_| self.any_request()).collect();
        let until = self.until();
        let waiter = self.world.pin(pins.clone(), until);
        if self.was_taken(waiter) {
            for pin in &pins {
                let name = pin.name.clone().unwrap_or_default();
                self.model.insert(pin.cid, (pin.mode, name));
            }
            // Of several, one may be unpinned again before the last is held.
            if until != Until::Accepted && pins.len() == 1 {
                let cids = pins.iter().map(|pin| pin.cid).collect();
                self.promised.insert(waiter, cids);
            }
        }
    }

    /// Whether a change was made: refused ones and those of a failed batch were not. A refusal that
    /// comes from Kubo leaves the change made.
    fn was_taken(&self, waiter: WaiterId) -> bool {
        match self.world.answer(waiter) {
            None => self.world.open.contains(&waiter),
            Some(Answer::Done { .. }) => true,
            Some(Answer::Refused(refusal)) => refusal.to_string().contains("stays accepted"),
            Some(other) => panic!("{other:?}"),
        }
    }

    fn unpin(&mut self) {
        let (cid, until) = (self.any_cid(), self.until());
        let waiter = self.world.unpin(vec![cid], until);
        if self.was_taken(waiter) {
            assert!(self.model.remove(&cid).is_some(), "SIM_SEED={}", self.seed);
        }
    }

    fn update(&mut self) {
        let (from, to, until) = (self.any_cid(), self.any_cid(), self.until());
        let unpin = self.chance.below(2) == 0;
        let waiter = self.world.waiter();
        let (request, name, provide) = (None, None, Default::default());
        self.world.input(Input::Update { waiter, request, from, to, unpin, name, provide, until });
        if self.was_taken(waiter) && from != to {
            let source = self.model[&from].clone();
            if unpin {
                self.model.remove(&from);
            }
            self.model.insert(to, source);
        }
    }

    fn any_op(&mut self) -> Option<OpId> {
        self.chance.of(self.world.kubo.asked.keys().copied().collect())
    }

    fn finish_op(&mut self) {
        let Some(op) = self.any_op() else { return };
        if let Some(input) = self.world.kubo.finish(op) {
            self.world.input(input);
        }
    }

    fn fail_op(&mut self) {
        let Some(op) = self.any_op() else { return };
        let failure = match self.chance.below(3) {
            0 => IpfsFailure::Refused("no".to_owned()),
            1 => IpfsFailure::Unreachable("broke off".to_owned()),
            _ => IpfsFailure::Stalled("nothing came".to_owned()),
        };
        // Kubo may have done it all the same.
        if self.chance.below(2) == 0 && !self.world.kubo.is_down {
            let asked = self.world.kubo.asked[&op].clone();
            match asked {
                Asked::Pin { cid, mode, name } => {
                    self.world.kubo.held.insert(cid, (mode, name));
                }
                Asked::Unpin { cid } => {
                    self.world.kubo.held.remove(&cid);
                }
            }
        }
        let input = self.world.kubo.fail(op, failure);
        self.world.input(input);
    }

    fn change_content(&mut self) {
        let cid = self.any_cid();
        if !self.world.kubo.dead.remove(&cid) {
            self.world.kubo.dead.insert(cid);
        }
    }

    /// The process dies after it handled an input and before it committed, or at rest.
    fn crash_in_a_batch(&mut self) {
        if self.chance.below(2) == 0 {
            let (waiter, pins) = (WaiterId(u64::MAX), vec![self.any_request()]);
            let input = Input::Pin { waiter, pins, until: Until::Accepted };
            self.world.node.handle(input, self.world.now).unwrap();
        }
        self.world.crash();
    }

    fn check(&mut self) {
        let seed = self.seed;
        let pins = self.world.pins();
        let ours: Model =
            (pins.iter()).map(|(cid, pin)| (*cid, (pin.depth.mode(), pin.name.clone()))).collect();
        assert_eq!(ours, self.model, "SIM_SEED={seed}");
        assert_eq!(self.world.node.counts().pins, pins.len() as u64, "SIM_SEED={seed}");
        // What counts as held is held, as the record says.
        for (cid, pin) in self.world.settled() {
            let wanted = (pin.depth.mode(), pin.name.clone());
            assert!(self.holds(&cid, &wanted), "{cid} is not held, SIM_SEED={seed}");
        }
        // What stays listed while only its details change is held, too.
        for (key, row) in self.world.rows(Space::Unsettled) {
            let unsettled = Unsettled::decode(&row).unwrap();
            let cid = PinKey::from_stored(key).to_cid().unwrap();
            let is_listed = unsettled.goal == Goal::Pin && unsettled.was_pinned;
            let is_held = self.world.kubo.held.contains_key(&cid);
            assert!(!is_listed || is_held, "{cid} is listed, SIM_SEED={seed}");
        }
        let kept: BTreeMap<WaiterId, Vec<Cid>> = std::mem::take(&mut self.promised);
        for (waiter, cids) in kept {
            if self.world.is_done(waiter) {
                let held = &self.world.kubo.held;
                assert!(cids.iter().all(|cid| held.contains_key(cid)), "SIM_SEED={seed}");
            } else if self.world.open.contains(&waiter) {
                self.promised.insert(waiter, cids);
            }
        }
    }

    /// The blocks alone, walked from the heads, lead a newcomer to the same pinset.
    fn check_history(&self) {
        let ours = &self.world.node.store().memory;
        let heads: Vec<BlockId> = Heads::load(ours).unwrap().iter().map(|(id, _)| id).collect();
        let mut store = MemoryStore::default();
        let (mut pinset, mut walk) = (Pinset::load(&store).unwrap(), Walk::default());
        walk.heads_seen(&pinset, &store, &heads).unwrap();
        let mut fetch = walk.fetches(Time(0));
        while let Some(id) = fetch.pop() {
            let bytes = block_bytes(ours, &id).unwrap().unwrap();
            walk.fetched(&mut pinset, &mut store, (id, &bytes), Time(0)).unwrap().unwrap();
            fetch.extend(walk.fetches(Time(0)));
        }
        let pins = |store: &MemoryStore| -> Vec<Option<Pin>> {
            let rows = store.scan(Space::Pins, &[], None, usize::MAX).unwrap().into_iter();
            rows.map(|(key, row)| PinRow::parse(&row).unwrap().pin(&key)).collect()
        };
        assert_eq!(pins(&store), pins(ours), "SIM_SEED={}", self.seed);
    }

    /// What is held recursively is held; Kubo refuses to make it direct.
    fn holds(&self, cid: &Cid, (mode, name): &(PinMode, String)) -> bool {
        let held = self.world.kubo.held.get(cid);
        held.is_some_and(|held| held.1 == *name && (held.0 == *mode || *mode == PinMode::Direct))
    }

    /// With everything in order again, Kubo comes to hold the pinset and nothing else of ours.
    fn heal(&mut self) {
        self.world.kubo.is_down = false;
        self.world.kubo.dead.clear();
        self.world.disk_is_full = false;
        for _ in 0..5 {
            self.world.pass(3_600_000);
            self.world.settle();
        }
        self.check();
        let seed = self.seed;
        assert_eq!(self.world.settled().len(), self.model.len(), "SIM_SEED={seed}");
        assert!(self.world.kubo.held.keys().eq(self.model.keys()), "SIM_SEED={seed}");
        assert_eq!(self.world.node.counts().unsettled(), 0, "SIM_SEED={seed}");
        self.check_history();
        assert!(self.world.open.is_empty(), "{:?} SIM_SEED={seed}", self.world.open);
    }
}
