//! Who waits for which block: several may wait for one, and each block is asked for once.

use std::collections::BTreeMap;

use clusterd_core::pinset::codec::BlockId;
use thiserror::Error;
use tokio::sync::oneshot;

/// Blocks that are asked for at a time; bitswap takes as many.
const BLOCKS_MAX: usize = 4096;

/// Those who wait for one block.
const WAITERS_MAX: usize = 64;

/// Why a block did not come.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FetchError {
    /// No connected peer sent it in time.
    #[error("no peer sent the block within {0} s")]
    TimedOut(u64),
    /// Too many are waited for.
    #[error("too many blocks are being fetched")]
    TooMany,
    /// The network is stopping.
    #[error("the network of peers is stopping")]
    Stopped,
}

/// Where a block goes.
pub(super) type Waiter = oneshot::Sender<Result<Vec<u8>, FetchError>>;

/// Blocks that are waited for.
#[derive(Debug, Default)]
pub(super) struct Fetches(BTreeMap<BlockId, Vec<Waiter>>);

impl Fetches {
    /// Takes a waiter. True when peers must be asked: nobody waited for the block before.
    pub(super) fn add(&mut self, id: BlockId, waiter: Waiter) -> bool {
        let blocks = self.0.len();
        match self.0.get_mut(&id) {
            Some(waiters) if waiters.len() < WAITERS_MAX => {
                waiters.push(waiter);
                false
            }
            None if blocks < BLOCKS_MAX => {
                self.0.insert(id, vec![waiter]);
                true
            }
            Some(_) | None => {
                // An error means that the waiter has left.
                drop(waiter.send(Err(FetchError::TooMany)));
                false
            }
        }
    }

    /// A block came; its hash is checked. All who wait for it get it.
    pub(super) fn came(&mut self, id: &BlockId, bytes: Vec<u8>) {
        let Some(mut waiters) = self.0.remove(id) else { return };
        let last = waiters.pop();
        for waiter in waiters {
            drop(waiter.send(Ok(bytes.clone())));
        }
        if let Some(last) = last {
            drop(last.send(Ok(bytes)));
        }
    }

    /// A block cannot be asked for: all who wait for it are told.
    pub(super) fn refuse(&mut self, id: &BlockId) {
        for waiter in self.0.remove(id).unwrap_or_default() {
            drop(waiter.send(Err(FetchError::TooMany)));
        }
    }

    /// Blocks that are waited for.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Forgets waiters that have left, and returns the blocks that nobody waits for any more.
    pub(super) fn sweep(&mut self) -> Vec<BlockId> {
        let mut unwanted = Vec::new();
        self.0.retain(|id, waiters| {
            waiters.retain(|waiter| !waiter.is_closed());
            if waiters.is_empty() {
                unwanted.push(*id);
            }
            !waiters.is_empty()
        });
        unwanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> BlockId {
        BlockId::of(&number.to_be_bytes())
    }

    #[tokio::test]
    async fn all_who_wait_for_a_block_get_it_and_peers_are_asked_once() {
        let mut fetches = Fetches::default();
        let (a, first) = oneshot::channel();
        let (b, second) = oneshot::channel();
        assert!(fetches.add(id(1), a));
        assert!(!fetches.add(id(1), b));
        fetches.came(&id(1), b"block".to_vec());
        assert_eq!(first.await.unwrap().unwrap(), b"block");
        assert_eq!(second.await.unwrap().unwrap(), b"block");
        assert!(fetches.add(id(1), oneshot::channel().0));
    }

    #[test]
    fn a_block_is_unwanted_when_the_last_waiter_leaves() {
        let mut fetches = Fetches::default();
        let (a, first) = oneshot::channel();
        let (b, second) = oneshot::channel();
        fetches.add(id(1), a);
        fetches.add(id(1), b);
        drop(first);
        assert_eq!(fetches.sweep(), Vec::new());
        drop(second);
        assert_eq!(fetches.sweep(), [id(1)]);
        assert_eq!(fetches.sweep(), Vec::new());
    }

    #[tokio::test]
    async fn more_than_the_limit_is_refused_at_once() {
        let mut fetches = Fetches::default();
        let mut kept = Vec::new();
        for number in 0..BLOCKS_MAX {
            let (waiter, receiver) = oneshot::channel();
            assert!(fetches.add(id(number), waiter));
            kept.push(receiver);
        }
        let (waiter, refused) = oneshot::channel();
        assert!(!fetches.add(id(BLOCKS_MAX), waiter));
        assert_eq!(refused.await.unwrap(), Err(FetchError::TooMany));
    }
}
