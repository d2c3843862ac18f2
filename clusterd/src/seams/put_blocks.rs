//! Blocks that another peer streams to us, into Kubo in batches: while one is put, the next is gathered.

use std::future::Future;
use std::pin::pin;

use bytes::Bytes;
use common::ids::Cid;

use crate::net::gorpc::items::{Items, Refusal};
use crate::net::gorpc::types::BlockPut;

/// A batch is full with so many bytes, the last block included: 16 of the usual blocks.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// And with so many blocks, which may be tiny.
const BATCH_BLOCKS_MAX: usize = 1024;

/// Blocks that go to Kubo together.
#[derive(Default)]
struct Batch {
    blocks: Vec<(Cid, Bytes)>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, block: BlockPut) {
        self.bytes += block.data.len();
        self.blocks.push((block.cid, block.data.into()));
    }

    fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES_MAX || self.blocks.len() >= BATCH_BLOCKS_MAX
    }
}

/// Puts all blocks of a list; at most two batches are in memory, and the list waits meanwhile. The first
/// failure ends it.
pub(super) async fn in_batches<F>(
    mut blocks: Items<BlockPut>,
    put: impl Fn(Vec<(Cid, Bytes)>) -> F,
) -> Result<(), Refusal>
where
    F: Future<Output = Result<(), Refusal>>,
{
    let mut is_over = false;
    let mut next = Batch::default();
    loop {
        if next.blocks.is_empty() {
            match blocks.next().await? {
                Some(block) => next.push(block),
                None => return Ok(()),
            }
        }
        let mut putting = pin!(put(std::mem::take(&mut next).blocks));
        loop {
            tokio::select! {
                // First: what is there already goes with the next batch.
                biased;
                block = blocks.next(), if !is_over && !next.is_full() => match block? {
                    Some(block) => next.push(block),
                    None => is_over = true,
                },
                done = &mut putting => break done?,
            }
        }
        if is_over && next.blocks.is_empty() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures_util::FutureExt;
    use tokio::sync::Notify;

    use super::*;
    use crate::net::gorpc::items::{Feed, items};

    fn block(bytes: usize) -> BlockPut {
        let cid = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPBdX".parse().unwrap();
        BlockPut { data: vec![0; bytes], cid, cumulative_size: 0 }
    }

    async fn feed(feed: Feed<BlockPut>, sizes: &[usize]) {
        for size in sizes {
            feed.send(block(*size)).await.unwrap();
        }
        feed.end().await;
    }

    #[tokio::test]
    async fn what_comes_while_a_batch_is_put_goes_together() {
        let (to, list) = items(2);
        let (batches, go) = (RefCell::new(Vec::new()), Notify::new());
        let put = |batch: Vec<(Cid, Bytes)>| {
            batches.borrow_mut().push(batch.iter().map(|(_, data)| data.len()).collect::<Vec<_>>());
            let is_first = batches.borrow().len() == 1;
            let go = &go;
            async move {
                if is_first {
                    go.notified().await;
                }
                Ok(())
            }
        };
        let fed = async {
            feed(to, &[1, 2, 3, 4, 5]).await;
            go.notify_one();
        };
        let (put, ()) = tokio::join!(in_batches(list, put), fed);
        assert_eq!(put, Ok(()));
        assert_eq!(*batches.borrow(), [vec![1], vec![2, 3, 4, 5]]);
    }

    #[tokio::test]
    async fn a_full_batch_makes_the_sender_wait() {
        let (to, list) = items(1);
        let half = BATCH_BYTES_MAX / 2;
        let never = |_| std::future::pending::<Result<(), Refusal>>();
        let sent = RefCell::new(0);
        let sending = async {
            for _ in 0..10 {
                to.send(block(half)).await.unwrap();
                *sent.borrow_mut() += 1;
            }
        };
        let both = async { tokio::join!(in_batches(list, never), sending) };
        let mut both = pin!(both);
        for _ in 0..100 {
            assert!(both.as_mut().now_or_never().is_none());
        }
        // One is being put, two make a full batch, one waits in the list.
        assert_eq!(*sent.borrow(), 4);
    }

    #[tokio::test]
    async fn a_failure_and_a_list_that_breaks_end_it() {
        let (to, list) = items(8);
        feed(to, &[1]).await;
        let fails = |_| async { Err(Refusal("no space left".to_owned())) };
        let ended = in_batches(list, fails).await;
        assert_eq!(ended, Err(Refusal("no space left".to_owned())));

        let (to, list) = items(8);
        to.send(block(1)).await.unwrap();
        drop(to);
        assert!(in_batches(list, |_| async { Ok(()) }).await.is_err(), "half is not whole");
    }

    #[tokio::test]
    async fn nothing_is_put_of_an_empty_list() {
        let (to, list) = items(1);
        to.end().await;
        let never = |_| async { Err(Refusal("it was called".to_owned())) };
        assert_eq!(in_batches(list, never).await, Ok(()));
    }
}
