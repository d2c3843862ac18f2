//! `add`: Kubo adds with every option it has; the roots are pinned in the cluster.

use std::collections::HashSet;
use std::io;

use common::kubo::command::ADD;
use common::kubo::roots::Roots;
use common::kubo::text;
use common::kubo::value::{Encoding, Record, Value, field, optional};
use serde::Deserialize;

use super::Context;
use super::upload::{self, ROOTS_MAX, Upload, Watch};
use crate::exchange::Exchange;
use crate::relay::{self, Edits};

/// Directories that are remembered for a silent client; beyond it some are not shown.
const DIRECTORIES_MAX: usize = 100_000;
/// Roots held back. Until a line without a name comes, or the end, they may turn out to be entries of
/// a directory that was sent without a name; with more of them than this some are pinned before.
const ROOTS_HELD_MAX: usize = 100_000;
/// The empty directory in both versions, with Kubo's usual hash.
const EMPTY_DIRECTORIES: [&str; 2] = [
    "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn",
    "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354",
];

/// Answers the request; without a pin it is Kubo's alone.
///
/// # Errors
/// The client is gone, or the answer was cut.
pub(crate) async fn serve(
    exchange: &mut Exchange,
    edits: &Edits,
    context: &Context,
) -> io::Result<()> {
    let upload = Upload::read(exchange, &ADD, &["silent"])
        .filter(|u| u.options.flag("pin") != Some(false) && !u.options.is_set("only-hash"));
    let Some(upload) = upload else {
        relay::forward(exchange, edits).await;
        return Ok(());
    };
    let roots = Roots::new(upload.options.is_set("wrap-with-directory"));
    let directories = HashSet::new();
    let mut watch = Added { upload: &upload, context, roots, directories, shows: true };
    upload::serve(exchange, edits, &upload, &mut watch).await
}

struct Added<'a> {
    upload: &'a Upload,
    context: &'a Context,
    roots: Roots,
    /// Directories whose children were shown; kept for silent clients alone.
    directories: HashSet<String>,
    /// Whether the line last seen is for the client.
    shows: bool,
}

/// One line of Kubo's answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Event {
    name: String,
    hash: String,
    bytes: u64,
    size: String,
    mode: String,
    mtime: u64,
    mtime_nsecs: u64,
}

impl Added<'_> {
    /// A silent Kubo shows directories all the same. An empty one is known by its CID.
    fn is_shown_to_silent(&mut self, line: &[u8]) -> bool {
        let Ok(event) = serde_json::from_slice::<Event>(line) else { return true };
        // Progress is no less told to the silent.
        if event.hash.is_empty() {
            return true;
        }
        if let Some((parent, _)) = event.name.rsplit_once('/')
            && self.directories.len() < DIRECTORIES_MAX
        {
            self.directories.insert(parent.to_owned());
        }
        event.name.is_empty()
            || self.directories.remove(&event.name)
            || EMPTY_DIRECTORIES.contains(&event.hash.as_str())
    }

    /// Pins all that is held; what is left after an error is on the local Kubo alone.
    async fn pin(&mut self) -> Result<(), String> {
        let name = self.upload.options.text("pin-name");
        while let Some(batch) = self.roots.held().chunks(ROOTS_MAX).next() {
            self.upload.pin(batch, name, self.context).await?;
            let count = batch.len();
            self.roots.let_go(count);
        }
        Ok(())
    }
}

impl Watch for Added<'_> {
    async fn see(&mut self, line: &[u8]) -> Result<Option<Vec<u8>>, String> {
        self.roots.see(line);
        self.shows = !self.upload.options.is_set("silent") || self.is_shown_to_silent(line);
        if self.roots.held().len() >= ROOTS_HELD_MAX {
            self.pin().await?;
        }
        Ok(None)
    }

    async fn end(&mut self) -> Result<(), String> {
        self.pin().await
    }

    async fn failed(&mut self) {
        let name = self.upload.options.text("pin-name");
        while let Some(batch) = self.roots.held().chunks(ROOTS_MAX).next() {
            self.upload.pin_remains(batch, name, self.context).await;
            let count = batch.len();
            self.roots.let_go(count);
        }
    }

    fn kept(&self) -> &[String] {
        self.roots.held()
    }

    fn render(&self, line: &[u8]) -> Result<Vec<u8>, String> {
        let upload = self.upload;
        if !self.shows {
            return Ok(Vec::new());
        }
        let canonical = upload.base.is_canonical();
        if upload.encoding == Encoding::Json && canonical {
            return Ok([line, b"\n"].concat());
        }
        let event: Event = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let hash = upload.base.rewrite(&event.hash);
        if upload.encoding == Encoding::Json {
            return Ok(replaced(line, &event.hash, &hash));
        }
        let record = Record {
            name: "AddEvent",
            fields: vec![
                field("Name", Value::Text(event.name)),
                optional("Hash", Value::Text(hash)),
                optional("Bytes", Value::Number(event.bytes, "int64")),
                optional("Size", Value::Text(event.size)),
                optional("Mode", Value::Text(event.mode)),
                optional("Mtime", Value::Number(event.mtime, "int64")),
                optional("MtimeNsecs", Value::Number(event.mtime_nsecs, "int")),
            ],
        };
        let mut out = Vec::new();
        record.render(upload.encoding, &mut out);
        Ok(out)
    }
}

/// The line with another hash; members that are not known here stay.
fn replaced(line: &[u8], old: &str, new: &str) -> Vec<u8> {
    let quoted = |hash: &str| {
        let mut member = b"\"Hash\":".to_vec();
        text::push_json(&mut member, hash);
        String::from_utf8_lossy(&member).into_owned()
    };
    let line = String::from_utf8_lossy(line);
    (line.replacen(&quoted(old), &quoted(new), 1) + "\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_written_anew_and_nothing_else() {
        let line = br#"{"Name":"QmA","Hash":"QmA","Size":"9","New":true}"#;
        let shown = String::from_utf8(replaced(line, "QmA", "bafyA")).unwrap();
        assert_eq!(shown, "{\"Name\":\"QmA\",\"Hash\":\"bafyA\",\"Size\":\"9\",\"New\":true}\n");
    }
}
