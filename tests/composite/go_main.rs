//! Go's main cluster over ours: its peers have the proxy of a sub-cluster for their Kubo, and do not know.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use harness::cluster::allocations;
use harness::composite::{Composite, Sub, with_clusterd};
use harness::http::{Answer, Client};
use harness::peers;
use harness::random::Random;
use harness::rpc::{self, good};
use harness::wait;
use serde_json::{Value, json};

use super::place::{api, content_at, everywhere, held, is_gone};

/// Go looks every now and then.
const SOON: Duration = Duration::from_secs(60);

/// Sub-clusters of two Kubos and of one, which give up sooner than Go does.
fn go_over_two() -> Composite {
    let sub = |peers| Sub {
        rust: peers,
        setup: with_clusterd("pin_timeout = \"3s\"\n[tracker]\nretry_after = \"1s\"\n"),
        ..Sub::default()
    };
    Composite::start_go(&[sub(2), sub(1)], |config| {
        config["ipfs_connector"]["ipfshttp"]["pin_timeout"] = json!("20s");
        config["cluster"]["pin_recover_interval"] = json!("1h");
    })
    .unwrap()
}

/// What Go's own command line said, and whether it was content.
fn run(all: &Composite, args: &[&str]) -> (bool, String) {
    let host = format!("/ip4/127.0.0.1/tcp/{}", all.go_main[0].rest_port());
    let mut command = std::process::Command::new(peers::cluster_ctl().unwrap());
    command.args(["--host", &host]).args(args).current_dir(all.directory());
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn ctl(all: &Composite, args: &[&str]) -> String {
    let (is_good, said) = run(all, args);
    assert!(is_good, "{args:?}: {said}");
    said
}

/// The states and the errors that Go's peers tell of a pin.
fn states(all: &Composite, cid: &str) -> Vec<(String, String)> {
    let control = Client::tcp(all.go_main[0].rest_port());
    let answer = good(control.call("GET", &format!("/pins/{cid}"), "").unwrap()).unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    let peers = answer["peer_map"].as_object().unwrap().values();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    peers.map(|peer| (text(&peer["status"]), text(&peer["error"]))).collect()
}

fn wait_for(all: &Composite, cid: &str, status: &str) -> Vec<(String, String)> {
    wait::until(&format!("{cid} to be {status} at Go's peers"), SOON, || {
        let states = states(all, cid);
        let is_wrong = |(now, _): &(String, String)| now == "pinned" && status != "pinned";
        assert!(!states.iter().any(is_wrong), "{states:?}");
        states.iter().all(|(now, _)| now == status).then_some(states)
    })
    .unwrap()
}

fn all_hold(all: &Composite, cid: &str, kind: &str) {
    let held = everywhere(all, cid).concat();
    let is_so = |held: &Option<(String, String)>| held.as_ref().is_some_and(|held| held.0 == kind);
    assert!(held.iter().all(is_so), "{cid}: {held:?}");
}

#[test]
fn gos_command_line_pins_updates_collects_and_unpins_through_us() {
    let all = go_over_two();
    let kubo = |sub: usize, place: usize| &all.subs[sub].rust[place].stack.kubo;

    let plain = content_at(kubo(0, 1));
    ctl(&all, &["pin", "add", "--name", "lost on the way", "--wait", &plain]);
    all_hold(&all, &plain, "recursive");
    let direct = content_at(kubo(1, 0));
    ctl(&all, &["pin", "add", "--mode", "direct", "--wait", &direct]);
    all_hold(&all, &direct, "direct");
    let next = content_at(kubo(0, 0));
    ctl(&all, &["pin", "update", &plain, &next]);
    wait_for(&all, &next, "pinned");
    all_hold(&all, &next, "recursive");
    for cid in [&plain, &next, &direct] {
        wait_for(&all, cid, "pinned");
    }

    // One is not there any more where it is to be removed.
    rpc::pin_rm(&all.subs[1].rust[0].stack.client(), &plain).unwrap();
    wait_for_recovered(&all, &plain);
    rpc::pin_rm(&all.subs[0].rust[1].stack.client(), &next).unwrap();
    for cid in [&plain, &next, &direct] {
        ctl(&all, &["pin", "rm", cid]);
        wait::until("the end of a pin below", SOON, || is_gone(&all, cid).then_some(())).unwrap();
        let (is_good, said) = run(&all, &["pin", "rm", cid]);
        assert!(!is_good && said.contains("not part of the pinset"), "{said}");
    }
    let errors = ctl(&all, &["status", "--filter", "error"]);
    assert!(!errors.contains("ERROR"), "{errors}");

    let litter = [content_at(kubo(0, 0)), content_at(kubo(0, 1)), content_at(kubo(1, 0))];
    let said = ctl(&all, &["ipfs", "gc"]);
    assert!(litter.iter().all(|cid| said.contains(cid)), "{said}");

    let large = Random::from_clock().bits().to_string().repeat(100_000);
    fs::write(all.directory().join("large"), large).unwrap();
    let root = ctl(&all, &["add", "-Q", "--wait", "large"]);
    all_hold(&all, root.trim(), "recursive");
}

/// Go says that it is not as it shall be, and `recover` mends it.
fn wait_for_recovered(all: &Composite, cid: &str) {
    wait::until("a loss that Go sees", SOON, || {
        states(all, cid).iter().any(|(now, _)| now == "unexpectedly_unpinned").then_some(())
    })
    .unwrap();
    ctl(all, &["recover", cid]);
    wait_for(all, cid, "pinned");
    all_hold(all, cid, "recursive");
}

#[test]
fn what_nobody_has_is_never_pinned_to_go() {
    let all = go_over_two();
    let nothing = Random::from_clock().cid_of_nothing();
    ctl(&all, &["pin", "add", "--no-status", &nothing]);
    wait_for(&all, &nothing, "pinning");
    wait_for(&all, &nothing, "pin_error");
    assert_eq!(everywhere(&all, &nothing).concat(), vec![None; 3]);
    let said = ctl(&all, &["status", &nothing]);
    assert!(said.contains("PIN_ERROR") && !said.contains("PINNED"), "{said}");
    ctl(&all, &["pin", "rm", &nothing]);
    wait::until("the end of a pin below", SOON, || is_gone(&all, &nothing).then_some(())).unwrap();
}

/// As Go's connector calls.
fn go(client: &Client, target: &str) -> Answer {
    let agent = "User-Agent: Go-http-client/1.1\r\nContent-Type: \r\n";
    client.call("POST", &format!("/api/v0/{target}"), agent).unwrap()
}

fn lines(answer: Answer) -> Vec<Value> {
    let text = good(answer).unwrap().text();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn words(answer: &Answer) -> String {
    assert_ne!(answer.status, 200, "{}", answer.text());
    let error: Value = serde_json::from_slice(&answer.body).unwrap();
    error["Message"].as_str().unwrap().to_owned()
}

/// Each call of Go's connector, in the shape that it sends it. Source: `contract.md` 4.
#[test]
fn every_call_of_gos_connector_is_answered_as_it_reads_it() {
    let setup = with_clusterd("pin_timeout = \"2s\"\n");
    let all = Composite::start(&setup, &[Sub::of(2, "")]).unwrap();
    let sub = &all.subs[0];
    let client = sub.rust[0].stack.client();
    let kubo = api(&sub.rust[0].stack.kubo);
    let [one, two] = [0, 1].map(|_| content_at(&sub.rust[1].stack.kubo));

    let id = &lines(go(&client, "id"))[0];
    assert!(id["ID"].is_string() && id["Addresses"].is_array(), "{id}");
    let look =
        |cid: &str, kind: &str| go(&client, &format!("pin/ls?stream=true&arg={cid}&type={kind}"));
    assert!(words(&look(&one, "recursive")).ends_with("not pinned"));
    let told = lines(go(&client, &format!("pin/add?arg={one}&recursive=true&progress=true")));
    assert_eq!(told.last().unwrap()["Pins"], json!([one]));
    let told = format!("pin/add?arg={two}&recursive=true&max-depth=2&progress=true");
    assert_eq!(lines(go(&client, &told)).last().unwrap()["Pins"], json!([two]));
    for cid in [&one, &two] {
        let found = lines(look(cid, "recursive"));
        assert_eq!((&found[0]["Cid"], &found[0]["Type"]), (&json!(cid), &json!("recursive")));
        assert!(words(&look(cid, "direct")).ends_with("not pinned"));
        assert!(allocations(&sub.rust[0].stack.control(), cid).is_ok());
        assert!(held(&kubo, cid).is_some());
    }
    let all_pins = lines(go(&client, "pin/ls?stream=true&type=recursive"));
    assert_eq!(all_pins.len(), 2, "{all_pins:?}");
    let three = content_at(&sub.rust[0].stack.kubo);
    good(go(&client, &format!("pin/update?arg={one}&arg={three}&unpin=false"))).unwrap();
    assert!(held(&kubo, &one).is_some() && held(&kubo, &three).is_some());
    for cid in [&one, &two, &three] {
        good(go(&client, &format!("pin/rm?arg={cid}"))).unwrap();
        assert_eq!(
            words(&go(&client, &format!("pin/rm?arg={cid}"))),
            "not pinned or pinned indirectly"
        );
    }
    let stat = &lines(go(&client, "repo/stat?size-only=true"))[0];
    assert!(stat["RepoSize"].is_u64() && stat["StorageMax"].is_u64(), "{stat}");
    let gone = lines(go(&client, "repo/gc?stream-errors=true"));
    assert!(gone.iter().any(|line| line["Key"]["/"] == json!(three)), "{gone:?}");
    let peers = &lines(go(&client, "swarm/peers"))[0];
    assert!(peers["Peers"][0]["Peer"].is_string(), "{peers}");
    let other = sub.rust[1].stack.kubo.swarm_address().unwrap();
    good(go(&client, &format!("swarm/connect?arg={other}"))).unwrap();
    assert!(lines(go(&client, "config/show"))[0]["Datastore"].is_object());
    let put = "block/put?cid-codec=raw&mhtype=sha2-256&mhlen=-1&pin=false&allow-big-block=true";
    let put = lines(rpc::upload(&client, put, b"a block").unwrap());
    let key = put[0]["Key"].as_str().unwrap();
    assert_eq!(go(&client, &format!("block/get?arg={key}")).text(), "a block");
    let path = &lines(go(&client, &format!("resolve?arg=/ipfs/{key}")))[0];
    assert_eq!(path["Path"], json!(format!("/ipfs/{key}")));
}

/// Go looks at the end of the body alone: a late failure must not look like a good one.
#[test]
fn a_late_failure_breaks_the_answer_to_go() {
    let sub = with_clusterd("pin_timeout = \"2s\"\n");
    let all =
        Composite::start(&with_clusterd(""), &[Sub { rust: 1, setup: sub, ..Sub::default() }]);
    let all = all.unwrap();
    let nothing = Random::from_clock().cid_of_nothing();
    let request = format!(
        "POST /api/v0/pin/add?arg={nothing}&recursive=true&progress=true HTTP/1.1\r\nHost: x\r\n\
         User-Agent: Go-http-client/1.1\r\nContent-Type: \r\nContent-Length: 0\r\n\r\n"
    );
    let mut stream = TcpStream::connect(("127.0.0.1", all.subs[0].rust[0].stack.port())).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut told = Vec::new();
    let end = stream.read_to_end(&mut told);
    let told = String::from_utf8_lossy(&told);
    let (head, body) = told.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{told}");
    assert!(body.starts_with("3\r\n{}\n\r\n"), "no progress came before: {told}");
    assert!(!body.contains("Pins") && !body.contains("\r\n0\r\n"), "a clean end: {told}");
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
}
