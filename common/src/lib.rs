//! What both daemons and their tools share. Without feature `io` it has no socket, file or clock.

#![deny(unsafe_code)]

#[cfg(feature = "io")]
pub mod activation;
pub mod api;
#[cfg(feature = "io")]
pub mod args;
#[cfg(feature = "io")]
pub mod config;
pub mod go_duration;
pub mod ids;
pub mod kubo;
#[cfg(feature = "io")]
pub mod lifecycle;
#[cfg(feature = "io")]
pub mod log;
#[cfg(feature = "io")]
pub mod messages;
pub mod pin;
pub mod printable;
#[cfg(feature = "io")]
pub mod shipped;
pub mod status;
pub mod tree;
pub mod units;
