//! What both daemons and their tools share. Without feature `io` it has no socket, file or clock.

#![deny(unsafe_code)]

pub mod api;
pub mod ids;
pub mod kubo;
pub mod pin;
pub mod status;
pub mod units;
