//! Machines that go away one after another: pins stay pinned, listed and served, and the status says
//! who is away; nothing moves by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use harness::cluster::{Cluster, allocations, members};
use harness::http::Client;
use harness::rpc::{self, good, pin_ls};
use harness::{scale, wait};
use serde_json::Value;

use super::spread::{cluster_of, content_at};

/// A peer that is away is noticed half a minute after its last ping; one call to it may last 15 s.
const NOTICED_MAX: Duration = Duration::from_secs(120);

/// A pin and who was chosen to hold it.
type Pins = BTreeMap<String, Vec<String>>;

/// Pins so often through the proxies of these machines in turn.
fn pin_through(cluster: &Cluster, places: &[usize], count: usize) -> Pins {
    let mut pins = Pins::new();
    for place in places.iter().cycle().take(count) {
        let stack = &cluster.rust[*place].stack;
        let cid = content_at(&stack.kubo);
        rpc::pin_add(&stack.client(), &[&cid]).unwrap();
        let chosen = allocations(&stack.control(), &cid).unwrap();
        assert!((2..=3).contains(&chosen.len()), "{chosen:?}");
        pins.insert(cid, chosen);
    }
    pins
}

/// The state of a pin at each peer that a peer tells of.
fn states(control: &Client, cid: &str) -> Option<BTreeMap<String, String>> {
    let answer = good(control.call("GET", &format!("/pins/{cid}"), "").ok()?).ok()?;
    let status: Value = serde_json::from_slice(&answer.body).ok()?;
    let peers = status["peer_map"].as_object()?;
    peers.iter().map(|(id, info)| Some((id.clone(), info["status"].as_str()?.to_owned()))).collect()
}

/// Looks at everything from one machine: all is listed and can be read, who is away is said to be, and
/// no record has changed.
fn look(cluster: &Cluster, from: usize, pins: &Pins, away: &[String]) {
    let stack = &cluster.rust[from].stack;
    let listed = pin_ls(&stack.client()).unwrap();
    for (cid, chosen) in pins {
        assert!(listed.contains(cid), "{cid} is listed no more");
        assert_eq!(allocations(&stack.control(), cid).unwrap(), *chosen, "{cid} has moved");
        if chosen.iter().all(|id| away.contains(id)) {
            continue;
        }
        let cat = stack.client().post(&format!("/api/v0/cat?arg={cid}&timeout=30s")).unwrap();
        assert!(good(cat).unwrap().text().starts_with("content "));
        wait::until("the right status", NOTICED_MAX, || {
            let states = states(&stack.control(), cid)?;
            let is_right = |id: &String| {
                let state = states.get(id).map(String::as_str);
                if away.contains(id) {
                    state == Some("cluster_error")
                } else {
                    state == Some("pinned")
                }
            };
            chosen.iter().all(is_right).then_some(())
        })
        .unwrap_or_else(|error| panic!("{error}: {:?}", states(&stack.control(), cid)));
    }
}

#[test]
fn machines_go_one_after_another_and_what_is_pinned_stays_so() {
    let mut cluster = cluster_of(3, 2, "[replication]\nmin = 2\nmax = 3\n");
    let pins = pin_through(&cluster, &[0, 1, 2], scale::pick(6, 12));
    let mut away = Vec::new();
    // What was pinned elsewhere a moment ago is listed at a peer once its holders have said so there.
    wait::until("all pins in the lists", NOTICED_MAX, || {
        let lists = cluster.rust.iter().map(|peer| pin_ls(&peer.stack.client()).ok());
        let lists: Vec<_> = lists.collect::<Option<_>>()?;
        pins.keys().all(|cid| lists.iter().all(|list| list.contains(cid))).then_some(())
    })
    .unwrap();
    look(&cluster, 0, &pins, &away);
    // A machine of ours: all three programs, as with a power loss.
    away.push(cluster.rust[2].id().unwrap());
    cluster.rust[2].stack.proxyd.kill().unwrap();
    cluster.rust[2].stack.clusterd.kill().unwrap();
    cluster.rust[2].stack.kubo.stop().unwrap();
    look(&cluster, 0, &pins, &away);
    // One of Go's.
    away.push(cluster.go[1].id().unwrap());
    cluster.go[1].kill().unwrap();
    cluster.go[1].kubo.stop().unwrap();
    look(&cluster, 1, &pins, &away);
    // New pins go to those that are left, once the last pings of the others ran out.
    for peer in &cluster.rust[..2] {
        wait::until("three members", NOTICED_MAX, || {
            (members(&peer.stack.control()) == Some(3)).then_some(())
        })
        .unwrap();
    }
    let late = pin_through(&cluster, &[0, 1], 2);
    assert!(late.values().flatten().all(|id| !away.contains(id)), "{late:?}");
    // All are back, and hold what they did.
    cluster.rust[2].stack.kubo.start().unwrap();
    cluster.rust[2].stack.clusterd.start().unwrap();
    cluster.rust[2].stack.proxyd.start().unwrap();
    cluster.go[1].kubo.start().unwrap();
    cluster.go[1].start().unwrap();
    look(&cluster, 2, &pins, &[]);
    // Killed again and again.
    for round in 0..scale::pick(3, 10) {
        let clusterd = &mut cluster.rust[round % 3].stack.clusterd;
        clusterd.kill().unwrap();
        clusterd.start().unwrap();
    }
    for place in 0..3 {
        look(&cluster, place, &pins, &[]);
    }
}
