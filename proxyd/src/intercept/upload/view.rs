//! The answer to an upload as the client sees it: line by line, one line behind Kubo.

use std::io;

use bytes::Bytes;
use tracing::warn;

use super::{Watch, fields};
use crate::exchange::Exchange;
use crate::h1::reply::Line;
use crate::relay::{Edits, ObserveError, Observed};

/// Longest line of an answer that is looked at; Kubo's are far shorter.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Why an answer ends badly.
pub(super) enum Broken {
    /// The trailer says so.
    Words(String),
    /// Nothing more can be said to the client.
    Cut(io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Cut(error)
    }
}

/// The answer while it is shown.
pub(super) struct View<'a> {
    edits: &'a Edits,
    content_type: &'static str,
    /// The last whole line, as it will be shown.
    held: Vec<u8>,
    /// What came of the next line.
    partial: Vec<u8>,
    begun: bool,
}

impl<'a> View<'a> {
    pub(super) fn new(edits: &'a Edits, content_type: &'static str) -> Self {
        Self { edits, content_type, held: Vec::new(), partial: Vec::new(), begun: false }
    }

    /// Shows all but the last line, which is given back once `watch` is done.
    pub(super) async fn run(
        &mut self,
        exchange: &mut Exchange,
        observed: &mut Observed,
        watch: &mut impl Watch,
    ) -> Result<Vec<u8>, Broken> {
        loop {
            let part = match observed.chunk().await {
                Ok(Some(part)) => part,
                Ok(None) => break,
                Err(error) => return Err(broken(error)),
            };
            self.take(exchange, observed, watch, &part).await?;
        }
        // Whatever is left has no line feed; it is Kubo's all the same.
        self.held.append(&mut self.partial);
        let is_error = |(name, _): &(String, Vec<u8>)| name.eq_ignore_ascii_case("X-Stream-Error");
        if observed.trailers().iter().any(is_error) {
            tokio::select! {
                () = watch.failed() => {}
                error = observed.failed() => return Err(broken(error)),
            }
            return Ok(std::mem::take(&mut self.held));
        }
        tokio::select! {
            ended = watch.end() => ended.map_err(Broken::Words)?,
            error = observed.failed() => return Err(broken(error)),
        }
        Ok(std::mem::take(&mut self.held))
    }

    async fn take(
        &mut self,
        exchange: &mut Exchange,
        observed: &mut Observed,
        watch: &mut impl Watch,
        part: &Bytes,
    ) -> Result<(), Broken> {
        self.partial.extend_from_slice(part);
        let lines = std::mem::take(&mut self.partial);
        let (mut out, mut at) = (Vec::new(), 0);
        while let Some(length) = lines[at..].iter().position(|byte| *byte == b'\n') {
            let line = &lines[at..at + length];
            at += length + 1;
            let instead = tokio::select! {
                instead = watch.see(line) => instead.map_err(Broken::Words)?,
                error = observed.failed() => return Err(broken(error)),
            };
            let shown = watch.render(instead.as_deref().unwrap_or(line)).map_err(Broken::Words)?;
            out.extend_from_slice(&std::mem::replace(&mut self.held, shown));
        }
        self.partial.extend_from_slice(&lines[at..]);
        if self.partial.len() > LINE_BYTES_MAX {
            return Err(Broken::Words("Kubo sent a line that is too long".to_owned()));
        }
        if !out.is_empty() {
            self.begin(exchange, observed);
            exchange.reply.chunk(&out).await?;
        }
        Ok(())
    }

    /// Starts the answer, once, with Kubo's own fields.
    pub(super) fn begin(&mut self, exchange: &mut Exchange, observed: &Observed) {
        if !std::mem::replace(&mut self.begun, true) {
            let fields = fields(observed, self.edits, Some(self.content_type));
            let lines: Vec<Line<'_>> =
                fields.iter().map(|(n, v)| (n.as_str(), v.as_slice())).collect();
            exchange.reply.head(200, &lines);
        }
    }
}

fn broken(error: ObserveError) -> Broken {
    match error {
        ObserveError::ClientGone => Broken::Cut(io::ErrorKind::BrokenPipe.into()),
        // A cut answer stays a cut answer: the client must not take it for whole.
        other
        @ (ObserveError::Upstream(_) | ObserveError::Answer(_) | ObserveError::Garbled(_)) => {
            warn!(error = %other, "an upload broke off; nothing was pinned in the cluster");
            Broken::Cut(io::ErrorKind::ConnectionAborted.into())
        }
    }
}
