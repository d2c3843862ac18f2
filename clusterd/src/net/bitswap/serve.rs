//! Answers the wants of a peer, a message at a time, off the threads of the network.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::lane::Lane;
use super::ledger::Due;
use super::limits::permits;
use super::message::{BLOCK_OVERHEAD, MESSAGE_BYTES_MAX, Message, Presence};
use crate::net::blocks::Blocks;

/// A message with this many bytes is sent as it is.
const FULL_BYTES: usize = 1 << 20;

/// A message with this many answers is sent as it is.
const FULL_ANSWERS: usize = 1024;

/// A block of this size answers the question whether it is here. Source: wire.md 5.
const BLOCK_BYTES_AS_ANSWER: usize = 1024;

/// A word on a block, with its CID.
const PRESENCE_BYTES: usize = 48;

/// Where answers come from, and the memory that they may take.
pub(super) struct Source {
    /// The blocks.
    pub(super) blocks: Arc<dyn Blocks>,
    /// One permit for each KiB of a message until it is sent.
    pub(super) memory: Arc<Semaphore>,
}

/// Answers that are ready to be sent.
#[derive(Debug)]
pub(super) struct Slice {
    /// The message behind its length; `None` when there is nothing to say.
    pub(super) frame: Option<Vec<u8>>,
    _share: Option<OwnedSemaphorePermit>,
}

/// Answers what is due in a lane, up to one message. Waits for memory. What it answers stays taken
/// in the ledger until it is told `sent` or `restart`; when cancelled, `restart` is due.
pub(super) async fn slice(source: Arc<Source>, lane: Arc<Lane>) -> Slice {
    let memory = Arc::clone(&source.memory).acquire_many_owned(permits(MESSAGE_BYTES_MAX)).await;
    // Closed never: the semaphore lives as long as the behaviour.
    let Ok(mut share) = memory else { return Slice { frame: None, _share: None } };
    let read = spawn_blocking({
        let lane = Arc::clone(&lane);
        move || read(source.blocks.as_ref(), &lane)
    });
    match read.await {
        Ok(frame) => {
            let bytes = frame.as_ref().map_or(0, Vec::len);
            let kept = usize::try_from(permits(bytes)).unwrap_or(usize::MAX);
            drop(share.split(share.num_permits().saturating_sub(kept)));
            Slice { frame, _share: Some(share) }
        }
        Err(error) => {
            tracing::error!(%error, "reading blocks for a peer ended early");
            Slice { frame: None, _share: None }
        }
    }
}

fn read(blocks: &dyn Blocks, lane: &Lane) -> Option<Vec<u8>> {
    let (mut message, mut bytes) = (Message::default(), 0);
    while bytes < FULL_BYTES && message.blocks.len() + message.presences.len() < FULL_ANSWERS {
        let Some(due) = lane.state().ledger.take() else { break };
        match look_up(blocks, due) {
            Found::Block(block) => {
                let size = block.len() + BLOCK_OVERHEAD;
                if bytes + size > MESSAGE_BYTES_MAX {
                    lane.state().ledger.give_back();
                    break;
                }
                bytes += size;
                message.blocks.push(block);
            }
            Found::Present => {
                bytes += PRESENCE_BYTES;
                message.presences.push((due.id, Presence::Have));
            }
            Found::Nothing => {
                if lane.state().ledger.lack() {
                    bytes += PRESENCE_BYTES;
                    message.presences.push((due.id, Presence::DontHave));
                }
            }
        }
    }
    (bytes > 0).then(|| message.to_frame())
}

enum Found {
    Block(Vec<u8>),
    Present,
    Nothing,
}

fn look_up(blocks: &dyn Blocks, due: Due) -> Found {
    match blocks.block(&due.id) {
        // No message carries it, so nobody can have it of us.
        Some(block) if block.len() + 2 * BLOCK_OVERHEAD > MESSAGE_BYTES_MAX => Found::Nothing,
        Some(block) if due.is_block || block.len() <= BLOCK_BYTES_AS_ANSWER => Found::Block(block),
        Some(_) => Found::Present,
        None => Found::Nothing,
    }
}
