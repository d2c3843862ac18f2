//! The API on both sockets: scope, decode, ask, encode.

pub mod below;
pub mod capacity;
pub mod door;
pub mod garbage;
pub mod here;
pub mod kubo;
mod listing;
pub mod others;
mod page;
pub mod prometheus;
mod proxy;
mod refusal;
mod removal;
pub use refusal::stored;
mod reply;
mod rest;
pub mod room;
mod router;
pub mod server;
mod trailer;
pub mod tree;
