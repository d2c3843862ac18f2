//! The story of each pin in the log: `journalctl -u clusterd F_CID=…` shows it.

use clusterd_core::input::{Input, IpfsFailure};
use common::ids::Cid;

/// Kubo holds a pin.
pub const HELD: &str = "pin held";
/// Kubo has let a pin go.
pub const LET_GO: &str = "pin let go";

/// What clients and operators ask for. An import is left out: a line for each of a million records
/// would push all others out of the journal.
pub fn asked(input: &Input) {
    if let Input::Pin { pins, .. } = input {
        pins.iter().for_each(|pin| tracing::info!(cid = %pin.cid, "pin asked for"));
    } else if let Input::Unpin { cids, .. } = input {
        cids.iter().for_each(|cid| tracing::info!(%cid, "unpin asked for"));
    } else if let Input::Update { from, to, unpin, .. } = input {
        tracing::info!(cid = %to, "pin asked for, in place of another");
        if *unpin {
            tracing::info!(cid = %from, "unpin asked for");
        }
    }
}

/// How an operation of Kubo ended; `done` is what it was to bring.
pub fn ended(cid: &Cid, done: &'static str, outcome: &Result<(), IpfsFailure>) {
    let error = match outcome {
        Ok(()) if done == HELD => return tracing::info!(%cid, "pin held"),
        Ok(()) => return tracing::info!(%cid, "pin let go"),
        Err(
            IpfsFailure::Refused(words)
            | IpfsFailure::Unreachable(words)
            | IpfsFailure::Stalled(words),
        ) => words,
    };
    tracing::warn!(%cid, %error, "ipfs failed; tried again later");
}
