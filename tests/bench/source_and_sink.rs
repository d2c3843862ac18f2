//! The upstream of long bodies: sends them from, and reads them into, nothing.

use std::io::{self, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use harness::error::HarnessError;

use crate::BenchError;
use crate::message::{Framing, Head, announce, write_body};

/// Reads at least as much at once as any proxy here, so that the sink is never the slow part.
const READ_BYTES: usize = 512 << 10;

/// Under this path a body comes down; its framing and its size follow.
const DOWN: &str = "/api/v0/bench/down";

/// Serves until the process ends, a thread a connection.
///
/// # Errors
/// When it cannot listen.
pub(crate) fn serve() -> Result<u16, BenchError> {
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .map_err(HarnessError::io("bind the upstream of long bodies"))?;
    let address = listener.local_addr().map_err(HarnessError::io("learn the upstream's port"))?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A proxy may cut its connection at any time; the client sees what matters.
            thread::spawn(move || drop(serve_one(&stream)));
        }
    });
    Ok(address.port())
}

fn serve_one(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(READ_BYTES, stream);
    let mut writer = stream;
    while let Some(head) = Head::read(&mut reader)? {
        let uploaded = head.read_body(&mut reader, false, &mut |_| {})?;
        let Some((framing, size)) = wanted(&head.first_line) else {
            write!(writer, "HTTP/1.1 200 OK\r\nX-Bytes: {uploaded}\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        };
        write!(writer, "HTTP/1.1 200 OK\r\n{}\r\n", announce(framing, size))?;
        write_body(&mut writer, framing, size)?;
    }
    Ok(())
}

fn wanted(request_line: &str) -> Option<(Framing, u64)> {
    let (_, rest) = request_line.split_once(DOWN)?;
    let mut parts = rest.split(' ').next()?.split('/').skip(1);
    let framing = if parts.next()? == "chunked" { Framing::Chunked } else { Framing::Length };
    Some((framing, parts.next()?.parse().ok()?))
}

/// Fetches a body of `size` bytes through the proxy on `port`.
///
/// # Errors
/// When it is refused or cut off.
pub(crate) fn download(port: u16, framing: Framing, size: u64) -> Result<(), BenchError> {
    let name = if framing == Framing::Chunked { "chunked" } else { "length" };
    let request = format!(
        "POST {DOWN}/{name}/{size} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    );
    let came = exchange(port, request.as_bytes(), None).map_err(HarnessError::io("download"))?;
    expect(came, size)
}

/// Sends a body of `size` bytes through the proxy on `port`.
///
/// # Errors
/// When it is refused.
pub(crate) fn upload(port: u16, framing: Framing, size: u64) -> Result<(), BenchError> {
    let request = format!(
        "POST /api/v0/bench/up HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
        announce(framing, size)
    );
    let body = Some((framing, size));
    let came = exchange(port, request.as_bytes(), body).map_err(HarnessError::io("upload"))?;
    expect(came, 0)
}

/// The size of the answer's body.
fn exchange(port: u16, head: &[u8], body: Option<(Framing, u64)>) -> io::Result<u64> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let mut writer = &stream;
    writer.write_all(head)?;
    if let Some((framing, size)) = body {
        write_body(&mut writer, framing, size)?;
    }
    let mut reader = BufReader::with_capacity(READ_BYTES, &stream);
    let answer = Head::read(&mut reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    if !answer.first_line.contains(" 200") {
        return Err(io::Error::other(answer.first_line));
    }
    answer.read_body(&mut reader, true, &mut |_| {})
}

fn expect(came: u64, wanted: u64) -> Result<(), BenchError> {
    if came == wanted {
        return Ok(());
    }
    let found = format!("{came} bytes instead of {wanted}");
    Err(HarnessError::Unreadable { what: "a long body", found }.into())
}
