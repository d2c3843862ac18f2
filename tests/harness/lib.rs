//! Runs the real programs for tests, demo and benchmarks: Kubo, our daemons, Go ipfs-cluster.
//!
//! Every program has a directory, ports and a log of its own, is ready when a constructor returns,
//! and is killed by its process id when its value is dropped. A panicking test shows the logs.

#![forbid(unsafe_code)]

pub mod build;
pub mod cluster;
pub mod composite;
pub mod daemon;
pub mod error;
pub mod go_cluster;
pub mod http;
pub mod ipfs;
pub mod kubo;
pub mod notify;
pub mod peers;
pub mod ports;
pub mod program;
pub mod random;
pub mod rpc;
pub mod scale;
pub mod sockets;
pub mod stack;
pub mod stream;
pub mod usage;
pub mod volume;
pub mod wait;
