//! A peer goes away: nothing moves in the grace period, then its pins are on the others, and it is forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use harness::cluster::{Cluster, RustPeer};
use harness::rpc;
use harness::stack::StackSetup;
use harness::wait;

use super::look::{allocations, ctl, held, state};

/// The last ping holds for 15 s at least after a sudden death, and then there are these 10 s of grace.
const SOONEST: Duration = Duration::from_secs(25);
const SETTINGS: &str = "[pinset]\nrebroadcast_every = \"3s\"\n\
    [replication]\nmin = 2\nmax = 2\nrepin = true\nrepin_after = \"10s\"\n";

const MOVED_WITHIN: Duration = Duration::from_secs(120);

/// Three peers, and pins on two of them each.
struct Three {
    cluster: Cluster,
    ids: Vec<String>,
    cids: Vec<String>,
}

/// The peers of each pin.
type Places = Vec<BTreeSet<String>>;

impl Three {
    fn start() -> Self {
        let setup = StackSetup { clusterd: SETTINGS.to_owned(), ..StackSetup::default() };
        let cluster = Cluster::start_with(3, 0, setup).unwrap();
        let ids: Vec<String> = cluster.rust.iter().map(|peer| peer.id().unwrap()).collect();
        let sees_all = |peer: &RustPeer| {
            let (_, said) = ctl(peer, &["peers", "ls"]);
            ids.iter().all(|id| said.contains(id))
        };
        wait::until("three members", MOVED_WITHIN, || {
            cluster.rust.iter().all(sees_all).then_some(())
        })
        .unwrap();
        // Each is on the peer whose door it came through.
        let mut cids = Vec::new();
        for number in 0..9 {
            let door = &cluster.rust[number % 3].stack;
            let added = || rpc::add(&door.client(), "", &format!("content {number}")).ok();
            cids.push(wait::until("a pin on two peers", MOVED_WITHIN, added).unwrap());
        }
        cluster.converge(MOVED_WITHIN).unwrap();
        Self { cluster, ids, cids }
    }

    fn first(&self) -> &RustPeer {
        &self.cluster.rust[0]
    }

    fn places_at(&self, at: usize) -> Places {
        self.cids.iter().map(|cid| allocations(&self.cluster.rust[at], cid)).collect()
    }

    /// Where the pins are, if the first two agree and every Kubo has what it shall have.
    fn all_held(&self) -> Option<Places> {
        let places = self.places_at(0);
        let is_held = |cid: &String, id: &String| {
            let peer =
                self.ids.iter().position(|one| one == id).map(|at| self.cluster.rust.get(at));
            peer.flatten()
                .is_some_and(|peer| state(peer, cid) == "pinned" && held(peer).contains(cid))
        };
        let mut pins = self.cids.iter().zip(&places);
        let all = pins.all(|(cid, peers)| peers.iter().all(|id| is_held(cid, id)));
        (all && places == self.places_at(1)).then_some(places)
    }

    /// What an operator sees of a peer that lives.
    fn check_alive(&self, id: &str, pins: usize) {
        let (code, said) = ctl(self.first(), &["repin", "--dry-run", id]);
        assert_eq!((code, said.contains(&format!("{pins} pins would move"))), (0, true), "{said}");
        assert!(said.contains("the peer is alive"), "{said}");
        let (code, said) = ctl(self.first(), &["peers", "rm", id]);
        assert!(code == 1 && said.contains("stop clusterd there first"), "{said}");
    }

    /// Removes a peer that is gone; nothing of it is left.
    fn remove(&self, id: &str) {
        let (code, said) = ctl(self.first(), &["peers", "rm", id]);
        assert_eq!(code, 0, "{said}");
        let (_, said) = ctl(self.first(), &["peers", "ls"]);
        assert!(said.contains(&self.ids[1]) && !said.contains(id), "{said}");
        let file = self.first().stack.directory().join("state/peerstore");
        let is_written = || {
            let known = fs::read_to_string(&file).unwrap_or_default();
            (known.contains(&self.ids[1]) && !known.contains(id)).then_some(())
        };
        wait::until("the list of known peers", MOVED_WITHIN, is_written).unwrap();
        let (code, said) = ctl(self.first(), &["peers", "rm", id]);
        assert!(code == 2 && said.contains("no peer known here"), "{said}");
    }
}

#[test]
fn pins_of_a_peer_that_stays_away_go_to_others_after_the_grace_period() {
    let mut three = Three::start();
    let gone = three.ids[2].clone();
    let before = wait::until("all pins held", MOVED_WITHIN, || three.all_held()).unwrap();
    let concerned = before.iter().filter(|on| on.contains(&gone)).count();
    assert!(concerned >= 3, "what came through its door is on it: {before:?}");
    three.check_alive(&gone, concerned);

    three.cluster.rust[2].stack.clusterd.kill().unwrap();
    let died = Instant::now();
    drop(three.cluster.rust.pop());
    let first_move = wait::until("a pin that moves", MOVED_WITHIN, || {
        let moved = three.places_at(0) != before || three.places_at(1) != before;
        moved.then(|| died.elapsed())
    });
    let first_move = first_move.unwrap();
    assert!(first_move >= SOONEST, "moved {first_move:?} after the death");
    // The others have them all, and their Kubos hold them.
    let both: BTreeSet<String> = three.ids[..2].iter().cloned().collect();
    let is_everywhere = |places: &Places| places.iter().all(|on| *on == both);
    wait::until("all pins held by the others", MOVED_WITHIN, || {
        three.all_held().filter(is_everywhere)
    })
    .unwrap();
    three.remove(&gone);
}
