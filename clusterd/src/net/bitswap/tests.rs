//! Behaviours in real swarms, over TCP on loopback with noise and yamux.

mod bench;
mod fetch;
mod limits;
mod odd_peers;
mod raw;
mod stage;
