//! Reads for listings: pages of pins, each from one snapshot, beside the writer and never in its way.

use std::cmp::Ordering;
use std::sync::Arc;

use clusterd_core::snapshot::{Row, Snapshot, Visitor};
use clusterd_core::store::{Space, StoreError};
use fjall::Readable;

use super::engine::{Engine, rows};
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
        visitor(Row { key, pin: pin.as_deref(), unsettled: unsettled.as_deref() });
        Ok(())
    }
}

/// Joins both spaces by key.
fn visit(engine: &Engine, after: Option<&[u8]>, visitor: &mut Visitor<'_>) -> fjall::Result<()> {
    let snapshot = engine.snapshot();
    let mut pins = rows(&snapshot, engine.space(Space::Pins), b"", after);
    let mut unsettled = rows(&snapshot, engine.space(Space::Unsettled), b"", after);
    let mut pin = pins.next().transpose()?;
    let mut open = unsettled.next().transpose()?;
    loop {
        let order = match (&pin, &open) {
            (Some((pin, _)), Some((open, _))) => pin.cmp(open),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return Ok(()),
        };
        let (with_pin, with_open) = (order.is_le(), order.is_ge());
        let settled = pin.as_ref().filter(|_| with_pin);
        let wanting = open.as_ref().filter(|_| with_open);
        let Some((key, _)) = settled.or(wanting) else {
            return Ok(());
        };
        let row = Row {
            key,
            pin: settled.map(|(_, value)| value.as_ref()),
            unsettled: wanting.map(|(_, value)| value.as_ref()),
        };
        if visitor(row).is_break() {
            return Ok(());
        }
        if with_pin {
            pin = pins.next().transpose()?;
        }
        if with_open {
            open = unsettled.next().transpose()?;
        }
    }
}
