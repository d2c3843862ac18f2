//! The network of the cluster's peers.

pub mod bitswap;
pub mod blocks;
