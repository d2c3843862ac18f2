//! clusterd: holds the replicated pinset and makes the local Kubo keep its share.

#![forbid(unsafe_code)]

mod config;
mod identity;
mod ipfs;
mod store;

fn main() {}
