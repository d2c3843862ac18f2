//! Reads for listings: pages of pins, each from one snapshot, beside the writer and never in its way.

use std::cmp::Ordering;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use clusterd_core::pinset::codec::BlockId;
use clusterd_core::pinset::set;
use clusterd_core::snapshot::{Row, Snapshot, Visitor};
use clusterd_core::store::{Entry, Space, StoreError};
use fjall::Readable;

use super::engine::{Engine, Pair, begin, between};
use super::failure::describe;
use super::{Shared, closed};

/// Reads beside the writer. Cheap to clone.
#[derive(Clone)]
pub struct Reader(Arc<Shared>);

impl Reader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }
}

impl Reader {
    /// The bytes of a block of the history.
    ///
    /// # Errors
    /// When the storage fails or is damaged.
    pub fn block(&self, id: &BlockId) -> Result<Option<Vec<u8>>, StoreError> {
        let engine = self.0.read();
        let engine = engine.as_ref().ok_or_else(closed)?;
        let row = engine.space(Space::Blocks).get(id.digest());
        match row.map_err(|error| describe("read", &error))? {
            Some(row) => set::block_of_row(id, &row).map(Some),
            None => Ok(None),
        }
    }

    /// Bytes of tables and journals; space is set aside for a journal before it is written.
    ///
    /// # Errors
    /// When the storage fails, or is being opened again.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        let engine = self.0.read();
        engine.as_ref().ok_or_else(closed)?.bytes()
    }

    /// Whether a block of the history is here.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn has_block(&self, id: &BlockId) -> Result<bool, StoreError> {
        let engine = self.0.read();
        let engine = engine.as_ref().ok_or_else(closed)?;
        let has = engine.space(Space::Blocks).contains_key(id.digest());
        has.map_err(|error| describe("read", &error))
    }
}

impl Snapshot for Reader {
    fn visit(&self, after: Option<&[u8]>, visitor: &mut Visitor<'_>) -> Result<(), StoreError> {
        let engine = self.0.read();
        let engine = engine.as_ref().ok_or_else(closed)?;
        visit(engine, after, visitor).map_err(|error| describe("read", &error))
    }

    fn look(&self, key: &[u8], visitor: &mut dyn FnMut(Row<'_>)) -> Result<(), StoreError> {
        let engine = self.0.read();
        let engine = engine.as_ref().ok_or_else(closed)?;
        let snapshot = engine.snapshot();
        let get = |space| {
            snapshot.get(engine.space(space), key).map_err(|error| describe("read", &error))
        };
        let (pin, unsettled) = (get(Space::Pins)?, get(Space::Unsettled)?);
        let spread = get(Space::Spread)?;
        let (pin, unsettled, spread) = (pin.as_deref(), unsettled.as_deref(), spread.as_deref());
        visitor(Row { key, pin, unsettled, spread });
        Ok(())
    }

    fn rows(
        &self,
        space: Space,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let engine = self.0.read();
        let engine = engine.as_ref().ok_or_else(closed)?;
        let snapshot = engine.snapshot();
        let from = begin(b"", after);
        let rows = between(&snapshot, engine.space(space), from, Bound::Unbounded).take(limit);
        let rows = rows.map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec())));
        rows.collect::<fjall::Result<_>>().map_err(|error| describe("read", &error))
    }
}

/// Rows of pins that are joined with the others at a time.
const JOIN_ROWS: usize = 1024;

/// Joins the spaces by key, stretch by stretch: the others are looked at only between the pins of a
/// stretch, as they are mostly deleted rows, which a longer look would crawl over.
fn visit(engine: &Engine, after: Option<&[u8]>, visitor: &mut Visitor<'_>) -> fjall::Result<()> {
    let snapshot = engine.snapshot();
    let mut from = begin(b"", after);
    let mut pins = between(&snapshot, engine.space(Space::Pins), from.clone(), Bound::Unbounded);
    loop {
        let stretch = pins.by_ref().take(JOIN_ROWS).collect::<fjall::Result<Vec<_>>>()?;
        let last = stretch.last().filter(|_| stretch.len() == JOIN_ROWS);
        let last = last.map(|(key, _)| key.to_vec());
        let to = last.clone().map_or(Bound::Unbounded, Bound::Included);
        let unsettled =
            between(&snapshot, engine.space(Space::Unsettled), from.clone(), to.clone());
        let spread = Cursor::new(between(&snapshot, engine.space(Space::Spread), from, to))?;
        let joined = join(stretch, unsettled, spread, visitor)?;
        match last {
            Some(last) if joined.is_continue() => from = Bound::Excluded(last),
            Some(_) | None => return Ok(()),
        }
    }
}

/// Rows that are looked up in the order of their keys.
struct Cursor<I> {
    rows: I,
    open: Option<Pair>,
}

impl<I: Iterator<Item = fjall::Result<Pair>>> Cursor<I> {
    fn new(mut rows: I) -> fjall::Result<Self> {
        let open = rows.next().transpose()?;
        Ok(Self { rows, open })
    }

    /// The value of a key, which is greater than all asked for before.
    fn value(&mut self, key: &[u8]) -> fjall::Result<Option<&[u8]>> {
        while self.open.as_ref().is_some_and(|(open, _)| open.as_ref() < key) {
            self.open = self.rows.next().transpose()?;
        }
        let found = self.open.as_ref().filter(|(open, _)| open.as_ref() == key);
        Ok(found.map(|(_, value)| value.as_ref()))
    }
}

fn join(
    pins: Vec<Pair>,
    mut unsettled: impl Iterator<Item = fjall::Result<Pair>>,
    mut spread: Cursor<impl Iterator<Item = fjall::Result<Pair>>>,
    visitor: &mut Visitor<'_>,
) -> fjall::Result<ControlFlow<()>> {
    let mut pins = pins.into_iter().peekable();
    let mut open = unsettled.next().transpose()?;
    loop {
        let order = match (pins.peek(), &open) {
            (Some((pin, _)), Some((open, _))) => pin.cmp(open),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return Ok(ControlFlow::Continue(())),
        };
        let settled = if order.is_le() { pins.next() } else { None };
        let wanting = if order.is_ge() { open.take() } else { None };
        let Some((key, _)) = settled.as_ref().or(wanting.as_ref()) else {
            return Ok(ControlFlow::Continue(()));
        };
        let row = Row {
            key,
            pin: settled.as_ref().map(|(_, value)| value.as_ref()),
            unsettled: wanting.as_ref().map(|(_, value)| value.as_ref()),
            spread: spread.value(key)?,
        };
        if visitor(row).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if order.is_ge() {
            open = unsettled.next().transpose()?;
        }
    }
}
