//! Whole pin listings: clusterd's compact lines wrapped as they stream, with Kubo's indirect pins.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use common::api::proxy::PinLine;

use super::Context;
use super::indirect::Indirect;
use super::lines::{Entry, Form, Writer};
use super::pin_ls::Listing;
use super::request::Request;
use super::request::limit::Stop;
use crate::cluster::PinList;
use crate::reply::{Answer, Shape};

/// Output gathered before it is sent: large writes, and memory that does not grow.
const OUTPUT_BYTES: usize = 64 << 10;
/// Entries sorted at a time where CIDs are written in another base than clusterd's order; a
/// longer map is sorted run by run.
const RUN_MAX: usize = 100_000;

/// clusterd's lines, cut out of what comes.
struct Lines {
    list: PinList,
    buffer: Vec<u8>,
    at: usize,
    /// The CID of the last line that has left the buffer.
    last: Option<String>,
    ended: bool,
}

/// Answers a listing without arguments.
///
/// # Errors
/// The client is gone.
pub(crate) async fn serve(
    request: &Request,
    listing: &Listing,
    answer: Answer<'_>,
    context: &Context,
) -> io::Result<()> {
    let lines = match listing.cluster_query() {
        None => None,
        Some(query) => {
            match request.in_time(answer.exchange, context.cluster.pin_ls(query)).await {
                Ok(list) => Some(Lines::of(list)),
                Err(Stop::Gone(error)) => return Err(error),
                Err(Stop::Words(words)) => return answer.fail(&words).await,
            }
        }
    };
    let mut output =
        Output { answer, writer: listing.writer, out: Vec::new(), run: Vec::new(), any: false };
    match output.fill(request, listing, lines).await {
        Ok(()) => output.finish().await,
        Err(Stop::Gone(error)) => Err(error),
        Err(Stop::Words(words)) => output.fail(&words).await,
    }
}

/// The listing while it is written.
struct Output<'a> {
    answer: Answer<'a>,
    writer: Writer,
    out: Vec<u8>,
    /// Entries that wait to be sorted: CID, kind, name.
    run: Vec<(String, &'static str, String)>,
    any: bool,
}

impl Output<'_> {
    /// Writes clusterd's pins, and Kubo's indirect ones: between them in a map, after them in a stream.
    async fn fill(
        &mut self,
        request: &Request,
        listing: &Listing,
        lines: Option<Lines>,
    ) -> Result<(), Stop> {
        let merges = listing.has_indirect() && self.writer.form == Form::Map;
        let mut indirect = None;
        if merges {
            indirect = Some(self.ask_indirect(request).await?);
        }
        let mut waiting = self.next_of(request, &mut indirect).await?;
        if let Some(mut lines) = lines {
            loop {
                if lines.is_drained() {
                    self.flush().await?;
                }
                let Some(line) = request.in_time(self.answer.exchange, lines.next()).await? else {
                    break;
                };
                let pin = PinLine::parse(line).ok_or_else(|| unintelligible(line))?;
                while let Some(cid) = waiting.take_if(|cid| cid.as_str() <= pin.cid) {
                    // A CID that is pinned itself is not listed as indirect.
                    if cid != pin.cid {
                        self.push(&cid, "indirect", "");
                    }
                    waiting = self.next_of(request, &mut indirect).await?;
                }
                let name = if self.writer.shows_names { name_of(&pin) } else { Cow::Borrowed("") };
                self.push(pin.cid, pin.mode.as_str(), &name);
                if self.out.len() >= OUTPUT_BYTES {
                    self.flush().await?;
                }
            }
        }
        if listing.has_indirect() && !merges {
            self.flush().await?;
            indirect = Some(self.ask_indirect(request).await?);
            waiting = self.next_of(request, &mut indirect).await?;
        }
        while let Some(cid) = waiting {
            self.push(&cid, "indirect", "");
            if self.out.len() >= OUTPUT_BYTES {
                self.flush().await?;
            }
            waiting = self.next_of(request, &mut indirect).await?;
        }
        Ok(())
    }

    /// Kubo walks as long as the client waits: dropping the question stops it.
    async fn ask_indirect(&mut self, request: &Request) -> Result<Indirect, Stop> {
        let upstream = Arc::clone(&self.answer.exchange.worker.upstream);
        let token = self.answer.exchange.head.header("Authorization").map(<[u8]>::to_vec);
        let asked = Indirect::ask(&upstream, token.as_deref(), self.writer.form);
        request.in_time(self.answer.exchange, asked).await
    }

    async fn next_of(
        &mut self,
        request: &Request,
        indirect: &mut Option<Indirect>,
    ) -> Result<Option<String>, Stop> {
        match indirect {
            Some(indirect) => request.in_time(self.answer.exchange, indirect.next()).await,
            None => Ok(None),
        }
    }

    fn push(&mut self, cid: &str, kind: &'static str, name: &str) {
        if self.writer.base.is_canonical() {
            self.write(cid, kind, name);
            return;
        }
        let cid = self.writer.base.rewrite(cid);
        if self.writer.form == Form::Stream {
            self.write(&cid, kind, name);
            return;
        }
        self.run.push((cid, kind, name.to_owned()));
        if self.run.len() >= RUN_MAX {
            self.write_run();
        }
    }

    fn write_run(&mut self) {
        let mut run = std::mem::take(&mut self.run);
        run.sort();
        run.dedup_by(|a, b| a.0 == b.0);
        for (cid, kind, name) in &run {
            self.write(cid, kind, name);
        }
    }

    fn write(&mut self, cid: &str, kind: &str, name: &str) {
        let entry = Entry { cid: cid.as_bytes(), kind, name };
        self.writer.next(&mut self.out, entry, !self.any);
        self.any = true;
    }

    /// Sends what is written. The head goes out with the first of it, so that a failure before
    /// has an error answer of its own.
    async fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.begin();
        self.answer.emit(&self.out).await?;
        self.out.clear();
        Ok(())
    }

    fn begin(&mut self) {
        if !self.answer.has_begun() {
            self.answer.begin(match self.writer.form {
                Form::Map => Shape::Single,
                Form::Stream => Shape::Stream,
            });
        }
    }

    async fn finish(mut self) -> io::Result<()> {
        self.write_run();
        self.begin();
        match self.writer.finish(&mut self.out, self.any) {
            Ok(()) => self.answer.end(&self.out).await,
            Err(words) => self.answer.fail(words).await,
        }
    }

    async fn fail(mut self, words: &str) -> io::Result<()> {
        // Kubo's stream form has shown what it met before the error; its map form shows nothing.
        if self.writer.form == Form::Stream {
            self.flush().await?;
        }
        // What is missing from a listing counts as unpinned at a main cluster.
        self.answer.fail_unmistakably(words).await
    }
}

impl Lines {
    fn of(list: PinList) -> Self {
        Self { list, buffer: Vec::new(), at: 0, last: None, ended: false }
    }

    /// Makes room, and remembers where the listing is.
    fn forget_read_lines(&mut self) {
        let Some(read) = self.buffer[..self.at].strip_suffix(b"\n") else { return };
        let line = read.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let cid = line.split(|byte| *byte == b' ').next().unwrap_or_default();
        self.last = Some(String::from_utf8_lossy(cid).into_owned());
        self.buffer.drain(..self.at);
        self.at = 0;
    }

    /// Whether the next line has to be waited for.
    fn is_drained(&self) -> bool {
        !self.buffer[self.at..].contains(&b'\n')
    }

    /// Next line; `None` at the end mark. A listing that breaks off is taken up again.
    async fn next(&mut self) -> Result<Option<&str>, String> {
        let end = loop {
            if self.ended {
                return Ok(None);
            }
            let found = self.buffer[self.at..].iter().position(|byte| *byte == b'\n');
            if let Some(length) = found {
                break self.at + length;
            }
            let chunk = self.list.chunk().await?;
            self.forget_read_lines();
            match chunk {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => {
                    self.buffer.clear();
                    self.list.resume(self.last.clone()).await?;
                }
            }
        };
        let line = self.at..end;
        self.at = end + 1;
        let line = std::str::from_utf8(&self.buffer[line]).map_err(|error| error.to_string())?;
        if line == PinLine::END {
            self.ended = true;
            return Ok(None);
        }
        Ok(Some(line))
    }
}

/// The pin's name; text is only made anew where it was escaped.
fn name_of<'a>(pin: &PinLine<'a>) -> Cow<'a, str> {
    let json = pin.name_json.unwrap_or("\"\"");
    match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
        Some(_) | None => Cow::Owned(serde_json::from_str(json).unwrap_or_default()),
    }
}

fn unintelligible(line: &str) -> String {
    format!("clusterd sent a line that is no pin: {line:?}")
}
