//! Many peers, each with a Kubo and a disk, on a network that loses, repeats, delays and lies.
//!
//! Everything follows from one number: `SIM_SEED=7` replays a world, `SIM_SEEDS=1000` runs more of
//! them, `COMPOSITE_SLOW=1` as many as a change of the core should pass.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod act;
mod catch_up;
#[path = "../sim/chance.rs"]
mod chance;
mod check;
mod disk;
mod follow;
#[path = "../sim/kubo.rs"]
mod kubo;
mod liar;
mod listen;
mod many;
#[cfg(feature = "mutants")]
mod mutants;
mod net;
mod oracle;
mod peer;
mod process;
mod report;
mod run;
mod second_root;
mod spread;
mod told;
mod world;
