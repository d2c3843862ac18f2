//! The rows of the table: each measures one thing on all sides and gives its figures.

mod add;
mod bulk;
mod catch_up;
mod converge;
mod import;
mod levels;
mod pin_add;
mod pin_ls;
mod restart;
mod small;

use std::path::Path;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::BenchError;
use crate::figure::Figure;
use crate::sizes::Sizes;
use harness::random::Random;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Row {
    /// Small requests that pass through.
    Small,
    /// Long bodies that pass through, both ways.
    Bulk,
    /// `add` of a large file and of many small ones.
    Add,
    /// `pin/add` of local content.
    PinAdd,
    /// A streamed `pin/ls`.
    PinLs,
    /// Import of large pinsets: time, disk, memory.
    Import,
    /// Fresh peers that join a large pinset.
    CatchUp,
    /// Single writes at three peers.
    Converge,
    /// What clusters one above the other cost.
    Levels,
    /// Restarts under load.
    Restart,
}

/// What a row works with.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    /// A directory of its own; removed afterwards.
    pub(crate) directory: &'a Path,
    /// How much to measure.
    pub(crate) sizes: &'a Sizes,
    /// Fresh content, and the order of the sides.
    pub(crate) random: &'a mut Random,
}

impl Row {
    /// Whether other people's proxies, and a load generator, take part.
    pub(crate) fn has_other_proxies(self) -> bool {
        match self {
            Self::Small | Self::Bulk => true,
            Self::Add
            | Self::PinAdd
            | Self::PinLs
            | Self::Import
            | Self::CatchUp
            | Self::Converge
            | Self::Levels
            | Self::Restart => false,
        }
    }

    /// Measures it.
    ///
    /// # Errors
    /// When any side cannot be measured.
    pub(crate) fn measure(self, run: &mut Run<'_>) -> Result<Vec<Figure>, BenchError> {
        match self {
            Self::Small => small::measure(run),
            Self::Bulk => bulk::measure(run),
            Self::Add => add::measure(run),
            Self::PinAdd => pin_add::measure(run),
            Self::PinLs => pin_ls::measure(run),
            Self::Import => import::measure(run),
            Self::CatchUp => catch_up::measure(run),
            Self::Converge => converge::measure(run),
            Self::Levels => levels::measure(run),
            Self::Restart => restart::measure(run),
        }
    }
}
