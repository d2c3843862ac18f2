//! Joins rooms: Kubo for the API, the network for the node, this peer for others, others for this peer.

mod asking;
pub mod below;
pub mod blocks;
pub mod informer;
pub mod kubo;
pub mod links;
pub mod network;
pub mod others;
pub mod peer;
mod put_blocks;
pub mod watchers;
pub mod watching;

pub use kubo::KuboSeam;
