//! Our main cluster over ours: the calls that are no pins.

use std::fs;

use harness::composite::{Composite, Sub, with_clusterd};
use harness::http::Client;
use harness::random::Random;
use harness::rpc;
use harness::wait;
use serde_json::Value;

use super::pins::three_over_three;
use super::place::{SOON, api, assert_placed, call, chosen_subs, content_at, is_gone};

fn json(client: &Client, target: &str) -> Value {
    serde_json::from_slice(&call(client, target).body).unwrap()
}

#[test]
fn what_is_added_is_on_the_kubos_that_the_records_name_and_is_read_everywhere() {
    let all = three_over_three();
    let control = all.main[0].control();
    let words = format!("added {}", Random::from_clock().bits());
    let file = rpc::add(&all.main[0].client(), "cid-version=1&pin-name=a%20file", &words).unwrap();
    assert_placed(&all, &control, &file, "recursive", "a file");
    // The peer that was given it keeps it.
    assert!(chosen_subs(&all, &control, &file)[0]);

    let site = all.main[1].directory().join("site");
    fs::create_dir_all(site.join("deep")).unwrap();
    for number in 0..20 {
        fs::write(site.join(format!("deep/{number}")), format!("{words} {number}")).unwrap();
    }
    // Of more than one block.
    fs::write(site.join("large"), words.repeat(40_000)).unwrap();
    let root = all.main[1].ipfs().unwrap().ok(&["add", "-r", "-Q", "site"]).unwrap();
    assert_placed(&all, &control, &root, "recursive", "");
    for peer in &all.main {
        let ipfs = peer.ipfs().unwrap();
        assert_eq!(ipfs.ok(&["cat", &format!("{root}/deep/7")]).unwrap(), format!("{words} 7"));
        assert_eq!(ipfs.ok(&["cat", &file]).unwrap(), words);
    }
    let resolved = json(&all.main[2].client(), &format!("resolve?arg=/ipfs/{root}/deep/7"));
    assert!(resolved["Path"].as_str().unwrap().starts_with("/ipfs/Qm"), "{resolved}");
    // A path is pinned as what it leads to.
    let deep = json(&all.main[2].client(), &format!("pin/add?arg=/ipfs/{root}/deep"));
    let deep = deep["Pins"][0].as_str().unwrap();
    assert_placed(&all, &control, deep, "recursive", "");
    rpc::pin_rm(&all.main[0].client(), &root).unwrap();
    wait::until("the end of a pin below", SOON, || is_gone(&all, &root).then_some(())).unwrap();
}

/// Two main peers over sub-clusters of two and of one Kubo.
fn two_over_two() -> Composite {
    let all = Composite::start(&with_clusterd(""), &[Sub::of(2, ""), Sub::of(1, "")]).unwrap();
    let probe = content_at(&all.subs[0].rust[0].stack.kubo);
    rpc::pin_add(&all.main[0].client(), &[&probe]).unwrap();
    all
}

fn has(kubo: &Client, cid: &str) -> bool {
    kubo.post(&format!("/api/v0/block/stat?offline=true&arg={cid}"))
        .is_ok_and(|answer| answer.status == 200)
}

#[test]
fn collections_reach_every_kubo_and_spare_what_was_put_without_a_pin() {
    let all = two_over_two();
    let kubos: Vec<Client> = (0..2).flat_map(|sub| all.kubos_of(sub)).map(api).collect();
    let litter: Vec<String> = (0..2).flat_map(|sub| all.kubos_of(sub)).map(content_at).collect();
    let client = all.main[0].client();
    let text = call(&client, "repo/gc").text();
    for (kubo, cid) in kubos.iter().zip(&litter) {
        assert!(!has(kubo, cid), "{cid} was not collected: {text}");
    }
    let words = format!("block {}", Random::from_clock().bits());
    let put = rpc::upload(&client, "block/put?pin=false&cid-codec=raw", words.as_bytes()).unwrap();
    let put: Value = serde_json::from_slice(&put.body).unwrap();
    let block = put["Key"].as_str().unwrap();
    assert_eq!(call(&client, &format!("block/get?arg={block}")).text(), words);
    let other = content_at(&all.subs[1].rust[0].stack.kubo);
    // Both proxies know: that of the main peer, and that of the sub-cluster for those of its own users.
    for collector in [&client, &all.main[1].client(), &all.subs[0].rust[1].stack.client()] {
        let answer = collector.post("/api/v0/repo/gc?stream-errors=true").unwrap();
        assert!(answer.text().contains("without a pin"), "{}", answer.text());
        assert!(has(&kubos[0], block), "the block was collected");
    }
    assert!(!has(&kubos[2], &other), "the other Kubos are collected all the same");
    rpc::pin_add(&client, &[block]).unwrap();
    assert_placed(&all, &all.main[0].control(), block, "recursive", "");
}

#[test]
fn the_daemon_of_a_main_peer_answers_as_a_kubo_does() {
    let all = two_over_two();
    let kubos: Vec<Client> = (0..2).flat_map(|sub| all.kubos_of(sub)).map(api).collect();
    for (place, peer) in all.main.iter().enumerate() {
        // Of a sub-cluster it is its first Kubo that answers what no cluster needs to.
        let (client, kubo) = (peer.client(), &kubos[2 * place]);
        assert_eq!(json(&client, "id")["ID"], json(kubo, "id")["ID"]);
        assert_eq!(json(&client, "config/show"), json(kubo, "config/show"));
        let peers = json(&client, "swarm/peers")["Peers"].as_array().unwrap().len();
        assert_eq!(peers, kubos.len() - 1);
    }
    let figure = |client: &Client, name: &str| {
        json(client, "repo/stat?size-only=true")[name].as_u64().unwrap()
    };
    let sum = |name: &str| kubos.iter().map(|kubo| figure(kubo, name)).sum::<u64>();
    let told = wait::until("the sum over all Kubos", SOON, || {
        let client = all.main[1].client();
        (figure(&client, "RepoSize") == sum("RepoSize")).then(|| figure(&client, "StorageMax"))
    });
    // As much as can be taken with all copies that are made: less than there is.
    let (told, space) = (told.unwrap(), sum("StorageMax"));
    assert!(told > sum("RepoSize") && told < space, "{told} of {space}");
}
