//! The network of peers.

pub mod gorpc;
