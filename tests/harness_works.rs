//! The harness itself: what it starts runs, answers, stops and comes back.

use harness::http::Client;
use harness::kubo::Kubo;
use harness::stack::temporary_directory;

#[test]
fn a_kubo_answers_stops_and_comes_back_at_the_same_port() {
    let directory = temporary_directory().unwrap();
    let mut kubo = Kubo::start_in(directory.path()).unwrap();
    let before = kubo
        .ipfs(directory.path())
        .ok(&["id", "-f", "<id>"])
        .unwrap();
    kubo.stop().unwrap();
    assert!(Client::tcp(kubo.port()).post("/api/v0/id").is_err());
    kubo.start().unwrap();
    assert_eq!(
        kubo.ipfs(directory.path())
            .ok(&["id", "-f", "<id>"])
            .unwrap(),
        before
    );
}
