//! What a simulation did, counted.

use std::collections::BTreeMap;
use std::fmt;

/// What goes wrong, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    MessageLost,
    MessageRepeated,
    MessageLate,
    Partition,
    CrashBeforeCommit,
    CrashBetweenEffects,
    CommitFailed,
    FetchFailed,
    FetchSlow,
    BytesOfAnotherBlock,
    HeadThatNobodyHas,
    HeadThatIsNoBlock,
    LinkToNothing,
    HugeBlock,
    KuboAway,
    KuboFailed,
}

/// Counts of one world or many.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) worlds: u64,
    pub(crate) peers: u64,
    pub(crate) requests: u64,
    pub(crate) blocks: u64,
    pub(crate) pins: u64,
    pub(crate) faults: BTreeMap<Fault, u64>,
}

impl Report {
    pub(crate) fn count(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: Report) {
        self.worlds += other.worlds;
        self.peers += other.peers;
        self.requests += other.requests;
        self.blocks += other.blocks;
        self.pins += other.pins;
        for (fault, count) in other.faults {
            *self.faults.entry(fault).or_default() += count;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worlds, peers, requests, blocks, pins, faults } = self;
        writeln!(f, "{worlds} worlds, {peers} peers, {requests} requests")?;
        writeln!(
            f,
            "{blocks} blocks and {pins} pins at the end, equal on all peers of each world"
        )?;
        for (fault, count) in faults {
            writeln!(f, "{count:>10} {fault:?}")?;
        }
        Ok(())
    }
}
