//! Chunked bodies: finds chunk data and the end, byte by byte strict. Source: RFC 9112, section 7.1.

use std::ops::Range;

use thiserror::Error;

/// Bytes of one chunk's line: 16 digits and extensions, which nobody sends in earnest.
const SIZE_LINE_BYTES_MAX: u32 = 4 << 10;
/// Bytes of all trailers: Kubo's error messages are far shorter.
const TRAILER_BYTES_MAX: usize = 16 << 10;
/// Trailer fields that are looked at.
const TRAILERS_MAX: usize = 32;

/// A chunked body that breaks the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ChunkError {
    /// No hexadecimal size.
    #[error("invalid byte in chunk length")]
    Size,
    /// A size past 2^60.
    #[error("http chunk length too large")]
    TooLarge,
    /// A line or the data does not end in CR LF.
    #[error("malformed chunked encoding")]
    LineEnd,
    /// A chunk's line or the trailers are too long.
    #[error("chunk line or trailer too long")]
    TooLong,
    /// The trailers are no header fields.
    #[error("malformed trailer")]
    Trailer,
}

impl ChunkError {
    /// Bytes that break a chunked body in the same way wherever they stand, and mean nothing else.
    #[must_use]
    pub fn example(self) -> &'static [u8] {
        match self {
            Self::TooLarge => b"fffffffffffffffff\r\n\r\n",
            Self::Size | Self::LineEnd | Self::TooLong | Self::Trailer => b"z\r\n\r\n",
        }
    }
}

/// Where in the grammar the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the size; `digits` so far.
    Size { digits: u8 },
    /// In an extension, which is passed over.
    Extension,
    /// The LF after a size line.
    SizeEnd,
    /// In the data; the rest is in `Chunks::size`.
    Data,
    /// The CR after the data.
    DataCr,
    /// The LF after the data.
    DataLf,
    /// At the start of a trailer line.
    TrailerStart,
    /// Inside a trailer line.
    Trailer,
    /// The LF of a trailer line.
    TrailerLf,
    /// The LF of the empty line at the very end.
    EndLf,
    /// Past the end.
    Done,
    /// Past a byte that does not fit: whatever follows has no meaning.
    Broken(ChunkError),
}

/// Reads through a chunked body, however its bytes are split.
#[derive(Debug)]
pub struct Chunks {
    state: State,
    /// Size of the chunk, then what is left of it.
    size: u64,
    /// Bytes of the current size line.
    line: u32,
    /// Trailer lines as they came, with the empty line.
    trailers: Vec<u8>,
}

impl Default for Chunks {
    fn default() -> Self {
        Self { state: State::Size { digits: 0 }, size: 0, line: 0, trailers: Vec::new() }
    }
}

/// What [`Chunks::step`] found.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// So many bytes were used.
    pub taken: usize,
    /// Where among them the data stands; empty at the end of input or body.
    pub data: Range<usize>,
}

impl Chunks {
    /// Whether the end has been read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes bytes up to the end of one run of data, of the input, or of the body.
    ///
    /// # Errors
    /// [`ChunkError`] at the first byte that does not fit; the body cannot go on.
    pub fn step(&mut self, bytes: &[u8]) -> Result<Step, ChunkError> {
        match self.advance(bytes) {
            (step, None) => Ok(step),
            (_, Some(error)) => Err(error),
        }
    }

    /// The same, with what was good before a byte that does not fit.
    fn advance(&mut self, bytes: &[u8]) -> (Step, Option<ChunkError>) {
        let mut at = 0;
        if let State::Broken(error) = self.state {
            return (Step { taken: 0, data: 0..0 }, Some(error));
        }
        while at < bytes.len() && self.state != State::Done {
            if self.state == State::Data {
                let left = usize::try_from(self.size).unwrap_or(usize::MAX);
                let end = bytes.len().min(at.saturating_add(left));
                self.size -= (end - at) as u64;
                if self.size == 0 {
                    self.state = State::DataCr;
                }
                return (Step { taken: end, data: at..end }, None);
            }
            match self.next(bytes[at]) {
                Ok(state) => self.state = state,
                Err(error) => {
                    self.state = State::Broken(error);
                    return (Step { taken: at, data: at..at }, Some(error));
                }
            }
            at += 1;
        }
        (Step { taken: at, data: at..at }, None)
    }

    /// Takes bytes up to the end of the input or of the body, and says how many.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub fn skip(&mut self, bytes: &[u8]) -> Result<usize, ChunkError> {
        match self.skip_good(bytes) {
            (at, None) => Ok(at),
            (_, Some(error)) => Err(error),
        }
    }

    /// Takes bytes up to the end of the input or of the body, or up to one that does not fit: how many,
    /// and what is wrong with that one.
    pub fn skip_good(&mut self, bytes: &[u8]) -> (usize, Option<ChunkError>) {
        let mut at = 0;
        while at < bytes.len() && !self.is_done() {
            let (step, fault) = self.advance(&bytes[at..]);
            at += step.taken;
            if fault.is_some() {
                return (at, fault);
            }
        }
        (at, None)
    }

    /// Name and value of each trailer, once done.
    #[must_use]
    pub fn trailers(&self) -> Vec<(String, Vec<u8>)> {
        parse_trailers(&self.trailers).unwrap_or_default()
    }

    fn next(&mut self, byte: u8) -> Result<State, ChunkError> {
        match self.state {
            State::Size { .. } | State::Extension | State::SizeEnd => self.next_in_size(byte),
            State::DataCr if byte == b'\r' => Ok(State::DataLf),
            State::DataLf if byte == b'\n' => {
                (self.size, self.line) = (0, 0);
                Ok(State::Size { digits: 0 })
            }
            State::DataCr | State::DataLf => Err(ChunkError::LineEnd),
            State::TrailerStart | State::Trailer | State::TrailerLf | State::EndLf => {
                self.next_in_trailers(byte)
            }
            State::Broken(error) => Err(error),
            State::Data | State::Done => Ok(self.state),
        }
    }

    fn next_in_size(&mut self, byte: u8) -> Result<State, ChunkError> {
        self.line += 1;
        if self.line > SIZE_LINE_BYTES_MAX {
            return Err(ChunkError::TooLong);
        }
        match (self.state, byte) {
            (State::SizeEnd, b'\n') if self.size == 0 => Ok(State::TrailerStart),
            (State::SizeEnd, b'\n') => Ok(State::Data),
            (State::SizeEnd, _) | (_, b'\n') => Err(ChunkError::LineEnd),
            (State::Size { digits: 0 }, b'\r' | b';' | b' ' | b'\t') => Err(ChunkError::Size),
            (_, b'\r') => Ok(State::SizeEnd),
            (State::Size { .. }, b';' | b' ' | b'\t') => Ok(State::Extension),
            (State::Size { digits }, _) => {
                let digit = (byte as char).to_digit(16).ok_or(ChunkError::Size)?;
                // 15 digits: far above any chunk, and sums cannot overflow.
                if digits == 15 {
                    return Err(ChunkError::TooLarge);
                }
                self.size = self.size << 4 | u64::from(digit);
                Ok(State::Size { digits: digits + 1 })
            }
            (state, _) => Ok(state),
        }
    }

    fn next_in_trailers(&mut self, byte: u8) -> Result<State, ChunkError> {
        let state = match (self.state, byte) {
            (State::EndLf, b'\n') => State::Done,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::EndLf | State::TrailerLf, _) | (_, b'\n') => return Err(ChunkError::LineEnd),
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::TrailerStart | State::Trailer, _) => State::Trailer,
            (state, _) => state,
        };
        // Without trailers nothing is kept: the usual end of a body costs no allocation.
        if !self.trailers.is_empty() || state == State::Trailer {
            if self.trailers.len() == TRAILER_BYTES_MAX {
                return Err(ChunkError::TooLong);
            }
            self.trailers.push(byte);
        }
        if state == State::Done {
            parse_trailers(&self.trailers).ok_or(ChunkError::Trailer)?;
        }
        Ok(state)
    }
}

fn parse_trailers(raw: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    if raw.is_empty() {
        return Some(Vec::new());
    }
    let mut room = [httparse::EMPTY_HEADER; TRAILERS_MAX];
    match httparse::parse_headers(raw, &mut room) {
        Ok(httparse::Status::Complete((length, fields))) if length == raw.len() => {
            Some(fields.iter().map(|f| (f.name.to_owned(), f.value.to_vec())).collect())
        }
        Ok(_) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests;
