//! Garbage is collected without taking what is being pinned, or what will be.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use harness::cluster::Cluster;
use harness::error::HarnessError;
use harness::http::Client;
use harness::kubo::Kubo;
use harness::random::Random;
use harness::rpc::{self, good};
use harness::stack::{Stack, StackSetup};
use harness::{scale, wait};
use serde_json::Value;

use super::stop::StopWhenDone;
use crate::replication::spread::cluster_of;

const SOON: Duration = Duration::from_secs(60);
const WORK_MAX: Duration = Duration::from_secs(240);

/// Adders at a time, one of each kind and some more files.
const ADDERS: usize = 6;

/// Whether a Kubo itself has a whole DAG, without asking anybody.
fn has_all(kubo: &Client, cid: &str) -> bool {
    let target = format!("/api/v0/dag/stat?arg={cid}&offline=true&progress=false");
    good(kubo.post(&target).unwrap()).is_ok()
}

/// Content of many blocks, unlike any other.
fn content(seed: u64) -> Vec<u8> {
    let mut content = vec![0; 8 << 10];
    Random::seeded(seed).fill(&mut content);
    content
}

fn text(answer: &[u8], pointer: &str) -> String {
    let last = answer.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).unwrap();
    let value: Value = serde_json::from_slice(last).unwrap();
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{value}")).to_owned()
}

/// Adds in one of the ways that pin; the root.
fn add(proxy: &Client, kubo: &Client, way: usize, seed: u64) -> Result<String, HarnessError> {
    let content = content(seed);
    match way {
        0 => {
            let answer = rpc::upload(proxy, "block/put?pin=true&cid-codec=raw", &content)?;
            Ok(text(&answer.body, "/Key"))
        }
        1 => {
            let node = format!("{{\"seed\":\"{seed}\"}}");
            let answer = rpc::upload(proxy, "dag/put?pin=true", node.as_bytes())?;
            Ok(text(&answer.body, "/Cid/~1"))
        }
        2 => {
            // What is imported may be collected just before.
            let file = rpc::upload(kubo, "add?pin=true&cid-version=1&chunker=size-256", &content)?;
            let root = text(&file.body, "/Hash");
            let car = good(kubo.post(&format!("/api/v0/dag/export?arg={root}&progress=false"))?)?;
            rpc::pin_rm(kubo, &root)?;
            rpc::upload(proxy, "dag/import?stats=false", &car.body)?;
            Ok(root)
        }
        _ => {
            let answer = rpc::upload(proxy, "add?cid-version=1&chunker=size-256", &content)?;
            Ok(text(&answer.body, "/Hash"))
        }
    }
}

/// Collects at all members; the blocks that went, and the errors.
fn collect(proxy: &Client) -> (BTreeSet<String>, Vec<String>) {
    let answer = proxy.post("/api/v0/repo/gc?stream-errors=true").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (mut gone, mut errors) = (BTreeSet::new(), Vec::new());
    for line in answer.text().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        match line["Error"].as_str() {
            Some(error) => errors.push(error.to_owned()),
            None => drop(gone.insert(line["Key"]["/"].as_str().unwrap().to_owned())),
        }
    }
    (gone, errors)
}

#[test]
fn collections_take_nothing_of_what_is_being_pinned() {
    let cluster = cluster_of(2, 0, "[replication]\nmin = 2\nmax = 2\n");
    let proxies = [0, 1].map(|place| cluster.rust[place].stack.client());
    let kubos = [0, 1].map(|place| Client::tcp(cluster.rust[place].stack.kubo.port()));
    let (stop, added) = (AtomicBool::new(false), AtomicUsize::new(0));
    let base = Random::from_clock().bits();
    let (roots, rounds, gone) = thread::scope(|scope| {
        let adders: Vec<_> = (0..ADDERS)
            .map(|way| {
                let (proxies, kubos, stop, added) = (&proxies, &kubos, &stop, &added);
                scope.spawn(move || {
                    let mut roots = Vec::new();
                    for round in 0_usize.. {
                        if stop.load(Ordering::SeqCst) {
                            break;
                        }
                        let at = (way + round) % 2;
                        let seed = base.wrapping_add((round * ADDERS + way) as u64);
                        roots.push(add(&proxies[at], &kubos[at], way, seed).unwrap());
                        added.fetch_add(1, Ordering::SeqCst);
                    }
                    roots
                })
            })
            .collect();
        let (mut rounds, mut gone) = (0, BTreeSet::new());
        {
            let _stop = StopWhenDone(&stop);
            let enough = scale::pick(60, 600);
            wait::until("enough adds", WORK_MAX, || {
                // Only one collection runs at a time at each, whoever asked for it.
                let (went, errors) = collect(&proxies[rounds % 2]);
                assert_eq!(errors, Vec::<String>::new());
                gone.extend(went);
                rounds += 1;
                (added.load(Ordering::SeqCst) >= enough && rounds >= 5).then_some(())
            })
            .unwrap();
        }
        let roots: Vec<String> =
            adders.into_iter().flat_map(|adder| adder.join().unwrap()).collect();
        (roots, rounds, gone)
    });
    println!("{} adds during {rounds} collections of {} blocks", roots.len(), gone.len());
    assert!(!gone.is_empty(), "what was imported had been without a pin before");
    collect(&proxies[0]);
    for (proxy, kubo) in proxies.iter().zip(&kubos) {
        let held = rpc::pin_ls(kubo).unwrap();
        for root in &roots {
            assert!(held.contains(root), "{root} is not pinned in Kubo");
            assert!(has_all(kubo, root), "blocks of {root} are gone");
        }
        // The last ones are listed elsewhere than where they were asked for a moment later.
        wait::until("all pins in the list", SOON, || {
            let listed = rpc::pin_ls(proxy).unwrap();
            roots.iter().all(|root| listed.contains(root)).then_some(())
        })
        .unwrap();
    }
}

/// Content that a Kubo was given behind the cluster's back, without a pin.
fn litter(kubo: &Kubo) -> String {
    let words = format!("litter {}", Random::from_clock().bits());
    rpc::add(&Client::tcp(kubo.port()), "pin=false&cid-version=1&raw-leaves=true", &words).unwrap()
}

fn put_unpinned(proxy: &Client) -> String {
    let words = format!("block {}", Random::from_clock().bits());
    let answer = rpc::upload(proxy, "block/put?pin=false", words.as_bytes()).unwrap();
    text(&answer.body, "/Key")
}

#[test]
fn a_block_without_a_pin_is_spared_and_others_collect_all_the_same() {
    let cluster = Cluster::start(2, 0).unwrap();
    let [first, second] = [0, 1].map(|place| &cluster.rust[place].stack);
    let kubos = [first, second].map(|stack| Client::tcp(stack.kubo.port()));
    let block = put_unpinned(&first.client());
    let (at_first, at_second) = (litter(&first.kubo), litter(&second.kubo));
    // Asked at the other one, which hears it by the RPC between peers.
    let errors = wait::until("the collection at both", SOON, || {
        let (_, errors) = collect(&second.client());
        (!errors.is_empty()).then_some(errors)
    })
    .unwrap();
    let spared = &errors[0];
    assert!(spared.starts_with("rust-0: ") && spared.contains("until 2"), "{errors:?}");
    assert!(has_all(&kubos[0], &block) && has_all(&kubos[0], &at_first));
    assert!(!has_all(&kubos[1], &at_second), "the other one collects");
    // And at the machine itself, both by Kubo's RPC and by Go's REST API.
    let at_second = litter(&second.kubo);
    wait::until("the collection at both", SOON, || {
        let (_, errors) = collect(&first.client());
        assert!(errors[0].starts_with("rust-0: blocks were put here without a pin"), "{errors:?}");
        (!has_all(&kubos[1], &at_second)).then_some(())
    })
    .unwrap();
    let answer = first.control().post("/ipfs/gc").unwrap();
    let collected: Value = serde_json::from_slice(&answer.body).unwrap();
    let error = &collected["peer_map"][cluster.rust[0].id().unwrap()]["error"];
    assert!(error.as_str().unwrap().contains("without a pin"), "{collected}");
    assert!(has_all(&kubos[0], &block) && has_all(&kubos[0], &at_first));
}

#[test]
fn a_block_that_gets_no_pin_is_collected_in_the_end() {
    let clusterd = "gc_hold_off = \"1s\"\n".to_owned();
    let stack = Stack::start_with(&StackSetup { clusterd, ..StackSetup::default() }).unwrap();
    let kubo = Client::tcp(stack.kubo.port());
    let block = put_unpinned(&stack.client());
    wait::until("the end of the time", SOON, || {
        let (gone, errors) = collect(&stack.client());
        assert!(errors.is_empty() != gone.is_empty(), "{gone:?} {errors:?}");
        errors.is_empty().then_some(())
    })
    .unwrap();
    assert!(!has_all(&kubo, &block));
    // What is pinned is no reason to wait, and what Kubo refuses neither.
    rpc::upload(&stack.client(), "block/put?pin=true", b"pinned").unwrap();
    rpc::upload(&stack.client(), "block/put?pin=false&mhtype=none", b"refused").unwrap_err();
    let (_, errors) = collect(&stack.client());
    assert_eq!(errors, Vec::<String>::new());
}
