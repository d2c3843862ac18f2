//! Listings: pages of rows become chunks of lines, with flat memory however long the listing is.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use clusterd_core::pinset::pin_row::PinRow;
use clusterd_core::snapshot::{Row, Snapshot};
use clusterd_core::spread;
use common::api::error::{ApiError, ErrorCode};
use common::ids::PeerId;
use common::pin::Pin;

use super::refusal::{stored, unexpected};
use super::reply::{Answered, Lines, nothing, stream};

/// A chunk is sent when it has so many bytes: few enough for a quick first one, enough to make the
/// cost of sending small.
const CHUNK_BYTES: usize = 128 << 10;

/// A page ends after so many rows, also when none of them is listed, so that no snapshot lives long.
const PAGE_ROWS_MAX: usize = 20_000;

/// Appends the lines of one row, or none.
pub(super) trait Write: FnMut(Row<'_>, &mut Vec<u8>) -> Result<(), ApiError> + Send {}
impl<T: FnMut(Row<'_>, &mut Vec<u8>) -> Result<(), ApiError> + Send> Write for T {}

/// A listing under way.
struct Listing<W> {
    snapshot: Arc<dyn Snapshot>,
    write: W,
    after: Option<Vec<u8>>,
    is_over: bool,
}

/// How a listing ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With this line.
    Line(&'static str),
    /// With the proper end of the body; an empty listing is status 204, as in Go.
    Plain,
}

impl<W: Write> Listing<W> {
    /// The next lines; empty only at the end, or where no row of a page is listed.
    fn page(&mut self) -> Result<Vec<u8>, ApiError> {
        let mut lines = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8);
        let (mut rows, mut failure, mut last) = (0, None, Vec::new());
        let write = &mut self.write;
        let visited = self.snapshot.visit(self.after.as_deref(), &mut |row| {
            failure = write(row, &mut lines).err();
            rows += 1;
            if failure.is_some() || rows == PAGE_ROWS_MAX || lines.len() >= CHUNK_BYTES {
                last = row.key.to_vec();
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        visited.map_err(|error| stored(&error))?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        self.is_over = last.is_empty();
        self.after = Some(last);
        Ok(lines)
    }

    /// Pages up to the first with lines in it.
    fn filled_page(&mut self) -> Result<Vec<u8>, ApiError> {
        loop {
            let lines = self.page()?;
            if self.is_over || !lines.is_empty() {
                return Ok(lines);
            }
        }
    }

    fn send(mut self, first: Vec<u8>, mut lines: Lines, end: End) {
        let runtime = tokio::runtime::Handle::current();
        let mut page = first;
        loop {
            if self.is_over
                && let End::Line(line) = end
            {
                page.extend_from_slice(line.as_bytes());
                page.push(b'\n');
            }
            if !page.is_empty() && runtime.block_on(lines.bytes(page)).is_err() {
                return;
            }
            if self.is_over {
                return lines.end();
            }
            page = match self.filled_page() {
                Ok(page) => page,
                Err(error) => {
                    tracing::error!(%error, "a listing was cut off");
                    return;
                }
            };
        }
    }
}

/// Lists rows, from the first on or after a key. A failure before the first line is an error answer; a later one cuts the answer off.
pub(super) async fn list(
    snapshot: &Arc<dyn Snapshot>,
    after: Option<Vec<u8>>,
    write: impl Write + 'static,
    end: End,
) -> Answered {
    let mut listing = Listing { snapshot: Arc::clone(snapshot), write, after, is_over: false };
    let begun = tokio::task::spawn_blocking(move || (listing.filled_page(), listing));
    let (first, listing) = begun.await.map_err(|_| unexpected())?;
    let first = first?;
    if first.is_empty() && end == End::Plain {
        return Ok(nothing());
    }
    let (lines, response) = stream();
    tokio::task::spawn_blocking(move || listing.send(first, lines, end));
    Ok(response)
}

/// Who looks at rows, and who counts for what is pinned everywhere.
#[derive(Clone)]
pub(super) struct Viewer {
    pub(super) own: PeerId,
    pub(super) members: BTreeSet<PeerId>,
}

impl Viewer {
    /// Whether a row is a pin that as many peers hold as must. What they did hold stays listed until
    /// it is reported lost.
    pub(super) fn pinned<'r>(&self, row: Row<'r>) -> Option<PinRow<'r>> {
        let pin = PinRow::parse(row.pin?)?;
        let is_pinned =
            pin.is_data() && spread::is_pinned(row, pin, &self.own, |p| self.members.contains(p));
        is_pinned.then_some(pin)
    }
}

/// The record of a row.
pub(super) fn record(row: Row<'_>) -> Result<Option<Pin>, ApiError> {
    let Some(bytes) = row.pin else { return Ok(None) };
    let parsed = PinRow::parse(bytes).ok_or_else(damaged)?;
    // Go's set takes any key; one that is no pin is nobody's business.
    if !parsed.is_pin() {
        return Ok(None);
    }
    parsed.pin(row.key).map(Some).ok_or_else(damaged)
}

pub(super) fn damaged() -> ApiError {
    ApiError::new(ErrorCode::Internal, "the store is damaged: a row cannot be read")
}

#[cfg(test)]
mod tests;
