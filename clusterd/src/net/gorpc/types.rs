//! What Go's methods take and give, written and read as the types that the rest of us uses.
//!
//! A field that is no CID, peer id or address makes the whole value unreadable, as in Go.
//! Source: `api/types.go` of Go ipfs-cluster 1.1.6; keys stand in its order.

mod block;
mod identity;
mod pin;
mod pin_info;
mod repo;
mod report;
mod tree;

pub use block::{BlockPut, Heads};
pub use pin_info::PeerPin;
pub use repo::{CountedRepo, IpfsRepoStat};
pub use report::{Asked, Reports, TOGETHER_MAX};
