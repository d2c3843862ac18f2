//! `clusterdctl init`, `invite` and `join`: what a peer needs before it can be one of a cluster.

mod addresses;
mod init;
mod invitation;
mod invite;
mod join;
mod layout;
mod private;

pub(super) use init::init;
pub(super) use invite::invite;
pub(super) use join::join;
