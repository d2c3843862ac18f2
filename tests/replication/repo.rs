//! `repo/stat` over all members, ours and Go's.

use std::time::Duration;

use harness::cluster::Cluster;
use harness::http::{Answer, Client};
use harness::rpc::{self, good};
use harness::wait;
use serde_json::Value;

/// Members hear of each other with the first pings.
const MET_MAX: Duration = Duration::from_secs(60);

/// Blocks at each Kubo beside those that it begins with; different for each.
const CHUNKS: [usize; 2] = [3, 8];

fn stat(client: &Client, options: &str) -> Answer {
    good(client.post(&format!("/api/v0/repo/stat?{options}")).unwrap()).unwrap()
}

fn figure(answer: &Answer, name: &str) -> u64 {
    let stat: Value = serde_json::from_slice(&answer.body).unwrap();
    stat[name].as_u64().unwrap()
}

/// Gives a Kubo so many blocks that nobody else has, without a pin.
fn fill(kubo: &Client, chunks: usize) {
    let words: String = (0..chunks).map(|n| format!("{:4}{:4}", kubo_mark(kubo), n)).collect();
    rpc::add(kubo, "pin=false&raw-leaves=true&chunker=size-8", &words).unwrap();
}

/// Four letters that differ between Kubos.
fn kubo_mark(kubo: &Client) -> String {
    let id = good(kubo.post("/api/v0/id").unwrap()).unwrap();
    let id: Value = serde_json::from_slice(&id.body).unwrap();
    let id = id["ID"].as_str().unwrap();
    id[id.len() - 4..].to_owned()
}

#[test]
fn the_objects_of_all_kubos_are_summed() {
    let cluster = Cluster::start(2, 0).unwrap();
    let kubos = [0, 1].map(|place| Client::tcp(cluster.rust[place].stack.kubo.port()));
    for (kubo, chunks) in kubos.iter().zip(CHUNKS) {
        fill(kubo, chunks);
    }
    let client = cluster.rust[0].stack.client();
    let summed = wait::until("a sum over both peers", MET_MAX, || {
        let answer = stat(&client, "");
        let alone = figure(&stat(&kubos[0], ""), "NumObjects");
        (figure(&answer, "NumObjects") > alone).then_some(answer)
    })
    .unwrap();
    let own = |name| kubos.each_ref().map(|kubo| figure(&stat(kubo, ""), name));
    for name in ["NumObjects", "RepoSize"] {
        assert_eq!(figure(&summed, name), own(name).iter().sum::<u64>(), "{name}: {:?}", own(name));
    }
    // Everything goes everywhere, so the fuller one is the limit.
    let (sizes, limits) = (own("RepoSize"), own("StorageMax"));
    let free = (limits[0] - sizes[0]).min(limits[1] - sizes[1]);
    assert_eq!(figure(&summed, "StorageMax"), sizes[0] + sizes[1] + free, "{limits:?}");
    assert_eq!(summed.header("x-cluster-missing"), None);
    let sizes = stat(&client, "size-only=true");
    assert_eq!(figure(&sizes, "NumObjects"), 0);
    assert_eq!(figure(&sizes, "RepoSize"), figure(&summed, "RepoSize"));
}

#[test]
fn a_peer_of_go_gives_its_sizes_and_is_named_for_its_objects() {
    let cluster = Cluster::start(1, 1).unwrap();
    let client = cluster.rust[0].stack.client();
    let own = Client::tcp(cluster.rust[0].stack.kubo.port());
    let other = Client::tcp(cluster.go[0].kubo.port());
    fill(&other, CHUNKS[1]);
    let summed = wait::until("both peers in the sum", MET_MAX, || {
        let answer = stat(&client, "");
        answer.header("x-cluster-missing").is_some().then_some(answer)
    })
    .unwrap();
    assert_eq!(summed.header("x-cluster-missing"), Some("go-0"));
    assert_eq!(figure(&summed, "NumObjects"), figure(&stat(&own, ""), "NumObjects"));
    let sizes = [&own, &other].map(|kubo| figure(&stat(kubo, ""), "RepoSize"));
    assert_eq!(figure(&summed, "RepoSize"), sizes[0] + sizes[1], "{sizes:?}");
    // Sizes alone are all that a peer of Go needs to give.
    assert_eq!(stat(&client, "size-only=true").header("x-cluster-missing"), None);
}
