//! The harness itself: what it starts runs, answers, stops and comes back.

use harness::http::Client;
use harness::kubo::Kubo;
use harness::rpc;
use harness::stack::temporary_directory;

#[test]
fn a_kubo_answers_stops_and_comes_back_at_the_same_port() {
    let directory = temporary_directory().unwrap();
    let mut kubo = Kubo::start_in(directory.path()).unwrap();
    let before = kubo.ipfs(directory.path()).ok(&["id", "-f", "<id>"]).unwrap();
    kubo.stop().unwrap();
    assert!(Client::tcp(kubo.port()).post("/api/v0/id").is_err());
    kubo.start().unwrap();
    assert_eq!(kubo.ipfs(directory.path()).ok(&["id", "-f", "<id>"]).unwrap(), before);
}

/// The calls that other tests rely on mean what they should, shown on a Kubo alone.
#[test]
fn the_rpc_calls_do_what_they_say() {
    let directory = temporary_directory().unwrap();
    let kubo = Kubo::start_in(directory.path()).unwrap();
    let client = Client::tcp(kubo.port());
    let pinned = rpc::add(&client, "", "pinned at once").unwrap();
    let later = rpc::add(&client, "pin=false", "pinned later").unwrap();
    let listed = rpc::pin_ls(&client).unwrap();
    assert!(listed.contains(&pinned) && !listed.contains(&later));
    rpc::pin_add(&client, &[&later]).unwrap();
    rpc::pin_rm(&client, &pinned).unwrap();
    let listed = rpc::pin_ls(&client).unwrap();
    assert!(listed.contains(&later) && !listed.contains(&pinned));
    assert!(rpc::pin_rm(&client, &pinned).is_err(), "it is not pinned any more");
}
