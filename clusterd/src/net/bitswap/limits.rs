//! How much of everything the exchange of blocks may take.

use std::time::Duration;

use super::message::MESSAGE_BYTES_MAX;

/// Limits of one [`super::Behaviour`]. What goes over one is dropped, and asked for again by who
/// wanted it; our memory holds.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Peers that blocks are exchanged with. Further ones are connected but neither asked nor served.
    pub peers: usize,
    /// Blocks that we want at a time.
    pub wants: usize,
    /// Blocks that one peer may want of us at a time; it gets what is free after that.
    pub wants_per_peer: usize,
    /// Streams that one connection may have open towards us.
    pub inbound_streams: usize,
    /// Bytes of messages that are being received, of all peers. At least one message.
    pub bytes_in: usize,
    /// Bytes of blocks that are read or being sent, of all peers. At least one message.
    pub bytes_out: usize,
    /// A peer that has a block sends it in this time, or the next one is asked as well.
    pub block_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            peers: 512,
            wants: 4096,
            wants_per_peer: 4096,
            inbound_streams: 64,
            bytes_in: 32 << 20,
            bytes_out: 64 << 20,
            block_timeout: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// `bytes_in` as permits of [`BYTES_A_PERMIT`].
    pub(super) fn permits_in(&self) -> usize {
        self.bytes_in.max(MESSAGE_BYTES_MAX).div_ceil(BYTES_A_PERMIT)
    }

    /// `bytes_out` as permits of [`BYTES_A_PERMIT`].
    pub(super) fn permits_out(&self) -> usize {
        self.bytes_out.max(MESSAGE_BYTES_MAX).div_ceil(BYTES_A_PERMIT)
    }
}

/// Memory is given out in units of this many bytes.
const BYTES_A_PERMIT: usize = 1024;

/// Permits for this many bytes, of a message's at most.
pub(super) fn permits(bytes: usize) -> u32 {
    let permits = bytes.min(MESSAGE_BYTES_MAX).div_ceil(BYTES_A_PERMIT);
    u32::try_from(permits).unwrap_or(u32::MAX)
}
