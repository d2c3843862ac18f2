//! Takes records in while they stream, in large durable batches.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::State;
use bytes::{Buf, Bytes, BytesMut};
use clusterd_core::effect::Answer;
use clusterd_core::input::Input;
use common::api::composite::{ImportCounts, ImportEvent};
use common::api::error::ApiError;
use common::api::pins::PinJson;
use common::pin::Pin;
use futures_util::StreamExt;

use super::super::door::Wait;
use super::super::refusal::{bad, refused, unexpected};
use super::super::reply::{Answered, Gone, Lines, stream};
use super::super::room::Room;

/// Records in one batch: few commits, and no batch that holds others up for long.
const BATCH_PINS: usize = 5000;

/// Longest line, in bytes. A record with all its options is far below it.
const LINE_BYTES_MAX: usize = 1 << 20;

/// So long what follows a fault is read and dropped: a client whose writing is cut short may never
/// read which line was wrong.
const DRAIN_MAX: Duration = Duration::from_secs(30);

pub(in super::super) async fn import(State(room): State<Arc<Room>>, body: Body) -> Answered {
    let (lines, response) = stream();
    tokio::spawn(async move {
        let intake = Intake { room, lines, counts: ImportCounts::default(), under_way: None };
        // Whoever left needs no answer; what is durable stays.
        drop(intake.run(body).await);
    });
    Ok(response)
}

struct Intake {
    room: Arc<Room>,
    lines: Lines,
    counts: ImportCounts,
    /// The batch that the node works on while the next is read.
    under_way: Option<Wait>,
}

/// A line that cannot be taken in, counted from 1; 0 when the fault is not in a line.
struct Fault {
    line: u64,
    error: ApiError,
}

impl Intake {
    async fn run(mut self, body: Body) -> Result<(), Gone> {
        let mut source = Source::new(body);
        let mut batch = Vec::with_capacity(BATCH_PINS);
        let mut outcome = loop {
            match source.next().await {
                Ok(Some(pin)) => batch.push(pin),
                Ok(None) => break Ok(()),
                Err(fault) => break Err(fault),
            }
            if batch.len() == BATCH_PINS {
                let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH_PINS));
                if let Err(error) = self.hand_in(full).await? {
                    break Err(Fault { line: 0, error });
                }
            }
        };
        // What came before a faulty line is taken in.
        for rest in [batch, Vec::new()] {
            if let Err(error) = self.hand_in(rest).await?
                && outcome.is_ok()
            {
                outcome = Err(Fault { line: 0, error });
            }
        }
        let last = match outcome {
            Ok(()) => ImportEvent::Done(self.counts),
            Err(Fault { line, error }) => {
                // Past the limit the client gets the answer while it still writes.
                drop(tokio::time::timeout(DRAIN_MAX, source.drain()).await);
                ImportEvent::Error { line, error, counts: self.counts }
            }
        };
        self.lines.json(&last).await?;
        self.lines.end();
        Ok(())
    }

    /// Gives the node a batch, once it is through with the one before.
    async fn hand_in(&mut self, pins: Vec<Pin>) -> Result<Result<(), ApiError>, Gone> {
        if let Some(wait) = self.under_way.take() {
            match wait.outcome().await {
                Ok(Answer::Imported { written, unchanged }) => {
                    self.counts.written += written;
                    self.counts.unchanged += unchanged;
                    self.lines.json(&ImportEvent::Progress(self.counts)).await?;
                }
                Ok(Answer::Refused(refusal)) => return Ok(Err(refused(&refusal))),
                Ok(_) => return Ok(Err(unexpected())),
                Err(error) => return Ok(Err(error)),
            }
        }
        if pins.is_empty() {
            return Ok(Ok(()));
        }
        match self.room.door.ask(|waiter| Input::Import { waiter, pins }).await {
            Ok(wait) => self.under_way = Some(wait),
            Err(error) => return Ok(Err(error)),
        }
        Ok(Ok(()))
    }
}

/// Records out of a body.
struct Source {
    body: BodyDataStream,
    partial: BytesMut,
    is_over: bool,
    line: u64,
}

impl Source {
    fn new(body: Body) -> Self {
        Self { body: body.into_data_stream(), partial: BytesMut::new(), is_over: false, line: 0 }
    }

    async fn drain(&mut self) {
        while let Some(Ok(_)) = self.body.next().await {}
    }

    async fn next(&mut self) -> Result<Option<Pin>, Fault> {
        loop {
            let Some(line) = self.next_line().await? else { return Ok(None) };
            self.line += 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            // The parser saw one line and calls it line 1.
            let json: PinJson = serde_json::from_slice(&line).map_err(|error| {
                self.fault(error.to_string().replace(" at line 1 column ", " at column "))
            })?;
            return Pin::try_from(json).map(Some).map_err(|error| self.fault(error.to_string()));
        }
    }

    async fn next_line(&mut self) -> Result<Option<Bytes>, Fault> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.partial[searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.partial.split_to(searched + at).freeze();
                self.partial.advance(1);
                return Ok(Some(line));
            }
            searched = self.partial.len();
            if self.is_over {
                let rest = self.partial.split().freeze();
                return Ok(Some(rest).filter(|rest| !rest.is_empty()));
            }
            if searched > LINE_BYTES_MAX {
                self.line += 1;
                return Err(self.fault("the line is too long".to_owned()));
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self.partial.extend_from_slice(&bytes),
                // A body that breaks off is not one that ends.
                Some(Err(error)) => {
                    let error = bad(format!("the records broke off: {error}"));
                    return Err(Fault { line: 0, error });
                }
                None => self.is_over = true,
            }
        }
    }

    fn fault(&self, words: String) -> Fault {
        Fault { line: self.line, error: bad(words) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CID: &str = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPBdX";

    fn source(text: &str) -> Source {
        // In small pieces, so that lines are cut anywhere.
        let pieces: Vec<_> = text.as_bytes().chunks(7).map(Bytes::copy_from_slice).collect();
        let pieces = futures_util::stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>));
        Source::new(Body::from_stream(pieces))
    }

    #[tokio::test]
    async fn records_come_line_by_line_and_the_last_needs_no_line_feed() {
        let mut source = source(&format!("{{\"cid\":\"{CID}\"}}\n\n{{\"cid\":\"{CID}\"}}"));
        for _ in 0..2 {
            assert_eq!(source.next().await.ok().flatten().unwrap().cid.to_string(), CID);
        }
        assert!(source.next().await.is_ok_and(|end| end.is_none()));
    }

    #[tokio::test]
    async fn a_faulty_line_is_named_by_its_number() {
        let mut source = source(&format!("{{\"cid\":\"{CID}\"}}\n\n{{\"cid\":7}}\n"));
        assert!(source.next().await.is_ok());
        let fault = source.next().await.err().unwrap();
        assert_eq!(fault.line, 3);
    }
}
