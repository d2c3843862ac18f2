//! Just enough HTTP/1.1 for long bodies: moves them without looking at, or copying, their bytes.

use std::io::{self, BufRead, Write};

/// How a body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `Content-Length`.
    Length,
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// Bytes a chunk, and bytes a write of a body with a length: what Go, and thus Kubo, copies at once.
const CHUNK_BYTES: usize = 32 << 10;

/// A start line with the headers that say how its body ends.
#[derive(Debug)]
pub(crate) struct Head {
    /// The request or status line.
    pub(crate) first_line: String,
    length: Option<u64>,
    chunked: bool,
}

impl Head {
    /// Reads one; `None` at the end of the connection.
    ///
    /// # Errors
    /// When the connection breaks or the bytes are no head.
    pub(crate) fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(first_line) = line(reader)? else {
            return Ok(None);
        };
        let mut head = Self { first_line, length: None, chunked: false };
        loop {
            let line = line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?.to_ascii_lowercase();
            if line.is_empty() {
                return Ok(Some(head));
            }
            match line.split_once(':').map(|(name, value)| (name, value.trim())) {
                Some(("content-length", value)) => head.length = value.parse().ok(),
                Some(("transfer-encoding", value)) => head.chunked = value == "chunked",
                Some(_) => {}
                None => return Err(malformed("header", &line)),
            }
        }
    }

    /// Reads the body to its end, shows its bytes to `see`, and counts them. Without a length it
    /// ends with the connection when it is an answer's (`or_until_closed`), and is empty when it is
    /// a request's.
    ///
    /// # Errors
    /// When it is cut off.
    pub(crate) fn read_body(
        &self,
        reader: &mut impl BufRead,
        or_until_closed: bool,
        see: &mut impl FnMut(&[u8]),
    ) -> io::Result<u64> {
        match (self.chunked, self.length) {
            (true, _) => read_chunked(reader, see),
            (false, Some(length)) => read(reader, length, see).map(|()| length),
            (false, None) if or_until_closed => io::copy(reader, &mut io::sink()),
            (false, None) => Ok(0),
        }
    }
}

/// The header line, with its end, that announces a body.
pub(crate) fn announce(framing: Framing, size: u64) -> String {
    match framing {
        Framing::Length => format!("Content-Length: {size}\r\n"),
        Framing::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
    }
}

/// Writes a body of `size` bytes.
///
/// # Errors
/// When the other side has gone.
pub(crate) fn write_body(writer: &mut impl Write, framing: Framing, size: u64) -> io::Result<()> {
    let head = format!("{CHUNK_BYTES:x}\r\n");
    let chunk = [head.as_bytes(), &[b'.'; CHUNK_BYTES], b"\r\n"].concat();
    let body = &chunk[head.len()..head.len() + CHUNK_BYTES];
    let chunk_size = CHUNK_BYTES as u64;
    for _ in 0..size / chunk_size {
        writer.write_all(if framing == Framing::Chunked { &chunk } else { body })?;
    }
    let rest = usize::try_from(size % chunk_size).unwrap_or(0);
    match framing {
        Framing::Length => writer.write_all(&body[..rest]),
        Framing::Chunked if rest == 0 => writer.write_all(b"0\r\n\r\n"),
        Framing::Chunked => {
            write!(writer, "{rest:x}\r\n")?;
            writer.write_all(&body[..rest])?;
            writer.write_all(b"\r\n0\r\n\r\n")
        }
    }
}

fn read_chunked(reader: &mut impl BufRead, see: &mut impl FnMut(&[u8])) -> io::Result<u64> {
    let mut total = 0;
    loop {
        let size = line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let size = u64::from_str_radix(&size, 16).map_err(|_| malformed("chunk size", &size))?;
        if size == 0 {
            // Trailers, up to the empty line.
            while !line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?.is_empty() {}
            return Ok(total);
        }
        read(reader, size, see)?;
        if line(reader)?.is_none_or(|rest| !rest.is_empty()) {
            return Err(malformed("end of a chunk", ""));
        }
        total += size;
    }
}

fn read(reader: &mut impl BufRead, mut left: u64, see: &mut impl FnMut(&[u8])) -> io::Result<()> {
    while left > 0 {
        let there = reader.fill_buf()?;
        if there.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let taken = there.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        see(&there[..taken]);
        reader.consume(taken);
        left -= taken as u64;
    }
    Ok(())
}

/// A line without its end; `None` at the end of the connection.
fn line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}

fn malformed(what: &str, found: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed {what}: {found:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_any_size_is_read_as_it_was_written() {
        for framing in [Framing::Length, Framing::Chunked] {
            for size in [0, 1, 32_767, 32_768, 32_769, 100_000] {
                let mut wire =
                    format!("HTTP/1.1 200 OK\r\n{}\r\n", announce(framing, size)).into_bytes();
                write_body(&mut wire, framing, size).unwrap();
                let mut reader = wire.as_slice();
                let head = Head::read(&mut reader).unwrap().unwrap();
                assert_eq!(head.first_line, "HTTP/1.1 200 OK");
                assert_eq!(head.read_body(&mut reader, false, &mut |_| {}).unwrap(), size);
                assert!(reader.is_empty(), "{framing:?} {size}");
            }
        }
    }

    #[test]
    fn a_body_that_is_cut_off_is_an_error() {
        let mut wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab".as_slice();
        let head = Head::read(&mut wire).unwrap().unwrap();
        assert!(head.read_body(&mut wire, true, &mut |_| {}).is_err());
    }
}
