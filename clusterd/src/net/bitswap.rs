//! Blocks of the history from and for other peers: bitswap 1.2.0, both sides.
//!
//! Streams are one-way: what we want goes out on one stream of ours, what others want on another,
//! and neither carries an answer back. Each peer has a `lane::Lane`, which its connections and
//! the behaviour share: what it is to be asked, and what it asked of us. Nothing is queued for a
//! peer as bytes: messages are made when its stream can take them.
//!
//! ```text
//! want() -> client -> outbox of a peer -> handler -> stream
//! stream -> handler -> client -> Event::Block
//! stream -> handler -> ledger of the peer -> slice of blocks -> handler -> stream
//! ```

mod behaviour;
mod client;
mod decode;
mod frames;
mod handler;
mod lane;
mod ledger;
mod limits;
mod message;
mod outbound;
mod outbox;
mod serve;
#[cfg(test)]
mod tests;

pub use behaviour::Behaviour;
pub use client::{Counts, Event, WantsFull};
pub use limits::Limits;
