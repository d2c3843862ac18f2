//! What is stored of a pin that is not as wanted, and its place in the queue.

use common::status::PinStatus;

use crate::input::Time;
use crate::pinset::key::PinKey;
use crate::row::{RowReader, cut, put_uvarint};
use crate::store::{Space, Store, StoreError};

/// Bytes of an error's words that are kept: enough for any of Kubo's, small enough for a million.
const ERROR_BYTES_MAX: usize = 256;

const UNPIN: u8 = 1;
const RETRY: u8 = 1 << 1;
const HELD_BACK: u8 = 1 << 2;
const WAS_PINNED: u8 = 1 << 3;
const LOST: u8 = 1 << 4;
const FREES_SOURCE: u8 = 1 << 5;

/// What Kubo is to be brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// To hold the pin as its record says.
    Pin,
    /// To let go of it.
    Unpin,
}

/// When a pin has its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Never tried, or asked for again: the newest first, ahead of all that failed.
    New(Time),
    /// After a failure: not before this time.
    Due(Time),
    /// When the pin that replaces it is held.
    HeldBack,
}

/// A row of `Unsettled`. A pin of the pinset without one is held by Kubo (if it is for this peer).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    /// What is to be reached.
    pub goal: Goal,
    /// When it has its turn.
    pub turn: Turn,
    /// Kubo holds it as far as is known, and only details are to change: it stays listed.
    pub was_pinned: bool,
    /// Kubo was found without it.
    pub is_lost: bool,
    /// Once this pin is held, the pin that it replaced is let go.
    pub frees_source: bool,
    /// Failed attempts.
    pub attempts: u32,
    /// When it came into this state.
    pub since: Time,
    /// Words of the newest failure; empty for none.
    pub error: String,
}

/// The parts of the queue, each with its own order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Unpins by due time.
    Unpin = 1,
    /// First attempts, newest first.
    New = 2,
    /// Further attempts by due time.
    Retry = 3,
    /// Expiries by time; these are no operations.
    Expiry = 4,
}

impl Unsettled {
    /// A pin that has its first turn now.
    #[must_use]
    pub fn new(goal: Goal, now: Time) -> Self {
        Self {
            goal,
            turn: Turn::New(now),
            was_pinned: false,
            is_lost: false,
            frees_source: false,
            attempts: 0,
            since: now,
            error: String::new(),
        }
    }

    /// Its status while no operation runs.
    #[must_use]
    pub fn status(&self) -> PinStatus {
        match (self.goal, self.attempts) {
            (Goal::Pin, 0) if self.is_lost => PinStatus::UnexpectedlyUnpinned,
            (Goal::Pin, 0) => PinStatus::PinQueued,
            (Goal::Pin, _) => PinStatus::PinError,
            (Goal::Unpin, 0) => PinStatus::UnpinQueued,
            (Goal::Unpin, _) => PinStatus::UnpinError,
        }
    }

    /// The row's bytes: flags, then turn, attempts and begin as varints, then the error's words.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let flag = |bit: u8, is_set: bool| if is_set { bit } else { 0 };
        let (turn_flag, time) = match self.turn {
            Turn::New(time) => (0, time),
            Turn::Due(time) => (RETRY, time),
            Turn::HeldBack => (HELD_BACK, Time(0)),
        };
        let mut row = Vec::with_capacity(16 + self.error.len());
        row.push(
            turn_flag
                | flag(UNPIN, self.goal == Goal::Unpin)
                | flag(WAS_PINNED, self.was_pinned)
                | flag(LOST, self.is_lost)
                | flag(FREES_SOURCE, self.frees_source),
        );
        put_uvarint(&mut row, time.0);
        put_uvarint(&mut row, u64::from(self.attempts));
        put_uvarint(&mut row, self.since.0);
        row.extend_from_slice(cut(&self.error, ERROR_BYTES_MAX).as_bytes());
        row
    }

    /// Reads a row; `None` when it is damaged.
    #[must_use]
    pub fn decode(row: &[u8]) -> Option<Self> {
        let mut reader = RowReader(row);
        let flags = reader.byte()?;
        let is = |bit: u8| flags & bit != 0;
        let time = Time(reader.uvarint()?);
        Some(Self {
            goal: if is(UNPIN) { Goal::Unpin } else { Goal::Pin },
            turn: match (is(HELD_BACK), is(RETRY)) {
                (true, _) => Turn::HeldBack,
                (false, true) => Turn::Due(time),
                (false, false) => Turn::New(time),
            },
            was_pinned: is(WAS_PINNED),
            is_lost: is(LOST),
            frees_source: is(FREES_SOURCE),
            attempts: u32::try_from(reader.uvarint()?).ok()?,
            since: Time(reader.uvarint()?),
            error: String::from_utf8_lossy(reader.0).into_owned(),
        })
    }

    /// The key's row.
    pub(crate) fn load<S: Store>(store: &S, key: &PinKey) -> Result<Option<Self>, StoreError> {
        let Some(row) = store.get(Space::Unsettled, key.as_bytes())? else {
            return Ok(None);
        };
        let damaged =
            || StoreError::Damaged { what: format!("unsettled row of {}", key.to_text()) };
        Self::decode(&row).map(Some).ok_or_else(damaged)
    }

    /// Its place in the queue; `None` while it has none.
    pub(crate) fn place(&self, key: &PinKey) -> Option<Place> {
        match (self.goal, self.turn) {
            (_, Turn::HeldBack) => None,
            (Goal::Unpin, Turn::New(time) | Turn::Due(time)) => {
                Some(Place::new(Lane::Unpin, time, key))
            }
            (Goal::Pin, Turn::New(time)) => Some(Place::new(Lane::New, time, key)),
            (Goal::Pin, Turn::Due(time)) => Some(Place::new(Lane::Retry, time, key)),
        }
    }
}

/// A row of `Queue`: lane, time (complemented in [`Lane::New`], so that the newest comes first), key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(Vec<u8>);

/// Bytes before the pin's key.
const PLACE_HEAD: usize = 9;

impl Place {
    pub(crate) fn new(lane: Lane, time: Time, key: &PinKey) -> Self {
        let order = if lane == Lane::New { !time.0 } else { time.0 };
        Self([&[lane as u8], order.to_be_bytes().as_slice(), key.as_bytes()].concat())
    }

    pub(crate) fn from_stored(row: Vec<u8>) -> Self {
        Self(row)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn time(&self, lane: Lane) -> Time {
        let order = self.0.get(1..PLACE_HEAD).and_then(|order| order.try_into().ok());
        let order = u64::from_be_bytes(order.unwrap_or_default());
        Time(if lane == Lane::New { !order } else { order })
    }

    pub(crate) fn key(&self) -> PinKey {
        PinKey::from_stored(self.0.get(PLACE_HEAD..).unwrap_or_default().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_survive_and_long_words_are_cut_between_characters() {
        for turn in [Turn::New(Time(5)), Turn::Due(Time(u64::MAX)), Turn::HeldBack] {
            let row = Unsettled {
                turn,
                was_pinned: true,
                attempts: 7,
                error: "é".repeat(200),
                ..Unsettled::new(Goal::Unpin, Time(9))
            };
            let back = Unsettled::decode(&row.encode()).unwrap();
            assert_eq!(back, Unsettled { error: "é".repeat(128), ..row });
        }
        assert_eq!(Unsettled::decode(&[]), None);
    }

    #[test]
    fn the_newest_first_attempt_and_the_oldest_retry_come_first() {
        let key = PinKey::from_text("/k");
        let [early, late] = [Time(1), Time(2)];
        assert!(Place::new(Lane::New, late, &key) < Place::new(Lane::New, early, &key));
        assert!(Place::new(Lane::Retry, early, &key) < Place::new(Lane::Retry, late, &key));
        assert_eq!(Place::new(Lane::New, late, &key).time(Lane::New), late);
        assert_eq!(Place::new(Lane::Retry, late, &key).key(), key);
    }
}
