//! The local Kubo's indirect pins, read as they stream.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::lines::Form;
use crate::h1::reply::Line;
use crate::upstream::Upstream;
use crate::upstream::call::{Answer, Call};

/// Kubo walks every DAG before its map form begins; a walk of hours helps nobody.
const ANSWER_WITHIN: Duration = Duration::from_secs(600);
/// An entry is a CID and its type.
const ENTRY_BYTES_MAX: usize = 64 << 10;
/// Error bodies are a line.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// Indirect pins, one by one; in the map form sorted by CID.
#[derive(Debug)]
pub(crate) struct Indirect {
    answer: Answer,
    entries: Entries,
}

/// Cuts entries out of Kubo's answer, however it is split.
#[derive(Debug)]
struct Entries {
    form: Form,
    buffer: Vec<u8>,
    at: usize,
}

#[derive(Deserialize)]
struct KuboError {
    #[serde(rename = "Message")]
    message: String,
}

impl Indirect {
    /// Asks Kubo, with the client's own `Authorization`.
    ///
    /// # Errors
    /// What the client is told.
    pub(crate) async fn ask(
        upstream: &Arc<Upstream>,
        token: Option<&[u8]>,
        form: Form,
    ) -> Result<Self, String> {
        let fields: Vec<Line<'_>> =
            token.map(|value| ("Authorization", value)).into_iter().collect();
        let target = match form {
            Form::Map => "/api/v0/pin/ls?type=indirect",
            Form::Stream => "/api/v0/pin/ls?type=indirect&stream=true",
        };
        let call = Call {
            method: "POST",
            target,
            fields: &fields,
            body: b"",
            within: ANSWER_WITHIN,
            repeatable: true,
            alone: false,
        };
        let mut answer = upstream.call(call).await.map_err(|error| error.to_string())?;
        if answer.head.status() != 200 {
            let body = answer.whole(ERROR_BYTES_MAX).await.map_err(|error| error.to_string())?;
            return Err(serde_json::from_slice::<KuboError>(&body).map_or_else(
                |_| String::from_utf8_lossy(&body).trim().to_owned(),
                |error| error.message,
            ));
        }
        Ok(Self { answer, entries: Entries::new(form) })
    }

    /// Canonical text of the next CID; `None` at the end. Cancel-safe.
    ///
    /// # Errors
    /// What the client is told when Kubo breaks off.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, String> {
        loop {
            if let Some(cid) = self.entries.next() {
                return Ok(Some(cid));
            }
            if self.entries.buffer.len() > ENTRY_BYTES_MAX {
                return Err("Kubo sent an indirect pin that is too long".to_owned());
            }
            match self.answer.chunk().await.map_err(|error| error.to_string())? {
                Some(part) => self.entries.take(&part),
                None => {
                    let trailers = self.answer.trailers();
                    let error = trailers
                        .iter()
                        .find(|(name, _)| name.eq_ignore_ascii_case("X-Stream-Error"));
                    return match error {
                        Some((_, words)) => Err(String::from_utf8_lossy(words).into_owned()),
                        None => Ok(None),
                    };
                }
            }
        }
    }
}

impl Entries {
    fn new(form: Form) -> Self {
        Self { form, buffer: Vec::new(), at: 0 }
    }

    fn take(&mut self, part: &[u8]) {
        self.buffer.drain(..self.at);
        self.at = 0;
        self.buffer.extend_from_slice(part);
    }

    /// The next whole entry. Names of indirect pins are empty, so a brace ends an entry.
    fn next(&mut self) -> Option<String> {
        const KEYS: &[u8] = b"{\"Keys\":{";
        const CID: &[u8] = b"{\"Cid\":";
        let mut rest = &self.buffer[self.at..];
        let end = self.at + rest.iter().position(|byte| *byte == b'}')? + 1;
        let opening = match self.form {
            Form::Map => KEYS,
            Form::Stream => CID,
        };
        rest = rest.trim_ascii_start();
        rest = rest.strip_prefix(opening).unwrap_or(rest);
        let start = rest.iter().position(|byte| *byte == b'"');
        let cid = start.and_then(|start| {
            let text = &rest[start + 1..];
            let length = text.iter().position(|byte| *byte == b'"')?;
            Some(String::from_utf8_lossy(&text[..length]).into_owned())
        });
        // `{}` and the braces at the end hold no string.
        let within = start.is_some_and(|start| self.buffer.len() - rest.len() + start < end);
        self.at = end;
        cid.filter(|_| within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: Form, body: &str, size: usize) -> Vec<String> {
        let mut entries = Entries::new(form);
        let mut found = Vec::new();
        for part in body.as_bytes().chunks(size) {
            entries.take(part);
            found.extend(std::iter::from_fn(|| entries.next()));
        }
        found
    }

    #[test]
    fn entries_of_both_forms_survive_any_split() {
        let map = "{\"Keys\":{\"QmA\":{\"Type\":\"indirect\",\"Name\":\"\"},\"QmB\":{\"Type\":\"indirect\",\"Name\":\"\"}}}\n";
        let stream =
            "{\"Cid\":\"QmA\",\"Type\":\"indirect\"}\n{\"Cid\":\"QmB\",\"Type\":\"indirect\"}\n";
        for size in 1..map.len() {
            assert_eq!(read(Form::Map, map, size), ["QmA", "QmB"], "{size}");
            assert_eq!(read(Form::Stream, stream, size), ["QmA", "QmB"], "{size}");
        }
        assert!(read(Form::Map, "{}\n", 1).is_empty());
    }
}
