//! Joins rooms: Kubo for the API, the network for the node, this peer for others.

pub mod blocks;
pub mod informer;
pub mod kubo;
pub mod links;
pub mod network;
pub mod others;
pub mod peer;

pub use kubo::KuboSeam;
