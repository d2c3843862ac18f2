//! A cluster of two with something to show: a second peer and a pin whose names are attacks, and a pin that
//! nobody has.

use std::time::Duration;

use harness::cluster::members;
use harness::daemon::PeersSetup;
use harness::http::Client;
use harness::ports::Port;
use harness::rpc::{self, good};
use harness::stack::{Stack, StackSetup};
use harness::wait;
use serde_json::Value;

/// What a peer may call itself.
pub(crate) const HOSTILE_PEER: &str = "<script>alert(1)</script>\"'&";

/// What a pin may be called.
pub(crate) const HOSTILE_PIN: &str = "<img src=x onerror=alert(2)>";

/// Peers that start meet, and tell each other of themselves, in seconds.
const MEET_MAX: Duration = Duration::from_secs(120);

/// A peer with the page, another, and the port of the page.
pub(crate) struct Stage {
    pub(crate) ours: Stack,
    other: Stack,
    pub(crate) port: Port,
    _swarms: [Port; 2],
}

impl Stage {
    /// Starts both; they are members for each other, and the pin that nobody has has failed.
    pub(crate) fn start() -> Self {
        let swarms = [Port::reserve().unwrap(), Port::reserve().unwrap()];
        let port = Port::reserve().unwrap();
        let clusterd = format!(
            "pin_timeout = \"3s\"\ncall_timeout = \"10s\"\n[tracker]\nretry_after = \"1s\"\n\
             retry_after_max = \"1h\"\n[status]\nlisten = \"/ip4/127.0.0.1/tcp/{}\"\n",
            port.number()
        );
        let ours = start("alpha", swarms[0].number(), Vec::new(), clusterd);
        let id: Value = json(&ours.control(), "/id");
        let address =
            format!("/ip4/127.0.0.1/tcp/{}/p2p/{}", swarms[0].number(), id["id"].as_str().unwrap());
        let other = start(HOSTILE_PEER, swarms[1].number(), vec![address], String::new());
        let stage = Self { ours, other, port, _swarms: swarms };
        wait::until("two members", MEET_MAX, || {
            (members(&stage.ours.control()) == Some(2)).then_some(())
        })
        .unwrap();
        stage.pin_what_nobody_has();
        stage
    }

    /// Waits until it has failed.
    fn pin_what_nobody_has(&self) {
        let kubo = Client::tcp(self.ours.kubo.port());
        let cid = rpc::add(&kubo, "only-hash=true&cid-version=1", "nobody has this").unwrap();
        let name = "%3Cimg%20src%3Dx%20onerror%3Dalert%282%29%3E";
        good(self.ours.control().post(&format!("/pins/{cid}?name={name}")).unwrap()).unwrap();
        wait::until("the pin to fail", MEET_MAX, || {
            let summary = json(&self.ours.control(), "/composite/summary");
            summary["unsettled"]["pin_error"].as_u64().filter(|failed| *failed > 0)
        })
        .unwrap();
    }

    /// Pins something that both Kubos get; its CID.
    pub(crate) fn pin(&self, content: &str) -> String {
        let kubo = Client::tcp(self.other.kubo.port());
        let cid = rpc::add(&kubo, "cid-version=1", content).unwrap();
        good(self.ours.control().post(&format!("/pins/{cid}")).unwrap()).unwrap();
        cid
    }

    /// The page as a browser asks for it.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/status", self.port.number())
    }
}

fn start(name: &str, port: u16, bootstrap: Vec<String>, clusterd: String) -> Stack {
    let peers = PeersSetup { name: name.to_owned(), port, bootstrap, ..PeersSetup::default() };
    Stack::start_with(&StackSetup { peers, clusterd, ..StackSetup::default() }).unwrap()
}

fn json(client: &Client, target: &str) -> Value {
    let answer = good(client.call("GET", target, "").unwrap()).unwrap();
    serde_json::from_slice(&answer.body).unwrap()
}
