//! `kill -9` of clusterd, of proxyd and of both, while pins come and go: what was answered holds.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use harness::daemon::Sockets;
use harness::http::Client;
use harness::stack::{Stack, StackSetup};
use harness::{rpc, scale, wait};

use super::stop::StopWhenDone;

/// Answers that the writers must get between two crashes, so that each one hits a busy daemon.
const ANSWERS_BETWEEN_CRASHES: usize = 20;

const ANSWER_MAX: Duration = Duration::from_secs(60);

/// What clients were told. A CID is in at most one set; one whose call failed is in neither.
#[derive(Default)]
struct Answered {
    pinned: BTreeSet<String>,
    unpinned: BTreeSet<String>,
}

/// Clients that add, pin and unpin until told to stop.
struct Writers {
    through_proxy: Client,
    to_kubo: Client,
    answered: Mutex<Answered>,
    answers: AtomicUsize,
    stop: AtomicBool,
}

impl Writers {
    /// Adds files; every fourth one is unpinned again.
    fn add_and_unpin(&self, writer: usize) {
        for number in 0_usize.. {
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            let Ok(cid) = rpc::add(&self.through_proxy, "", &format!("{writer}-{number}")) else {
                continue;
            };
            self.note(|answered| answered.pinned.extend([cid.clone()]));
            if number % 4 == 3 {
                // From here on until the answer nobody has been promised anything.
                self.note(|answered| answered.pinned.retain(|pinned| *pinned != cid));
                if rpc::pin_rm(&self.through_proxy, &cid).is_ok() {
                    self.note(|answered| answered.unpinned.extend([cid]));
                }
            }
        }
    }

    /// Pins what Kubo has already, two at a time.
    fn pin(&self, writer: usize) {
        for number in 0_usize.. {
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            let put = |half: &str| {
                rpc::add(&self.to_kubo, "pin=false", &format!("{writer}-{number}-{half}")).unwrap()
            };
            let cids = [put("a"), put("b")];
            if rpc::pin_add(&self.through_proxy, &[&cids[0], &cids[1]]).is_ok() {
                self.note(|answered| answered.pinned.extend(cids));
            }
        }
    }

    fn note(&self, change: impl FnOnce(&mut Answered)) {
        change(&mut self.answered.lock().unwrap());
        self.answers.fetch_add(1, Ordering::SeqCst);
    }

    fn wait_for_answers(&self) {
        let enough = self.answers.load(Ordering::SeqCst) + ANSWERS_BETWEEN_CRASHES;
        wait::until("answers between two crashes", ANSWER_MAX, || {
            (self.answers.load(Ordering::SeqCst) >= enough).then_some(())
        })
        .unwrap();
    }
}

/// All that was answered before the listing began must be in it, or not, as was answered.
fn assert_answers_hold(writers: &Writers, round: usize) {
    let answered = writers.answered.lock().unwrap();
    // Held over the listing: an unpin that is under way was noted as such before it was sent.
    let listed = rpc::pin_ls(&writers.through_proxy).unwrap();
    let lost: Vec<&String> = answered.pinned.difference(&listed).collect();
    assert!(lost.is_empty(), "round {round}: pins were answered and are gone: {lost:?}");
    let risen: Vec<&String> = answered.unpinned.intersection(&listed).collect();
    assert!(risen.is_empty(), "round {round}: unpins were answered and are back: {risen:?}");
}

#[test]
fn every_answer_holds_after_each_kill() {
    let setup = StackSetup { sockets: Sockets::Own, ..StackSetup::default() };
    let mut stack = Stack::start_with(&setup).unwrap();
    let writers = Writers {
        through_proxy: stack.client(),
        to_kubo: Client::tcp(stack.kubo.port()),
        answered: Mutex::default(),
        answers: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        let _stop = StopWhenDone(&writers.stop);
        let shared = &writers;
        for number in 0..2 {
            scope.spawn(move || shared.add_and_unpin(number));
            scope.spawn(move || shared.pin(number + 100));
        }
        for round in 0..scale::pick(9, 50) {
            writers.wait_for_answers();
            let (clusterd_dies, proxyd_dies) = (round % 3 != 1, round % 3 != 0);
            if clusterd_dies {
                stack.clusterd.kill().unwrap();
            }
            if proxyd_dies {
                stack.proxyd.kill().unwrap();
            }
            if clusterd_dies {
                stack.clusterd.start().unwrap();
            }
            if proxyd_dies {
                stack.proxyd.start().unwrap();
            }
            assert_answers_hold(&writers, round);
        }
    });
    assert_kubo_holds_the_pins(&stack, &writers);
}

/// In the end Kubo itself has what was answered as pinned.
fn assert_kubo_holds_the_pins(stack: &Stack, writers: &Writers) {
    let held = rpc::pin_ls(&Client::tcp(stack.kubo.port())).unwrap();
    let answered = writers.answered.lock().unwrap();
    let missing: Vec<&String> = answered.pinned.difference(&held).collect();
    assert!(missing.is_empty(), "Kubo does not hold {missing:?}");
}
