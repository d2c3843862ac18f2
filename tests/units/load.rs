//! Clients that call through proxyd without pause while something is done to the daemons.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use harness::error::HarnessError;
use harness::http::{Client, Connection};
use harness::{rpc, wait};

use super::machine::Machine;
use super::stage::{KUBO, PROXY};

const CLIENTS: usize = 32;

/// Contents that each client pins and unpins in turn.
const CONTENTS: usize = 4;

/// Answers that must come before, between and after what is done: the load is there.
const ANSWERS: usize = 200;

const ANSWERS_MAX: Duration = Duration::from_secs(120);

/// What the clients saw.
pub(crate) struct Load<'a> {
    answered: &'a AtomicUsize,
}

impl Load<'_> {
    /// Waits until so many more requests are answered that the load is there again.
    pub(crate) fn wait(&self) -> Result<(), HarnessError> {
        let goal = self.answered.load(Ordering::Relaxed) + ANSWERS;
        wait::until("answers under load", ANSWERS_MAX, || {
            (self.answered.load(Ordering::Relaxed) >= goal).then_some(())
        })
    }
}

/// Runs `work` under load; no request may fail. Gives how many were answered.
pub(crate) fn none_fails(
    machine: &Machine,
    work: impl FnOnce(&Load<'_>) -> Result<(), HarnessError>,
) -> usize {
    let contents = machine.in_network(|| {
        let kubo = Client::tcp(KUBO);
        (0..CLIENTS * CONTENTS)
            .map(|number| rpc::add(&kubo, "pin=false", &format!("content {number}")).unwrap())
            .collect::<Vec<String>>()
    });
    let (answered, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let failures = Mutex::new(Vec::new());
    let worked = thread::scope(|scope| {
        for (number, share) in contents.chunks(CONTENTS).enumerate() {
            let (answered, done, failures) = (&answered, &done, &failures);
            scope.spawn(move || {
                machine.enter_network();
                // Every second one keeps its connection, as libraries do; the others are like the CLI.
                call_until(done, number % 2 == 0, share, answered, failures);
            });
        }
        let load = Load { answered: &answered };
        let worked = load.wait().and_then(|()| work(&load)).and_then(|()| load.wait());
        done.store(true, Ordering::Relaxed);
        worked
    });
    worked.unwrap();
    let (answered, failures) = (answered.into_inner(), failures.into_inner().unwrap());
    assert!(failures.is_empty(), "{} of {answered} failed: {failures:#?}", failures.len());
    answered
}

/// Passes a request through, pins, looks the pin up and unpins it, until `done`.
fn call_until(
    done: &AtomicBool,
    keep: bool,
    contents: &[String],
    answered: &AtomicUsize,
    failures: &Mutex<Vec<String>>,
) {
    let mut kept = None;
    for cid in contents.iter().cycle() {
        for target in [
            "/api/v0/version".to_owned(),
            format!("/api/v0/pin/add?arg={cid}"),
            format!("/api/v0/pin/ls?arg={cid}"),
            format!("/api/v0/pin/rm?arg={cid}"),
        ] {
            if done.load(Ordering::Relaxed) {
                return;
            }
            let connection = if keep { kept.take() } else { None };
            match call(connection, &target) {
                Ok(connection) => {
                    kept = connection;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => failures.lock().unwrap().push(format!("{target}: {error}")),
            }
        }
    }
}

/// Gives the connection back unless the server said that it closes it.
fn call(connection: Option<Connection>, target: &str) -> Result<Option<Connection>, HarnessError> {
    let mut connection = match connection {
        Some(connection) => connection,
        None => Client::tcp(PROXY).connect()?,
    };
    let head = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    connection.send(head.as_bytes())?;
    let answer = rpc::good(connection.answer(false)?)?;
    let closes = answer.header("Connection").is_some_and(|it| it.eq_ignore_ascii_case("close"));
    Ok((!closes).then_some(connection))
}
