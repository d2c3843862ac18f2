//! What the main cluster says of a pin is what is so below: on its way, failed and why, held, lost.

use std::time::Duration;

use harness::cluster::{allocations, pin, unpin};
use harness::composite::{Composite, Sub, Upper, with_clusterd};
use harness::http::Client;
use harness::random::Random;
use harness::rpc::{self, good};
use harness::{scale, wait};
use serde_json::Value;

use super::place::{SOON, api, call, content_at, held};

/// The same at every level: that of the sub-cluster must come first all the same.
const IMPATIENT: &str = "pin_timeout = \"4s\"\ncall_timeout = \"3s\"\n\
    [tracker]\nretry_after = \"1s\"\nretry_after_max = \"4s\"\naudit_every = \"2s\"\n";

/// A main peer asks its daemon each minute how it gets on.
const HEARD_WITHIN: Duration = Duration::from_secs(120);

/// What a main peer itself says of a pin.
pub(super) struct State {
    pub(super) status: String,
    pub(super) error: String,
    pub(super) nodes: u64,
}

pub(super) fn state(peer: &Upper, cid: &str) -> State {
    let path = format!("/pins/{cid}?local=true");
    let answer = good(peer.control().call("GET", &path, "").unwrap()).unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    let here = answer["peer_map"].as_object().unwrap().values().next().unwrap();
    State {
        status: here["status"].as_str().unwrap().to_owned(),
        error: here["error"].as_str().unwrap_or_default().to_owned(),
        nodes: here["progress"]["nodes"].as_u64().unwrap_or_default(),
    }
}

/// Waits for a status; what it must not be meanwhile is `pinned`, unless that is waited for.
pub(super) fn wait_for(peer: &Upper, cid: &str, status: &str) -> State {
    let look = || {
        let state = state(peer, cid);
        assert!(state.status != "pinned" || status == "pinned", "{cid} is said to be pinned");
        (state.status == status).then_some(state)
    };
    wait::until(&format!("{cid} to be {status}"), SOON, look).unwrap()
}

/// One main peer over one sub-cluster of ours.
fn one_over(peers: usize, replication: &str) -> Composite {
    one_with(IMPATIENT, peers, replication)
}

fn one_with(main: &str, peers: usize, replication: &str) -> Composite {
    let main = with_clusterd(main);
    let all = Composite::start(&main, &[Sub::of(peers, &format!("{IMPATIENT}{replication}"))]);
    let all = all.unwrap();
    let (client, probe) = (all.main[0].client(), content_at(&all.subs[0].rust[0].stack.kubo));
    wait::until("a first pin", SOON, || rpc::pin_add(&client, &[&probe]).ok()).unwrap();
    all
}

/// Of many small blocks, at this Kubo alone and without a pin; its root and its last block.
fn broad(kubo: &Client) -> (String, String) {
    let mark = Random::from_clock().bits();
    let words: String = (0..40).map(|number| format!("{mark:020}{number:012}")).collect();
    let options = "pin=false&cid-version=1&raw-leaves=true&chunker=size-32";
    let root = rpc::add(kubo, options, &words).unwrap();
    let refs = call(kubo, &format!("refs?arg={root}")).text();
    let last = refs.lines().last().unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    (root, last["Ref"].as_str().unwrap().to_owned())
}

fn block(kubo: &Client, cid: &str) -> Vec<u8> {
    call(kubo, &format!("block/get?arg={cid}")).body
}

#[test]
fn what_is_partly_there_gets_on_then_fails_with_the_cause_below_and_heals_by_itself() {
    let all = one_over(2, "[replication]\nmin = 1\nmax = 1\n");
    let (main, sub) = (&all.main[0], &all.subs[0]);
    let source = api(&sub.rust[0].stack.kubo);
    let other = sub.rust[1].id().unwrap();
    // Until it is one for the peer that the main cluster does not talk to.
    let (root, last, lost) = wait::until("a pin at the other peer", SOON, || {
        let (root, last) = broad(&source);
        let lost = block(&source, &last);
        call(&source, &format!("block/rm?arg={last}"));
        pin(&main.control(), &root, "name=parts").unwrap();
        let at_other = wait::until("the pin below", SOON, || {
            allocations(&sub.rust[0].stack.control(), &root).ok()
        });
        if at_other.unwrap() == [other.clone()] {
            return Some((root, last, lost));
        }
        unpin(&main.control(), &root).unwrap();
        None
    })
    .unwrap();
    let far = wait::until("progress at the main peer", SOON, || {
        let state = state(main, &root);
        assert_ne!(state.status, "pinned");
        (state.nodes > 10).then_some(state)
    });
    assert_eq!(far.unwrap().status, "pinning");
    let failed = wait_for(main, &root, "pin_error");
    let kubo = sub.rust[1].stack.kubo.api();
    assert!(failed.error.contains(&kubo), "{} does not name {kubo}", failed.error);
    assert!(!rpc::pin_ls(&main.client()).unwrap().contains(&root));
    let put = "block/put?pin=false&cid-codec=raw";
    let back = rpc::upload(&source, put, &lost).unwrap().text();
    assert!(back.contains(&last), "{back}");
    wait_for(main, &root, "pinned");
    assert_eq!(held(&api(&sub.rust[1].stack.kubo), &root).unwrap().1, "parts");
}

#[test]
fn a_pin_counts_once_the_fewest_kubos_of_the_sub_cluster_hold_it() {
    // In full size the main peer does not try again: it hears that the sub-cluster got on.
    let patient = "pin_timeout = \"4s\"\n[tracker]\nretry_after = \"1h\"\n";
    let main = scale::pick(IMPATIENT, patient);
    let mut all = one_with(main, 2, "[replication]\nmin = 2\nmax = 2\n");
    let cid = content_at(&all.subs[0].rust[0].stack.kubo);
    all.subs[0].rust[1].stack.kubo.stop().unwrap();
    pin(&all.main[0].control(), &cid, "").unwrap();
    let failed = wait_for(&all.main[0], &cid, "pin_error");
    let kubo = all.subs[0].rust[1].stack.kubo.api();
    assert!(failed.error.contains(&kubo), "{} does not name {kubo}", failed.error);
    // One holds it, which is one too few.
    assert!(held(&api(&all.subs[0].rust[0].stack.kubo), &cid).is_some());
    assert!(!rpc::pin_ls(&all.main[0].client()).unwrap().contains(&cid));
    all.subs[0].rust[1].stack.kubo.start().unwrap();
    all.connect_kubos().unwrap();
    let is_pinned = || (state(&all.main[0], &cid).status == "pinned").then_some(());
    wait::until("what is pinned below to be so above", HEARD_WITHIN, is_pinned).unwrap();
    assert!(held(&api(&all.subs[0].rust[1].stack.kubo), &cid).is_some());
}

#[test]
fn while_all_kubos_below_are_away_a_pin_fails_and_is_made_once_they_are_back() {
    let mut all = one_over(2, "");
    let cid = content_at(&all.subs[0].rust[0].stack.kubo);
    for peer in &mut all.subs[0].rust {
        peer.stack.kubo.stop().unwrap();
    }
    pin(&all.main[0].control(), &cid, "").unwrap();
    let failed = wait::until("the failure", SOON, || {
        let state = state(&all.main[0], &cid);
        assert_ne!(state.status, "pinned");
        (!state.error.is_empty()).then_some(state)
    });
    let failed = failed.unwrap();
    assert!(failed.error.contains("ipfs"), "{}", failed.error);
    assert!(["pin_error", "pin_queued"].contains(&failed.status.as_str()), "{}", failed.status);
    for peer in &mut all.subs[0].rust {
        peer.stack.kubo.start().unwrap();
    }
    all.connect_kubos().unwrap();
    wait_for(&all.main[0], &cid, "pinned");
}

#[test]
fn a_sub_cluster_that_answers_once_it_has_accepted_is_asked_until_it_holds_the_pin() {
    let mut sub = Sub::of(1, IMPATIENT);
    sub.setup.proxyd = "wait = \"accepted\"\n".to_owned();
    let all = Composite::start(&with_clusterd(IMPATIENT), &[sub]).unwrap();
    let (main, stack) = (&all.main[0], &all.subs[0].rust[0].stack);
    let words = format!("late {}", Random::from_clock().bits());
    let options = "only-hash=true&cid-version=1&raw-leaves=true";
    let cid = rpc::add(&api(&stack.kubo), options, &words).unwrap();
    pin(&main.control(), &cid, "").unwrap();
    // It has answered, and failed since; neither counts as pinned.
    let failed_below = || {
        assert_ne!(state(main, &cid).status, "pinned");
        let answer = stack.control().call("GET", &format!("/pins/{cid}"), "").unwrap();
        answer.text().contains("pin_error").then_some(())
    };
    wait::until("the failure below", SOON, failed_below).unwrap();
    let options = "pin=false&cid-version=1&raw-leaves=true";
    rpc::add(&api(&stack.kubo), options, &words).unwrap();
    wait_for(main, &cid, "pinned");
    assert!(held(&api(&stack.kubo), &cid).is_some());
}

#[test]
fn what_the_sub_cluster_loses_is_not_said_to_be_pinned_until_it_is_again() {
    let all = one_over(1, "");
    let (main, stack) = (&all.main[0], &all.subs[0].rust[0].stack);
    let words = format!("lost and found {}", Random::from_clock().bits());
    let options = "pin=false&cid-version=1&raw-leaves=true";
    let cid = rpc::add(&api(&stack.kubo), options, &words).unwrap();
    rpc::pin_add(&main.client(), &[&cid]).unwrap();
    // Its own users unpin it, and a collection takes the content.
    rpc::pin_rm(&stack.client(), &cid).unwrap();
    call(&api(&stack.kubo), &format!("block/rm?arg={cid}"));
    wait::until("the loss", SOON, || (state(main, &cid).status != "pinned").then_some(())).unwrap();
    assert!(!rpc::pin_ls(&main.client()).unwrap().contains(&cid));
    let failed = wait_for(main, &cid, "pin_error");
    assert!(failed.error.contains(&stack.kubo.api()), "{}", failed.error);
    rpc::add(&api(&stack.kubo), options, &words).unwrap();
    wait_for(main, &cid, "pinned");
    assert!(held(&api(&stack.kubo), &cid).is_some());
}

#[test]
fn a_sub_cluster_that_is_gone_is_replaced_when_the_main_cluster_is_told_to() {
    let main =
        with_clusterd("[pinset]\nrebroadcast_every = \"3s\"\n[replication]\nmin = 2\nmax = 2\n");
    let mut all =
        Composite::start(&main, &[Sub::of(1, ""), Sub::of(1, ""), Sub::of(1, "")]).unwrap();
    let (last, control) = (all.main[2].id().unwrap(), all.main[0].control());
    // What is added at the last peer is kept there, once it knows how much its daemon can take.
    let add = || {
        let words = format!("to be moved {}", Random::from_clock().bits());
        let options = "cid-version=1&raw-leaves=true";
        let cid = rpc::add(&all.main[2].client(), options, &words).ok()?;
        let chosen = allocations(&all.main[2].control(), &cid).unwrap();
        chosen.contains(&last).then_some((words, cid))
    };
    let (words, cid) = wait::until("a pin at the last peer", SOON, add).unwrap();
    let before = wait::until("two holders", SOON, || {
        allocations(&control, &cid).ok().filter(|chosen| chosen.len() == 2)
    });
    let before = before.unwrap();
    assert!(before.contains(&last), "{before:?}");
    let ids: Vec<String> = all.main.iter().map(|peer| peer.id().unwrap()).collect();
    let other = ids.iter().position(|id| *id != last && before.contains(id)).unwrap();
    wait::until("the second copy", SOON, || held(&api(&all.subs[other].rust[0].stack.kubo), &cid))
        .unwrap();
    // The machines are gone, with the main cluster's peer on them.
    drop(all.main.pop());
    drop(all.subs.pop());
    let repin = || {
        let said = all.main[other].clusterdctl().unwrap().args(["repin", &last]).output().unwrap();
        let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
        println!("{said}");
        said.contains("1 pins move").then_some(())
    };
    // As long as the third one has not told its space, there is nobody to take it.
    wait::until("a peer that can take it", SOON, repin).unwrap();
    for sub in 0..2 {
        let kubo = api(&all.subs[sub].rust[0].stack.kubo);
        wait::until("a new copy", SOON, || held(&kubo, &cid)).unwrap();
    }
    wait::until("the new holders in the record", SOON, || {
        let after = allocations(&control, &cid).unwrap();
        (after.len() == 2 && !after.contains(&last)).then_some(())
    })
    .unwrap();
    assert_eq!(call(&all.main[1].client(), &format!("cat?arg={cid}")).text(), words);
}
