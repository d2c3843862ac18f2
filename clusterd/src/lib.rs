//! The rooms of clusterd; `main` only starts them.

#![forbid(unsafe_code)]

pub mod api;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod driver;
pub mod effects;
pub mod identity;
pub mod ipfs;
pub mod net;
pub mod seams;
pub mod sockets;
pub mod store;
