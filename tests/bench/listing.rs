//! Reads a streamed listing as fast as it comes.

use std::io::{self, BufReader, Read, Write};
use std::time::Instant;

use harness::error::HarnessError;

use crate::BenchError;
use crate::message::Head;

/// Reads at once at most this: the reader must not be what is measured.
const READ_BYTES: usize = 256 << 10;

/// One listing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listing {
    /// Its lines.
    pub(crate) lines: usize,
    /// Seconds until the first byte of its body.
    pub(crate) first_byte: f64,
    /// Seconds until its end.
    pub(crate) seconds: f64,
}

/// Asks for `target` over `stream` and counts the lines of the answer.
///
/// # Errors
/// When it is refused or cut off.
pub(crate) fn read<S>(stream: &S, method: &str, target: &str) -> Result<Listing, BenchError>
where
    for<'a> &'a S: Read + Write,
{
    listing(stream, method, target)
        .map_err(HarnessError::io(format!("list by {target}")))
        .map_err(BenchError::from)
}

fn listing<S>(stream: &S, method: &str, target: &str) -> io::Result<Listing>
where
    for<'a> &'a S: Read + Write,
{
    let start = Instant::now();
    let mut writer = stream;
    write!(writer, "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")?;
    let mut reader = BufReader::with_capacity(READ_BYTES, stream);
    let head = Head::read(&mut reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    if !head.first_line.contains(" 200") {
        return Err(io::Error::other(head.first_line));
    }
    let (mut lines, mut first_byte) = (0, None);
    head.read_body(&mut reader, true, &mut |bytes| {
        first_byte.get_or_insert_with(|| start.elapsed().as_secs_f64());
        lines += bytes.iter().filter(|byte| **byte == b'\n').count();
    })?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(Listing { lines, first_byte: first_byte.unwrap_or(seconds), seconds })
}
