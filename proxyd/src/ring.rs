//! Finds out whether proxyds stand in a ring, each with the next one for its Kubo: what is passed on
//! would go round for ever, and hold a connection each time.
//!
//! Each proxyd draws an id at its start and asks its Kubo, under a path that Kubo does not know, which
//! proxyds a request passes. One that is asked asks on, and says so once it finds its own id.

mod asked;
mod route;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::ids::RequestId;
use common::messages;
use tokio::sync::Semaphore;

use crate::server::Worker;
use crate::upstream::address::Address;

pub use asked::{answer, is_asked};

use route::{End, Hop, Route, ask};

/// Where proxyds ask each other; 404 in Kubo.
const PATH: &str = "/api/v0/cluster/via";
/// Most proxyds one behind the other. A ring of more is not told from a long way.
const HOPS_MAX: usize = 8;
/// How often it is asked while all is well.
const EVERY: Duration = Duration::from_secs(60);
/// How often while there is a ring, or no answer.
const SOON: Duration = Duration::from_secs(3);
/// How often while nobody is there: who comes may close a ring, and until that is found requests go round
/// in it and take one connection after another.
const AWAY: Duration = Duration::from_millis(500);
/// Up to this part of it sooner, so that proxyds that were started together do not keep each other busy.
const APART_MAX: u32 = 4;

/// What is known of the way behind this proxyd. One for the daemon.
#[derive(Debug)]
pub struct Ring {
    id: RequestId,
    listen: Vec<Address>,
    is_closed: AtomicBool,
    /// Held while a question of another proxyd is asked on.
    turn: Semaphore,
    /// What clients are told while it is closed.
    words: Mutex<Arc<str>>,
}

impl Ring {
    /// Nothing is known yet. `listen`: where this proxyd can be reached.
    #[must_use]
    pub fn new(listen: Vec<Address>) -> Self {
        // The standard library's hash keys are the process's own random bits, others each time.
        let random = RandomState::new();
        let half = |which: u8| u128::from(random.hash_one(which));
        let id = RequestId::from_bits(half(0) << 64 | half(1));
        let (is_closed, words) = (AtomicBool::new(false), Mutex::new(Arc::from("")));
        Self { id, listen, is_closed, turn: Semaphore::new(1), words }
    }

    /// Why nothing can be passed on; `None` nearly always, at the cost of one look at memory.
    #[must_use]
    pub fn closed(&self) -> Option<Arc<str>> {
        self.is_closed.load(Ordering::Acquire).then(|| Arc::clone(&self.words()))
    }

    /// Takes what was found in, and says when to look again.
    fn take(&self, route: &Route) -> Duration {
        match route.end {
            // A ring further on that this proxyd is no part of is for those in it to refuse.
            End::Ring if route.is_last(self.id) => self.close(self.ring_words(route)),
            End::TooLong => self.close(self.too_long_words(route)),
            End::Kubo | End::Ring => {
                self.open();
                return EVERY;
            }
            // Nothing goes round where somebody is away.
            End::Away => {
                self.open();
                return AWAY;
            }
            // It may be as it was.
            End::Untold => {}
        }
        SOON
    }

    fn close(&self, words: String) {
        if self.closed().as_deref() != Some(words.as_str()) {
            tracing::error!(name: messages::PROXY_RING, error = words, "nothing is passed on");
            *self.words() = Arc::from(words);
        }
        self.is_closed.store(true, Ordering::Release);
    }

    fn open(&self) {
        if self.is_closed.swap(false, Ordering::AcqRel) {
            tracing::info!("requests are passed on again: the ring of proxyds is gone");
        }
    }

    fn ring_words(&self, route: &Route) -> String {
        let own = self.hop();
        let others = &route.hops[..route.hops.len().saturating_sub(1)];
        if others.is_empty() {
            return format!(
                "`ipfs` in proxyd.toml leads back to this proxyd itself, {own}: requests would go round for ever; set it to the API address of a Kubo and restart proxyd"
            );
        }
        let way: Vec<String> = others.iter().map(Hop::to_string).collect();
        format!(
            "proxyds stand in a ring, each with the next for its Kubo: this one, {own} -> {} -> this one; requests would go round for ever; set `ipfs` in proxyd.toml of one of them to the API address of a Kubo and restart that proxyd",
            way.join(" -> ")
        )
    }

    fn too_long_words(&self, route: &Route) -> String {
        let way: Vec<String> = route.hops.iter().map(Hop::to_string).collect();
        format!(
            "more than {HOPS_MAX} proxyds stand one behind the other, perhaps in a ring: this one, {} -> {}; set `ipfs` in proxyd.toml of one of them to the API address of a Kubo and restart that proxyd",
            self.hop(),
            way.join(" -> ")
        )
    }

    fn hop(&self) -> Hop {
        Hop::new(self.id, &self.listen)
    }

    fn words(&self) -> std::sync::MutexGuard<'_, Arc<str>> {
        // A panic elsewhere leaves the text whole.
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks again and again; never ends. Cancel-safe.
pub async fn watch(worker: Arc<Worker>) {
    let ring = &worker.context.ring;
    loop {
        let route = ask(&[ring.id], &worker.upstream).await;
        tokio::time::sleep(apart(ring.take(&route))).await;
    }
}

/// This time but for a part of it by chance.
fn apart(time: Duration) -> Duration {
    let [byte, ..] = RandomState::new().hash_one(0_u8).to_le_bytes();
    time - time / APART_MAX * u32::from(byte) / u32::from(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(port: u16) -> Vec<Address> {
        vec![Address::local(port)]
    }

    fn route(hops: &[&Ring], end: End) -> Route {
        Route { hops: hops.iter().map(|ring| ring.hop()).collect(), end }
    }

    #[test]
    fn times_differ_a_little() {
        let times: Vec<Duration> = (0..64).map(|_| apart(SOON)).collect();
        assert!(times.iter().all(|time| (SOON * 3 / 4..=SOON).contains(time)), "{times:?}");
        assert!(times.iter().any(|time| *time != times[0]));
    }

    #[test]
    fn ids_differ() {
        assert_ne!(Ring::new(Vec::new()).id, Ring::new(Vec::new()).id);
    }

    #[test]
    fn a_ring_is_named_until_it_is_gone() {
        let (one, two) = (Ring::new(listen(1)), Ring::new(listen(2)));
        assert_eq!(one.closed(), None);
        assert_eq!(one.take(&route(&[&two, &one], End::Ring)), SOON);
        let words = one.closed().unwrap();
        let way = "this one, /ip4/127.0.0.1/tcp/1 -> /ip4/127.0.0.1/tcp/2 -> this one";
        assert!(words.contains(way) && words.contains("`ipfs` in proxyd.toml"), "{words}");
        one.take(&route(&[&two], End::Untold));
        assert!(one.closed().is_some());
        assert_eq!(one.take(&route(&[&two], End::Kubo)), EVERY);
        assert_eq!(one.closed(), None);
    }

    #[test]
    fn one_that_leads_to_itself_is_told_so() {
        let one = Ring::new(listen(1));
        one.take(&route(&[&one], End::Ring));
        assert!(one.closed().unwrap().contains("leads back to this proxyd itself, /ip4/"));
        assert_eq!(one.take(&route(&[], End::Away)), AWAY);
        assert_eq!(one.closed(), None);
    }

    #[test]
    fn a_ring_further_on_is_for_those_in_it_to_refuse() {
        let (one, two, three) = (Ring::new(listen(1)), Ring::new(listen(2)), Ring::new(listen(3)));
        one.take(&route(&[&two, &three, &two], End::Ring));
        assert_eq!(one.closed(), None);
    }

    #[test]
    fn a_way_that_is_too_long_is_refused() {
        let (one, other) = (Ring::new(listen(1)), Ring::new(listen(2)));
        one.take(&route(&[&other; 9], End::TooLong));
        assert!(one.closed().unwrap().contains("more than 8 proxyds"));
    }
}
