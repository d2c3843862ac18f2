//! Changes that were done already: a call repeated after a broken connection finds its own work.

use common::ids::RequestId;

use crate::input::Time;
use crate::row::{RowReader, put_uvarint};
use crate::store::{Space, Store, StoreError};

/// A request is recognised for so long, in milliseconds. proxyd repeats within seconds.
const REMEMBERED: u64 = 600_000;
/// And while no more than so many newer ones came, so that a flood costs bounded space.
const REMEMBERED_MAX: u64 = 20_000;
/// Old requests forgotten with each new one; more than one, so that a backlog shrinks.
const FORGET_MAX: usize = 4;

/// First byte of keys: request -> when, number, outcome.
const BY_ID: u8 = 0;
/// First byte of keys: number -> request, oldest first.
const BY_AGE: u8 = 1;

/// How a change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// All of it was done.
    Done,
    /// It stopped at an argument that was not pinned.
    NotPinned,
    /// It stopped at a recursive pin.
    PinnedRecursively,
    /// It stopped at a part of a sharded file.
    PartOfShard,
}

/// How far a change came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Past {
    /// Arguments that were done.
    pub(super) done: usize,
    /// What ended it.
    pub(super) ending: Ending,
}

fn id_key(id: RequestId) -> Vec<u8> {
    [&[BY_ID], id.to_bytes().as_slice()].concat()
}

fn age_key(number: u64) -> Vec<u8> {
    [&[BY_AGE], number.to_be_bytes().as_slice()].concat()
}

/// The requests of the last minutes.
#[derive(Debug)]
pub(super) struct Requests {
    oldest: u64,
    next: u64,
}

impl Requests {
    pub(super) fn load<S: Store>(store: &S) -> Result<Self, StoreError> {
        let number =
            |key: &[u8]| key.get(1..).and_then(|n| n.try_into().ok()).map(u64::from_be_bytes);
        let rows = store.scan(
            Space::Requests,
            &[BY_AGE],
            None,
            usize::try_from(REMEMBERED_MAX * 2).unwrap_or(usize::MAX),
        )?;
        let oldest = rows.first().and_then(|(key, _)| number(key)).unwrap_or(0);
        let next = rows.last().and_then(|(key, _)| number(key)).map_or(0, |last| last + 1);
        Ok(Self { oldest, next })
    }

    pub(super) fn past<S: Store>(
        &self,
        store: &S,
        id: RequestId,
    ) -> Result<Option<Past>, StoreError> {
        let Some(row) = store.get(Space::Requests, &id_key(id))? else {
            return Ok(None);
        };
        let mut reader = RowReader(&row);
        let mut past = || {
            reader.uvarint()?;
            let done = usize::try_from(reader.uvarint()?).ok()?;
            let ending = match reader.byte()? {
                0 => Ending::Done,
                1 => Ending::NotPinned,
                2 => Ending::PinnedRecursively,
                _ => Ending::PartOfShard,
            };
            Some(Past { done, ending })
        };
        let damaged = || StoreError::Damaged { what: format!("request {id}") };
        past().map(Some).ok_or_else(damaged)
    }

    pub(super) fn remember<S: Store>(
        &mut self,
        store: &mut S,
        id: RequestId,
        past: Past,
        now: Time,
    ) -> Result<(), StoreError> {
        let mut row = Vec::new();
        put_uvarint(&mut row, now.0);
        put_uvarint(&mut row, past.done as u64);
        row.push(match past.ending {
            Ending::Done => 0,
            Ending::NotPinned => 1,
            Ending::PinnedRecursively => 2,
            Ending::PartOfShard => 3,
        });
        store.put(Space::Requests, id_key(id), row);
        store.put(Space::Requests, age_key(self.next), id.to_bytes().to_vec());
        self.next += 1;
        self.forget_old(store, now)
    }

    fn forget_old<S: Store>(&mut self, store: &mut S, now: Time) -> Result<(), StoreError> {
        for _ in 0..FORGET_MAX {
            if self.oldest + 1 >= self.next {
                return Ok(());
            }
            let age = age_key(self.oldest);
            if let Some(id) = store.get(Space::Requests, &age)? {
                let id = [&[BY_ID], id.as_slice()].concat();
                let row = store.get(Space::Requests, &id)?.unwrap_or_default();
                let done_at = RowReader(&row).uvarint().unwrap_or(0);
                let is_young = done_at.saturating_add(REMEMBERED) > now.0;
                if is_young && self.next - self.oldest <= REMEMBERED_MAX {
                    return Ok(());
                }
                store.delete(Space::Requests, id);
                store.delete(Space::Requests, age);
            }
            self.oldest += 1;
        }
        Ok(())
    }
}
