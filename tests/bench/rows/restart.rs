//! Restarts of our daemons under load, with their sockets kept by the service manager: no client
//! may notice.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use harness::error::HarnessError;
use harness::http::{Client, Connection};
use harness::stack::{Stack, StackSetup};
use harness::wait;

use super::Run;
use crate::content::{Blocks, Form};
use crate::figure::{Better, Figure, Side};
use crate::{BenchError, rpc};
use harness::random::Random;

/// Half of them open a connection for each request, as the `ipfs` program does; the others keep
/// theirs for as long as the server does.
const CLIENTS: usize = 8;

/// Each client pins its own share of so many blocks, over and over.
const BLOCKS: usize = 800;

/// Requests that must be answered between two restarts: the load is there again.
const BETWEEN: usize = 50;

/// Limit for these requests.
const BETWEEN_MAX: Duration = Duration::from_secs(30);

/// What the clients saw.
#[derive(Debug, Default)]
struct Seen {
    answered: AtomicUsize,
    failed: AtomicUsize,
}

/// First proxyd, then clusterd.
pub(super) fn measure(run: &mut Run<'_>) -> Result<Vec<Figure>, BenchError> {
    let mut stack = Stack::start_with(&StackSetup::default())?;
    let blocks = Blocks::fresh(BLOCKS, &mut Random::from_clock());
    let form = Form::car(&blocks.car);
    rpc::post_form(stack.kubo.port(), "/api/v0/dag/import?pin-roots=false", &form)?;
    let mut figures = Vec::new();
    for name in ["proxyd", "clusterd"] {
        let seen = Seen::default();
        let done = AtomicBool::new(false);
        let port = stack.port();
        thread::scope(|scope| {
            for (number, share) in blocks.cids.chunks(BLOCKS / CLIENTS).enumerate() {
                let (seen, done) = (&seen, &done);
                scope.spawn(move || request_until(done, port, number % 2 == 0, share, seen));
            }
            let restarted = restart_often(&mut stack, name, run.sizes.restarts, &seen);
            done.store(true, Ordering::Relaxed);
            restarted
        })?;
        figures.push(figure(name, run.sizes.restarts, &seen));
    }
    Ok(figures)
}

fn figure(name: &str, restarts: usize, seen: &Seen) -> Figure {
    let answered = seen.answered.load(Ordering::Relaxed);
    let failed = seen.failed.load(Ordering::Relaxed) as f64;
    let what = format!("{name} restarted {restarts} times under load, {answered} requests: failed");
    Figure::new(what, "requests", Better::Lower, vec![(Side::Ours, vec![failed])])
        .with_value_goal(0.0)
}

fn restart_often(
    stack: &mut Stack,
    name: &str,
    restarts: usize,
    seen: &Seen,
) -> Result<(), BenchError> {
    for _ in 0..restarts {
        let goal = seen.answered.load(Ordering::Relaxed) + BETWEEN;
        wait::until("requests between two restarts", BETWEEN_MAX, || {
            (seen.answered.load(Ordering::Relaxed) >= goal).then_some(())
        })?;
        let daemon = if name == "proxyd" { &mut stack.proxyd } else { &mut stack.clusterd };
        daemon.stop()?;
        daemon.start()?;
    }
    Ok(())
}

/// Passes a request through, pins, looks the pin up and unpins it, until `done`.
fn request_until(done: &AtomicBool, port: u16, keep: bool, cids: &[String], seen: &Seen) {
    let mut kept = None;
    for cid in cids.iter().cycle() {
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
            match request(connection, port, &target) {
                Ok(connection) => {
                    kept = connection;
                    seen.answered.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    eprintln!("failed: {target}: {error}");
                    seen.failed.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

/// Gives the connection back unless the server said that it closes it.
fn request(
    connection: Option<Connection>,
    port: u16,
    target: &str,
) -> Result<Option<Connection>, BenchError> {
    let mut connection = match connection {
        Some(connection) => connection,
        None => Client::tcp(port).connect().map_err(BenchError::from)?,
    };
    let head = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    connection.send(head.as_bytes())?;
    let answer = rpc::checked(target, connection.answer(false)?)?;
    let closes =
        answer.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    if answer.body.is_empty() {
        return Err(HarnessError::Unreadable { what: "an answer", found: String::new() }.into());
    }
    Ok((!closes).then_some(connection))
}
