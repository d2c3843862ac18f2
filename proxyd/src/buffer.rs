//! Read buffers from small pools: idle connections hold none, long bodies get large ones.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::thread::LocalKey;

use tokio::io::{AsyncRead, ReadBuf};

use crate::stream::ReadHalf;

/// Size of the buffer that a message starts in; holds nearly every head with its body.
pub const SMALL_BYTES: usize = 16 << 10;
/// Size of the buffer of a long body. Measured: half of this costs a fifth more CPU a byte, twice
/// this costs more again (the second-level cache ends).
pub const BULK_BYTES: usize = 512 << 10;
/// Large buffers in use at once in one thread; further long bodies move in small ones.
const BULK_IN_USE_MAX: usize = 6;
/// Large buffers kept for the next long body.
const BULK_KEPT_MAX: usize = 2;
/// Small buffers kept for the next messages.
const SMALL_KEPT_MAX: usize = 64;
/// Bytes of all grown buffers and long heads together, over all connections: heads past
/// [`SMALL_BYTES`] are rare, and a thousand slow ones must not fill the memory. Ten of the longest
/// heads that are allowed fit at once.
const GROWN_BYTES_MAX: usize = 32 << 20;

thread_local! {
    static SMALL: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
    static BULK: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
    static BULK_IN_USE: Cell<usize> = const { Cell::new(0) };
}

static GROWN_BYTES: AtomicUsize = AtomicUsize::new(0);

/// A head has outgrown its buffer and there is no memory to spare for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfSpace;

/// Memory of a long head in use, counted with the grown buffers until it is dropped.
#[derive(Debug)]
pub struct Charge(usize);

impl Charge {
    /// Counts so many bytes; zero costs nothing.
    ///
    /// # Errors
    /// [`OutOfSpace`] when all together would be too much.
    pub fn of(bytes: usize) -> Result<Self, OutOfSpace> {
        if bytes > 0 && GROWN_BYTES.fetch_add(bytes, Ordering::Relaxed) + bytes > GROWN_BYTES_MAX {
            GROWN_BYTES.fetch_sub(bytes, Ordering::Relaxed);
            return Err(OutOfSpace);
        }
        Ok(Self(bytes))
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.0 > 0 {
            GROWN_BYTES.fetch_sub(self.0, Ordering::Relaxed);
        }
    }
}

/// Where a block came from, and so where it goes back to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    None,
    Small,
    Bulk,
    Grown,
}

/// Bytes read and not yet used, in a block that is taken from the pool only while it holds some.
#[derive(Debug, Default)]
pub struct Buffer {
    block: Box<[u8]>,
    kind: Kind,
    start: usize,
    end: usize,
    bulk_wanted: bool,
}

impl Buffer {
    /// The unused bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.block[self.start..self.end]
    }

    /// Whether there is no unused byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether no byte can be added.
    #[must_use]
    pub fn is_full(&self) -> bool {
        !self.block.is_empty() && self.end - self.start == self.block.len()
    }

    /// Drops the first `count` unused bytes.
    pub fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.end, "consumed more than there was");
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Reads what is there into the free space; zero at the end of the stream or without space.
    ///
    /// Cancel-safe. While it waits with nothing unused, the block is back in the pool.
    ///
    /// # Errors
    /// The stream's.
    pub fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        half: &mut ReadHalf,
    ) -> Poll<io::Result<usize>> {
        self.make_space();
        let mut free = ReadBuf::new(&mut self.block[self.end..]);
        let polled = Pin::new(half).poll_read(cx, &mut free);
        let count = free.filled().len();
        if polled.is_pending() {
            self.release();
        }
        ready!(polled)?;
        self.end += count;
        Poll::Ready(Ok(count))
    }

    /// From now on a large block is taken when one is free, until [`Self::settle`].
    pub fn want_bulk(&mut self) {
        self.bulk_wanted = true;
        if self.kind != Kind::Bulk {
            self.release();
        }
    }

    /// The long body is over: a large block goes back as soon as it is empty.
    pub fn settle(&mut self) {
        self.bulk_wanted = false;
        self.release();
    }

    /// Gives the block back if nothing is in it.
    pub fn release(&mut self) {
        if self.is_empty() && self.kind != Kind::None {
            self.replace(Box::default(), Kind::None);
        }
    }

    /// Doubles the block for a head that does not fit.
    ///
    /// # Errors
    /// [`OutOfSpace`] past `limit` bytes, or when all such buffers together are too large.
    pub fn grow(&mut self, limit: usize) -> Result<(), OutOfSpace> {
        let size = (self.block.len() * 2).max(SMALL_BYTES * 2);
        if self.block.len() >= limit {
            return Err(OutOfSpace);
        }
        // The block gives it back; see `give_back`.
        std::mem::forget(Charge::of(size)?);
        let mut block = vec![0; size].into_boxed_slice();
        let held = self.end - self.start;
        block[..held].copy_from_slice(self.bytes());
        self.replace(block, Kind::Grown);
        self.end = held;
        Ok(())
    }

    /// Puts another block in place, empty, and gives the old one back.
    fn replace(&mut self, block: Box<[u8]>, kind: Kind) {
        give_back(std::mem::replace(&mut self.block, block), self.kind);
        self.kind = kind;
        (self.start, self.end) = (0, 0);
    }

    fn make_space(&mut self) {
        if self.kind == Kind::None {
            let (block, kind) = take(self.bulk_wanted);
            self.replace(block, kind);
        } else if self.end == self.block.len() && self.start > 0 {
            self.block.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.block), self.kind);
    }
}

fn take(bulk_wanted: bool) -> (Box<[u8]>, Kind) {
    if bulk_wanted && BULK_IN_USE.get() < BULK_IN_USE_MAX {
        BULK_IN_USE.set(BULK_IN_USE.get() + 1);
        let kept = BULK.with_borrow_mut(Vec::pop);
        return (kept.unwrap_or_else(|| vec![0; BULK_BYTES].into_boxed_slice()), Kind::Bulk);
    }
    let kept = SMALL.with_borrow_mut(Vec::pop);
    (kept.unwrap_or_else(|| vec![0; SMALL_BYTES].into_boxed_slice()), Kind::Small)
}

fn give_back(block: Box<[u8]>, kind: Kind) {
    match kind {
        Kind::None => {}
        Kind::Small => keep(&SMALL, SMALL_KEPT_MAX, block),
        Kind::Bulk => {
            BULK_IN_USE.set(BULK_IN_USE.get().saturating_sub(1));
            keep(&BULK, BULK_KEPT_MAX, block);
        }
        Kind::Grown => {
            GROWN_BYTES.fetch_sub(block.len(), Ordering::Relaxed);
        }
    }
}

fn keep(pool: &'static LocalKey<RefCell<Vec<Box<[u8]>>>>, max: usize, block: Box<[u8]>) {
    pool.with_borrow_mut(|pool| {
        if pool.len() < max {
            pool.push(block);
        }
    });
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixStream;

    use super::*;
    use crate::stream;

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    async fn fill(buffer: &mut Buffer, half: &mut ReadHalf) -> usize {
        std::future::poll_fn(|cx| buffer.poll_fill(cx, half)).await.unwrap()
    }

    #[test]
    fn a_buffer_that_waits_empty_holds_no_block() {
        run(async {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            let (mut half, _write) = stream::unix(ours);
            let mut buffer = Buffer::default();
            let waker = std::task::Waker::noop();
            let polled = buffer.poll_fill(&mut Context::from_waker(waker), &mut half);
            assert!(polled.is_pending() && buffer.block.is_empty());
            theirs.write_all(b"abc").await.unwrap();
            assert_eq!(fill(&mut buffer, &mut half).await, 3);
            assert_eq!((buffer.bytes(), buffer.block.len()), (&b"abc"[..], SMALL_BYTES));
        });
    }

    #[test]
    fn long_bodies_past_the_limit_move_in_small_blocks() {
        let taken: Vec<Buffer> = (0..BULK_IN_USE_MAX + 1)
            .map(|_| {
                let mut buffer = Buffer::default();
                buffer.want_bulk();
                buffer.make_space();
                buffer
            })
            .collect();
        assert_eq!(taken[BULK_IN_USE_MAX - 1].block.len(), BULK_BYTES);
        assert_eq!(taken[BULK_IN_USE_MAX].block.len(), SMALL_BYTES);
        drop(taken);
        let kept = BULK.with_borrow(Vec::len);
        assert_eq!((BULK_IN_USE.get(), kept), (0, BULK_KEPT_MAX));
    }

    #[test]
    fn a_head_grows_to_its_limit_and_keeps_its_bytes() {
        run(async {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            let (mut half, _write) = stream::unix(ours);
            let mut buffer = Buffer::default();
            let sent = vec![b'x'; SMALL_BYTES];
            theirs.write_all(&sent).await.unwrap();
            while !buffer.is_full() {
                fill(&mut buffer, &mut half).await;
            }
            assert!(buffer.grow(2 * SMALL_BYTES).is_ok());
            assert_eq!((buffer.bytes(), buffer.is_full()), (sent.as_slice(), false));
            assert_eq!(buffer.grow(2 * SMALL_BYTES), Err(OutOfSpace));
        });
    }
}
