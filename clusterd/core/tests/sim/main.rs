//! A node with a Kubo and a disk that can fail at any moment.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod asked;
mod behaviour;
mod calls;
mod chance;
mod eligible;
mod kubo;
mod members;
mod queue;
mod random;
mod repin;
mod world;
