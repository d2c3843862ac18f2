//! A connection's seat in the server: whether it works or waits, and how it is asked to end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Instant;

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::h1::head::RequestHead;
use crate::h1::reader::{NoHead, Reader};

/// In [`Seat::idle_since`]: a request is being served.
const WORKING: u64 = u64::MAX;

/// All connections of the process.
#[derive(Debug)]
pub(super) struct Seats {
    started: Instant,
    taken: Mutex<Vec<Arc<Seat>>>,
    count: AtomicUsize,
    /// Told whenever one ends.
    left: Notify,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Seat {
    waker: AtomicWaker,
    /// Milliseconds from the server's start, or [`WORKING`].
    idle_since: AtomicU64,
    must_leave: AtomicBool,
}

/// Gives the seat back when the connection ends, however it ends.
#[derive(Debug)]
pub(super) struct Seated {
    seat: Arc<Seat>,
    seats: Arc<Seats>,
}

impl Seats {
    /// Nobody is connected yet.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            taken: Mutex::default(),
            count: AtomicUsize::new(0),
            left: Notify::new(),
        })
    }

    /// Seats a connection.
    #[must_use]
    pub(super) fn sit(self: &Arc<Self>) -> Seated {
        self.count.fetch_add(1, Ordering::Relaxed);
        let seat = Arc::new(Seat {
            waker: AtomicWaker::new(),
            idle_since: AtomicU64::new(WORKING),
            must_leave: AtomicBool::new(false),
        });
        self.taken().push(Arc::clone(&seat));
        Seated { seat, seats: Arc::clone(self) }
    }

    /// Connections of the whole process.
    #[must_use]
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Ready when some connection has ended after this call; so call it before the count is
    /// looked at. Cancel-safe.
    pub(super) fn one_left(&self) -> Notified<'_> {
        self.left.notified()
    }

    /// Asks the connection that has been idle longest to end, to make room.
    pub(super) fn send_longest_idle_away(&self) {
        let taken = self.taken();
        if let Some(seat) = taken.iter().filter(|s| s.is_idle()).min_by_key(|s| s.since()) {
            seat.send_away();
        }
    }

    /// Asks all idle connections to end; those at work see it when they become idle.
    pub(super) fn send_idle_away(&self) {
        self.taken().iter().for_each(|seat| seat.send_away());
    }

    fn taken(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Seat>>> {
        // A panic elsewhere leaves the list whole.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    fn since(&self) -> u64 {
        self.idle_since.load(Ordering::Relaxed)
    }

    fn is_idle(&self) -> bool {
        self.since() != WORKING && !self.must_leave.load(Ordering::Relaxed)
    }

    fn send_away(&self) {
        self.must_leave.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl Seated {
    /// Whether the connection shall end after the answer that it is about to get.
    pub(super) fn must_leave(&self) -> bool {
        self.seat.must_leave.load(Ordering::Acquire)
    }

    /// Waits for the head of the next request; `None` when the connection must leave. One that is
    /// slow with its head counts as idle.
    pub(super) async fn next_request(
        &self,
        reader: &mut Reader,
    ) -> Option<Result<RequestHead, NoHead>> {
        let now = self.seats.started.elapsed().as_millis();
        self.seat.idle_since.store(u64::try_from(now).unwrap_or(0), Ordering::Relaxed);
        let mut head = pin!(reader.request_head());
        let head = poll_fn(|cx| {
            self.seat.waker.register(cx.waker());
            match head.as_mut().poll(cx) {
                // What has already come is still served.
                Poll::Pending if self.seat.must_leave.load(Ordering::Acquire) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
                Poll::Ready(head) => Poll::Ready(Some(head)),
            }
        })
        .await;
        self.seat.idle_since.store(WORKING, Ordering::Relaxed);
        head
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        if let Some(at) = taken.iter().position(|seat| Arc::ptr_eq(seat, &self.seat)) {
            taken.swap_remove(at);
        }
        drop(taken);
        self.seats.count.fetch_sub(1, Ordering::Relaxed);
        // One to the acceptor, one to the drain: whichever waits.
        self.seats.left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixStream;

    use super::*;
    use crate::stream;

    #[test]
    fn an_end_before_the_first_poll_is_not_missed() {
        let seats = Seats::new();
        let seated = seats.sit();
        let left = seats.one_left();
        drop(seated);
        assert!(left.now_or_never().is_some());
    }

    #[tokio::test]
    async fn one_that_must_leave_is_served_what_has_come_and_says_so() {
        let seats = Seats::new();
        let seated = seats.sit();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let (read, _write) = stream::unix(ours);
        theirs.write_all(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut reader = Reader::new(read);
        reader.fill().await.unwrap();
        seats.send_idle_away();
        assert!(seated.next_request(&mut reader).await.is_some_and(|head| head.is_ok()));
        assert!(seated.must_leave());
        assert!(seated.next_request(&mut reader).await.is_none());
    }
}
