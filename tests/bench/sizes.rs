//! How much each row measures: bounded in count and time, twenty minutes in all, or two with `--quick`.

use std::time::Duration;

/// The sizes of one run.
#[derive(Debug, Clone)]
pub(crate) struct Sizes {
    /// Rounds of the short rows: an odd number, so that a median is a sample.
    pub(crate) rounds: usize,
    /// Rounds of the rows whose one round takes many seconds.
    pub(crate) long_rounds: usize,
    /// How long small requests are sent to one side in one round.
    pub(crate) load_time: Duration,
    /// A long body.
    pub(crate) body_bytes: u64,
    /// A large file to add.
    pub(crate) file_bytes: usize,
    /// Small files to add as one directory.
    pub(crate) files: usize,
    /// Pins added one after the other.
    pub(crate) pins_in_turn: usize,
    /// Pins added by 16 clients.
    pub(crate) pins_at_once: usize,
    /// The pinset that is listed.
    pub(crate) listed: usize,
    /// Pinsets that are imported, the largest last.
    pub(crate) imported: &'static [usize],
    /// The pinset that fresh peers catch up on.
    pub(crate) caught_up: usize,
    /// Pins written one at a time at three peers together.
    pub(crate) single_writes: usize,
    /// How long idle peers are listened to.
    pub(crate) idle_time: Duration,
    /// Restarts of each daemon under load.
    pub(crate) restarts: usize,
}

impl Sizes {
    /// What figures are made of.
    pub(crate) fn full() -> Self {
        Self {
            rounds: 5,
            long_rounds: 3,
            load_time: Duration::from_secs(2),
            body_bytes: 1 << 30,
            file_bytes: 512 << 20,
            files: 2000,
            pins_in_turn: 300,
            pins_at_once: 2000,
            listed: 200_000,
            imported: &[200_000, 1_000_000],
            caught_up: 200_000,
            single_writes: 9_999,
            idle_time: Duration::from_secs(30),
            restarts: 10,
        }
    }

    /// Enough to see that every side works.
    pub(crate) fn quick() -> Self {
        Self {
            rounds: 1,
            long_rounds: 1,
            load_time: Duration::from_secs(1),
            body_bytes: 64 << 20,
            file_bytes: 16 << 20,
            files: 100,
            pins_in_turn: 50,
            pins_at_once: 200,
            listed: 2000,
            imported: &[2000],
            caught_up: 2000,
            single_writes: 99,
            idle_time: Duration::from_secs(3),
            restarts: 2,
        }
    }
}
