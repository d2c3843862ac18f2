//! Moves the rest of a body from one connection to another, as fast as the slower one goes.

use tokio::io::AsyncWriteExt;

use crate::h1::body::Rest;
use crate::h1::chunked::ChunkError;
use crate::h1::reader::Reader;
use crate::stream::WriteHalf;

/// How a body's way ended.
pub(crate) enum Pumped {
    /// All of it is written.
    Whole,
    /// It ended too early at its source.
    Cut,
    /// The other side takes no more.
    NotTaken,
    /// The chunks break the grammar.
    Garbled(ChunkError),
}

/// Moves the body from where `rest` stands to its end. Framing is read, never changed. Not
/// cancel-safe: bytes that `rest` has counted may not have been written.
pub(crate) async fn pump(reader: &mut Reader, rest: &mut Rest, write: &mut WriteHalf) -> Pumped {
    loop {
        let (count, fault) = rest.skip_good(reader.buffer.bytes());
        if count > 0 {
            let was_full = reader.buffer.is_full();
            if send(write, &reader.buffer.bytes()[..count]).await.is_err() {
                return Pumped::NotTaken;
            }
            reader.buffer.consume(count);
            // More came at once than fits: the body is long.
            if was_full {
                reader.buffer.want_bulk();
            }
        }
        if let Some(fault) = fault {
            return Pumped::Garbled(fault);
        }
        if rest.is_done() {
            reader.buffer.settle();
            return Pumped::Whole;
        }
        match reader.fill().await {
            Ok(0) if matches!(rest, Rest::UntilClose) => return Pumped::Whole,
            Ok(0) | Err(_) => return Pumped::Cut,
            Ok(_) => {}
        }
    }
}

/// Writes all, through TLS too.
pub(crate) async fn send(write: &mut WriteHalf, bytes: &[u8]) -> std::io::Result<()> {
    write.write_all(bytes).await?;
    write.flush().await
}
