//! `clusterdctl state import`: takes records in, in Go's format.

use std::io::{self, IsTerminal};
use std::path::Path;

use bytes::{Bytes, BytesMut};
use common::api;
use common::api::client::{Body, Call, ClientError};
use common::api::composite::{ImportCounts, ImportEvent};
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use indicatif::ProgressBar;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::args::ImportArgs;
use super::connection::{Connection, next_event};
use super::failure::{Failure, code};
use super::render::Output;

/// Bytes read from the file at a time.
const PIECE_BYTES: usize = 256 << 10;

/// There is no time limit: a large import takes as long as it takes, and shows that it moves.
pub(super) async fn import(
    connection: &Connection,
    args: &ImportArgs,
    out: &mut Output,
) -> Result<u8, Failure> {
    let body = open(&args.file).await?;
    let call = Call::new(api::IMPORT, &[]);
    let mut lines = connection.client().send_once(&call, body).await?.lines();
    let show = !out.json() && io::stderr().is_terminal();
    let bar = if show { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    while let Some(event) = next_event(&mut lines, out).await? {
        match event {
            ImportEvent::Progress(counts) => {
                bar.set_message(words(counts));
                bar.tick();
            }
            ImportEvent::Done(counts) => {
                bar.finish_and_clear();
                if !out.json() {
                    out.line(words(counts))?;
                }
                return Ok(code::OK);
            }
            ImportEvent::Error { line, error, counts } => {
                bar.finish_and_clear();
                if line == 0 {
                    return Err(ClientError::Refused(error).into());
                }
                let message = error.message;
                return Err(Failure::BadRecord { line, message, counts });
            }
        }
    }
    Err(Failure::CutOff("import"))
}

fn words(counts: ImportCounts) -> String {
    format!("{} records written, {} were there already", counts.written, counts.unchanged)
}

/// The records to send, from a file or from standard input.
async fn open(file: &Path) -> Result<Body, Failure> {
    if file.as_os_str() != "-" {
        let failed = |source| Failure::File { attempt: "read", path: file.to_owned(), source };
        let opened = tokio::fs::File::open(file).await.map_err(failed)?;
        // A directory can be opened, but not read.
        if opened.metadata().await.map_err(failed)?.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        return Ok(body(opened));
    }
    if io::stdin().is_terminal() {
        return Err(Failure::Usage("give a file, or records on standard input".to_owned()));
    }
    Ok(body(tokio::io::stdin()))
}

/// A body that is read as it is sent. A failing read breaks the call off, so that what comes after
/// it is never taken for the end.
fn body(from: impl AsyncRead + Send + Unpin + 'static) -> Body {
    let pieces = stream::unfold(from, |mut from| async {
        let mut piece = BytesMut::with_capacity(PIECE_BYTES);
        match from.read_buf(&mut piece).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(Frame::data(piece.freeze())), from)),
            Err(error) => Some((Err::<Frame<Bytes>, _>(error), from)),
        }
    });
    StreamBody::new(pieces).boxed_unsync()
}
