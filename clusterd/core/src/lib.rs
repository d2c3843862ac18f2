//! The decisions of a cluster peer, without I/O: no socket, file, clock or randomness in here.
//!
//! [`node::Node`] takes an [`input::Input`] and the time, writes what must last into its
//! [`store::Store`], and returns [`effect::Effect`]s. Its owner commits the store and only then
//! lets the effects happen, so nothing is promised that a crash could take back.

#![forbid(unsafe_code)]

pub mod allocator;
pub mod config;
pub mod counts;
pub mod effect;
pub mod election;
pub mod input;
pub mod members;
#[doc(hidden)]
pub mod mutant;
pub mod node;
pub mod pinset;
pub mod repin;
mod row;
pub mod snapshot;
pub mod spread;
pub mod store;
pub mod tracker;
