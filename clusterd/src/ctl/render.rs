//! Standard output: lines of JSON for programs, tables that stream for people.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use comfy_table::{ColumnConstraint, Table, Width, presets};
use common::api::time::WireTime;
pub(super) use common::printable::printable;
use serde::Serialize;

use super::failure::Failure;

/// Bytes gathered before a write, so that a listing of a million pins costs few calls.
const BUFFER_BYTES: usize = 64 << 10;
/// Rows laid out together. A longer table comes in pieces, so that it starts at once and memory
/// stays flat; widths only grow from piece to piece.
const ROWS_TOGETHER: usize = 500;

/// Where answers go.
#[derive(Debug)]
pub(super) struct Output {
    json: bool,
    width: Option<usize>,
    to: BufWriter<Stdout>,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json, width: None, to: BufWriter::with_capacity(BUFFER_BYTES, io::stdout()) }
    }

    /// Whether a program reads it.
    pub(super) fn json(&self) -> bool {
        self.json
    }

    /// Whether a person sees it at once.
    pub(super) fn is_terminal(&self) -> bool {
        self.to.get_ref().is_terminal()
    }

    /// Writes bytes as they are.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.to.write_all(bytes).map_err(Failure::output)
    }

    /// Writes a line.
    pub(super) fn line(&mut self, text: impl AsRef<[u8]>) -> Result<(), Failure> {
        self.bytes(text.as_ref())?;
        self.bytes(b"\n")
    }

    /// Cuts lines of tables from now on, so that none takes two lines of the terminal.
    pub(super) fn cut_at(&mut self, width: usize) {
        self.width = Some(width);
    }

    /// Empties the terminal, if there is one, for the next picture, whose tables are as wide as it.
    pub(super) fn clear(&mut self) -> Result<(), Failure> {
        if !self.is_terminal() {
            return Ok(());
        }
        if let Some((width, _)) = terminal_size::terminal_size() {
            self.cut_at(width.0.into());
        }
        // Home, then clear: less flicker than the other way round.
        self.bytes(b"\x1b[H\x1b[J")
    }

    /// Writes lines of text, cut where that is asked for.
    fn text(&mut self, lines: &str) -> Result<(), Failure> {
        let Some(width) = self.width else { return self.line(lines) };
        for line in lines.lines() {
            let end = line.char_indices().nth(width).map_or(line.len(), |(at, _)| at);
            self.line(&line[..end])?;
        }
        Ok(())
    }

    /// Writes a value as one line of JSON.
    pub(super) fn object(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.to, value).map_err(|e| Failure::output(e.into()))?;
        self.bytes(b"\n")
    }

    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.to.flush().map_err(Failure::output)
    }
}

/// A table that is written as its rows come.
#[derive(Debug)]
pub(super) struct Rows {
    header: Option<&'static [&'static str]>,
    widths: Vec<u16>,
    table: Table,
    rows: u64,
}

impl Rows {
    /// The header comes with the first rows; a table without rows is not written at all.
    pub(super) fn new(header: &'static [&'static str]) -> Self {
        Self { header: Some(header), widths: Vec::new(), table: Table::new(), rows: 0 }
    }

    /// Adds a row; what others chose (names, errors) is made harmless.
    pub(super) fn add(
        &mut self,
        out: &mut Output,
        row: impl IntoIterator<Item = String>,
    ) -> Result<(), Failure> {
        self.table.add_row(row.into_iter().map(|cell| printable(&cell)));
        self.rows += 1;
        if self.table.row_count() < ROWS_TOGETHER {
            return Ok(());
        }
        self.write(out)
    }

    /// Writes what is left and says how many rows there were.
    pub(super) fn end(mut self, out: &mut Output) -> Result<u64, Failure> {
        if !self.table.is_empty() {
            self.write(out)?;
        }
        Ok(self.rows)
    }

    fn write(&mut self, out: &mut Output) -> Result<(), Failure> {
        let mut table = std::mem::take(&mut self.table);
        table.load_style(presets::NOTHING).force_no_tty();
        if let Some(header) = self.header.take() {
            table.set_header(header.iter().copied());
        }
        let content = table.column_max_content_widths();
        self.widths.resize(content.len(), 0);
        for (width, new) in self.widths.iter_mut().zip(content) {
            *width = (*width).max(new);
        }
        table.set_constraints(self.widths.iter().map(|width| {
            // The layout counts a column's padding in.
            ColumnConstraint::LowerBoundary(Width::Fixed(width.saturating_add(GAP)))
        }));
        for column in table.column_iter_mut() {
            column.set_padding((0, GAP));
        }
        out.text(&table.trim_fmt())?;
        out.flush()
    }
}

/// Tells the person in front of it, on standard error: standard output is for answers.
pub(super) fn say(text: &str) {
    // Nobody is left to tell when standard error is gone.
    drop(writeln!(io::stderr(), "{text}"));
}

/// Spaces between two columns.
const GAP: u16 = 2;

/// A time in the zone of this machine, to the second; `-` for none.
pub(super) fn time(time: WireTime) -> String {
    match time.timestamp() {
        Some(at) => {
            at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
        }
        None => "-".to_owned(),
    }
}

/// How long ago a time is, to its greatest unit; `0s` for one to come.
pub(super) fn since(time: WireTime, now: jiff::Timestamp) -> String {
    let seconds = time.timestamp().map_or(0, |at| now.as_second() - at.as_second()).max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A size with its binary unit.
pub(super) fn size(bytes: u64) -> String {
    humansize::format_size(bytes, humansize::BINARY)
}

/// `-` for an empty cell, so that columns can be told apart.
pub(super) fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_ago_has_one_unit() {
        let now = jiff::Timestamp::from_second(1_000_000).unwrap();
        for (ago, said) in [(5, "5s"), (119, "1m"), (7200, "2h"), (200_000, "2d"), (-9, "0s")] {
            let then = jiff::Timestamp::from_second(1_000_000 - ago).unwrap();
            assert_eq!(since(WireTime::from(then), now), said);
        }
    }

    #[test]
    fn no_time_is_a_dash() {
        assert_eq!(time(WireTime::NONE), "-");
        assert_eq!(time(WireTime::from_seconds(86_400 * 365)).len(), "1971-01-01 00:00:00".len());
    }
}
