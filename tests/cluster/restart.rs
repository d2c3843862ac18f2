//! A daemon that is restarted under load costs no client request: its sockets wait for it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use harness::error::HarnessError;
use harness::http::Client;
use harness::stack::Stack;
use harness::{rpc, scale, wait};

use super::stop::StopWhenDone;

const CLIENTS: usize = 8;

/// Requests that must be answered between two restarts.
const ANSWERS_BETWEEN_RESTARTS: usize = 50;

const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Runs `restart` so many times while clients add, pin, list and look up; no request may fail.
fn assert_no_request_fails(
    stack: &mut Stack,
    mut restart: impl FnMut(&mut Stack) -> Result<(), HarnessError>,
) {
    let (client, stop, answers) = (stack.client(), AtomicBool::new(false), AtomicUsize::new(0));
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (client, stop, answers, failures) = (&client, &stop, &answers, &failures);
            scope.spawn(move || {
                for round in 0_usize.. {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let outcome = match (number + round) % 5 {
                        0 => rpc::add(client, "", &format!("{number}-{round}")).map(drop),
                        1 => rpc::add(client, "pin=false", &format!("{number}-{round}"))
                            .and_then(|cid| rpc::pin_add(client, &[&cid])),
                        2 => rpc::pin_ls(client).map(drop),
                        3 => add_look_up_and_remove(client, &format!("{number}-{round}")),
                        _ => client.post("/api/v0/version").and_then(rpc::good).map(drop),
                    };
                    if let Err(failure) = outcome {
                        failures.lock().unwrap().push(failure.to_string());
                    }
                    answers.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let mut restart_often = || {
            for _ in 0..scale::pick(4, 20) {
                let enough = answers.load(Ordering::SeqCst) + ANSWERS_BETWEEN_RESTARTS;
                wait::until("answers between two restarts", ANSWER_MAX, || {
                    (answers.load(Ordering::SeqCst) >= enough).then_some(())
                })?;
                restart(stack)?;
            }
            Ok::<(), HarnessError>(())
        };
        let _stop = StopWhenDone(&stop);
        restart_often().unwrap();
    });
    let failures = failures.into_inner().unwrap();
    let answers = answers.into_inner();
    assert!(failures.is_empty(), "{} of {answers} requests failed: {failures:#?}", failures.len());
}

fn add_look_up_and_remove(client: &Client, content: &str) -> Result<(), HarnessError> {
    let cid = rpc::add(client, "", content)?;
    client.post(&format!("/api/v0/pin/ls?arg={cid}")).and_then(rpc::good)?;
    rpc::pin_rm(client, &cid)
}

#[test]
fn a_restart_of_clusterd_costs_no_request() {
    let mut stack = Stack::start().unwrap();
    assert_no_request_fails(&mut stack, |stack| {
        assert!(stack.clusterd.stop()?.success());
        stack.clusterd.start()
    });
}

#[test]
fn a_crash_of_clusterd_costs_no_request() {
    let mut stack = Stack::start().unwrap();
    assert_no_request_fails(&mut stack, |stack| {
        stack.clusterd.kill()?;
        stack.clusterd.start()
    });
}

#[test]
fn a_restart_of_proxyd_costs_no_request() {
    let mut stack = Stack::start().unwrap();
    assert_no_request_fails(&mut stack, |stack| {
        assert!(stack.proxyd.stop()?.success());
        stack.proxyd.start()
    });
}
