//! Adding in a cluster of Go's and our peers, each with a Kubo of its own that is looked at directly.

use std::process::Command;
use std::time::{Duration, Instant};

use harness::cluster::Cluster;
use harness::daemon::control_socket;
use harness::http::Client;
use harness::kubo::Kubo;
use harness::{go_cluster, peers, wait};
use serde_json::Value;

use super::work::{has_all, holds, ok, run, site};

/// Metrics, pins and content travel within seconds; a loaded machine takes longer.
const SOON: Duration = Duration::from_secs(120);

fn at_go(cluster: &Cluster) -> Command {
    let mut command = Command::new(peers::cluster_ctl().unwrap());
    command.arg("--host").arg(cluster.go[0].rest_address().unwrap());
    command.current_dir(cluster.directory());
    command
}

fn at_ours(cluster: &Cluster, place: usize) -> Command {
    let socket = control_socket(cluster.rust[place].stack.directory());
    let mut command = go_cluster::ctl(&socket).unwrap();
    command.current_dir(cluster.directory());
    command
}

/// One of Go's and two of ours, each of which can choose among all three.
fn mixed() -> Cluster {
    let cluster = Cluster::start(2, 1).unwrap();
    // The empty directory, which every Kubo has.
    let known = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn";
    for control in cluster.controls() {
        wait::until("a peer to know all three", SOON, || {
            let options = "replication-min=3&replication-max=3";
            harness::cluster::pin(&control, known, options).ok()
        })
        .unwrap();
    }
    cluster
}

fn wait_held(cluster: &Cluster, held: &[bool; 3], cid: &str) {
    wait::until("the pin where it was asked for, and nowhere else", SOON, || {
        (are_holding(cluster, cid) == *held).then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}: {cid} is held by {:?}", are_holding(cluster, cid)));
}

/// How many calls have put blocks into a Kubo that remembers them.
fn puts(kubo: &Kubo) -> u64 {
    let commands = Client::tcp(kubo.port()).post("/api/v0/diag/cmds").unwrap().text();
    commands.matches("\"Command\":\"block/put\"").count() as u64
}

/// How many blocks a DAG has.
fn blocks_of(kubo: &Kubo, root: &str) -> u64 {
    let target = format!("/api/v0/dag/stat?arg={root}&offline=true&progress=false");
    let answer = Client::tcp(kubo.port()).post(&target).unwrap();
    let stat: Value = serde_json::from_slice(&answer.body).unwrap();
    stat["DagStats"][0]["NumBlocks"].as_u64().unwrap()
}

/// Whether Go's Kubo and those of ours hold a pin.
fn are_holding(cluster: &Cluster, cid: &str) -> [bool; 3] {
    let [one, two] = [0, 1].map(|place| holds(&cluster.rust[place].stack.kubo, cid));
    [holds(&cluster.go[0].kubo, cid), one, two]
}

#[test]
fn what_is_added_at_a_go_peer_lands_on_our_kubos() {
    let mut cluster = mixed();
    let kubo = Client::tcp(cluster.rust[0].stack.kubo.port());
    harness::rpc::good(kubo.post("/api/v0/diag/cmds/set-time?arg=1h").unwrap()).unwrap();
    let ours = [0, 1].map(|place| cluster.rust[place].id().unwrap());
    let chosen = ours.join(",");
    let options = ["add", "-r", "-Q", "--rmin", "2", "--rmax", "2", "--allocs", &chosen];
    for (seed, more) in
        [(10, &[][..]), (11, &["--cid-version", "1"]), (12, &["--hash", "blake2b-256"])]
    {
        site(cluster.directory(), seed);
        let path = format!("{seed}/site");
        let (start, before) = (Instant::now(), puts(&cluster.rust[0].stack.kubo));
        let root = ok(at_go(&cluster), &[&options[..], more, &[&path]].concat());
        println!("{more:?} took {:?}", start.elapsed());
        let root = root.trim();
        // At once: the blocks were streamed. The pins may still be on their way.
        for peer in &cluster.rust {
            assert!(has_all(&peer.stack.kubo, root), "{more:?}: a block of {root} is missing");
        }
        let calls = puts(&cluster.rust[0].stack.kubo) - before;
        let blocks = blocks_of(&cluster.rust[0].stack.kubo, root);
        println!("{blocks} blocks in {calls} calls to Kubo");
        assert!(calls > 0 && calls < blocks, "{blocks} blocks in {calls} calls");
        wait_held(&cluster, &[false, true, true], root);
    }
    // Until a while later those streamed blocks might belong to a pin that comes last.
    let answer = cluster.rust[0].stack.control().post("/ipfs/gc").unwrap();
    let collected: Value = serde_json::from_slice(&answer.body).unwrap();
    for id in &ours {
        let error = collected["peer_map"][id]["error"].as_str().unwrap();
        assert!(error.contains("no garbage is collected until "), "{id}: {collected}");
    }
    let gos = &collected["peer_map"][cluster.go[0].id().unwrap()];
    assert!(gos["keys"].is_array() && gos["error"].is_null(), "{collected}");
    // A peer that cannot take the blocks says so, and Go says it to its client.
    site(cluster.directory(), 13);
    for peer in &mut cluster.rust {
        peer.stack.kubo.stop().unwrap();
    }
    let ran = run(at_go(&cluster), &[&options[..], &["13/site"]].concat());
    assert!(ran.code != 0, "{}{}", ran.out, ran.err);
}

#[test]
fn what_is_added_at_one_of_ours_lands_on_the_peers_that_were_chosen() {
    let cluster = mixed();
    cluster.connect_kubos().unwrap();
    let go = cluster.go[0].id().unwrap();
    let other = cluster.rust[1].id().unwrap();
    // Here first, and at the peer that was named.
    site(cluster.directory(), 20);
    let options = ["add", "-r", "-Q", "--rmin", "2", "--rmax", "2", "--wait", "--allocs"];
    let root = ok(at_ours(&cluster, 0), &[&options[..], &[&go, "20/site"]].concat());
    assert!(has_all(&cluster.go[0].kubo, root.trim()), "it was waited for");
    wait_held(&cluster, &[true, true, false], root.trim());
    // The named ones alone: this machine lets go once they hold it.
    site(cluster.directory(), 21);
    let both = format!("{go},{other}");
    let root = ok(at_ours(&cluster, 0), &[&options[..], &[&both, "21/site"]].concat());
    wait_held(&cluster, &[true, false, true], root.trim());
    // Without names, here and at one more.
    site(cluster.directory(), 22);
    let plain = ["add", "-r", "-Q", "--rmin", "2", "--rmax", "2", "--wait", "22/site"];
    let root = ok(at_ours(&cluster, 1), &plain);
    wait::until("two peers, this one among them", SOON, || {
        let held = are_holding(&cluster, root.trim());
        (held[2] && held.iter().filter(|held| **held).count() == 2).then_some(())
    })
    .unwrap();
}

#[test]
fn our_answers_are_gos() {
    let cluster = mixed();
    let site = site(cluster.directory(), 30);
    let car = cluster.go[0].kubo.ipfs(cluster.directory());
    let root = car.ok(&["add", "-r", "-Q", "--pin=false", "30/site"]).unwrap();
    let car = car.command(&["dag", "export", &root]).output().unwrap();
    std::fs::write(cluster.directory().join("site.car"), car.stdout).unwrap();
    let large = site.join("large.bin");
    let large = large.to_str().unwrap();
    for args in [
        &["add", large][..],
        &["add", "-q", "--cid-version", "1", large],
        &["add", "--layout", "trickle", large],
        &["add", "--chunker", "rabin-1000-2000-4000", large],
        &["add", "--hash", "sha2-512", large],
        &["add", "--raw-leaves", "-Q", large],
        &["add", "--wrap-with-directory", large],
        &["add", "-r", "30/site"],
        &["add", "-r", "--hidden", "--cid-version", "1", "30/site"],
        &["add", "-r", "-w", "30/site"],
        &["add", "-r", large, "30/site"],
        &["add", "--format", "car", "site.car"],
        &["add", "30/site"],
        &["add", "--chunker", "axe", large],
        &["add", "--layout", "flat", large],
        &["add", "--format", "car", large],
    ] {
        let (gos, ours) = (run(at_go(&cluster), args), run(at_ours(&cluster, 0), args));
        assert_eq!(sorted(&ours.out), sorted(&gos.out), "{args:?}: {}{}", ours.err, gos.err);
        assert_eq!(ours.code, gos.code, "{args:?}: {}{}", ours.err, gos.err);
    }
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// A raw look at the lines: names of fields and headers are those that Go's own clients read.
#[test]
fn the_wire_is_gos() {
    let cluster = mixed();
    let controls = [cluster.rust[0].stack.control(), cluster.go[0].control().unwrap()];
    let answers = controls.map(|control| upload(&control));
    let [ours, gos] = answers;
    assert_eq!(ours.0, gos.0, "the lines");
    for name in ["content-type", "cache-control", "x-chunked-output", "trailer"] {
        let value = |headers: &[(String, String)]| {
            headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone())
        };
        assert_eq!(value(&ours.1), value(&gos.1), "{name}");
    }
}

type Headers = Vec<(String, String)>;

/// Uploads two files with progress; the lines without allocations, sorted, and the headers.
fn upload(control: &Client) -> (Vec<String>, Headers) {
    use harness::rpc::{BOUNDARY, part_end};
    let part = |name: &str, content: &str| {
        format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n{content}\r\n"
        )
    };
    let body = part("a", "one") + &part("b%20c", "two") + part_end().trim_start();
    let mut connection = control.connect().unwrap();
    let head = format!(
        "POST /add?wrap-with-directory=true&progress=true HTTP/1.1\r\nHost: x\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.send(head.as_bytes()).unwrap();
    let answer = harness::rpc::good(connection.answer(false).unwrap()).unwrap();
    let mut lines: Vec<String> = answer.text().lines().map(without_allocations).collect();
    lines.sort();
    (lines, answer.headers)
}

fn without_allocations(line: &str) -> String {
    let mut line: Value = serde_json::from_str(line).unwrap();
    line.as_object_mut().unwrap().remove("allocations");
    line.to_string()
}
