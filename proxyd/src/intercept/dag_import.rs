//! `dag/import`: Kubo takes the CAR files, the cluster pins their roots.

use std::io;

use common::ids::Cid;
use common::kubo::command::DAG_IMPORT;
use common::kubo::text;
use common::kubo::value::{Encoding, Record, Value, field};
use serde::Deserialize;

use super::Context;
use super::dag_put::Link;
use super::upload::kept::naming;
use super::upload::{self, Upload, Watch};
use crate::exchange::Exchange;
use crate::relay::{self, Edits};

/// Answers the request; without pins it is Kubo's alone.
///
/// # Errors
/// The client is gone, or the answer was cut.
pub(crate) async fn serve(
    exchange: &mut Exchange,
    edits: &Edits,
    context: &Context,
) -> io::Result<()> {
    let upload = Upload::read(exchange, &DAG_IMPORT, &[]).filter(|upload| {
        upload.options.flag("pin-roots") != Some(false) && !upload.options.is_set("local-only")
    });
    let Some(upload) = upload else {
        relay::forward(exchange, edits).await;
        return Ok(());
    };
    let mut watch = Imported { upload: &upload, context, root: Vec::new() };
    upload::serve(exchange, edits, &upload, &mut watch).await
}

struct Imported<'a> {
    upload: &'a Upload,
    context: &'a Context,
    /// The root that is being pinned, if any.
    root: Vec<String>,
}

/// One line of Kubo's answer: a root, or the counts at the end.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    root: Option<Root>,
    stats: Option<Stats>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Root {
    cid: Link,
    pin_error_msg: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stats {
    block_count: u64,
    block_bytes_count: u64,
}

fn read(line: &[u8]) -> Result<Output, String> {
    serde_json::from_slice(line).map_err(|error| error.to_string())
}

impl Watch for Imported<'_> {
    /// A root that Kubo has pinned is pinned in the cluster; if that fails its line says so.
    async fn see(&mut self, line: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let Some(root) = read(line)?.root.filter(|root| root.pin_error_msg.is_empty()) else {
            return Ok(None);
        };
        let cid = root.cid.cid;
        self.root = vec![cid];
        let pinned = self.upload.pin(&self.root, None, self.context).await;
        let root = std::mem::take(&mut self.root);
        match pinned {
            Ok(()) => Ok(None),
            Err(words) => Ok(Some(root_line(&root.concat(), &naming(&words, &root)))),
        }
    }

    fn kept(&self) -> &[String] {
        &self.root
    }

    async fn end(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn render(&self, line: &[u8]) -> Result<Vec<u8>, String> {
        let Upload { encoding, options, base, .. } = self.upload;
        if *encoding == Encoding::Json {
            return Ok([line, b"\n"].concat());
        }
        let output = read(line)?;
        if *encoding == Encoding::TextLines {
            return Ok(go_struct(&output));
        }
        if *encoding != Encoding::Text {
            let mut out = Vec::new();
            record(output).render(*encoding, &mut out);
            return Ok(out);
        }
        if options.is_set("silent") {
            return Ok(Vec::new());
        }
        if let Some(root) = output.root {
            let cid = base.rewrite(&root.cid.cid);
            if !root.pin_error_msg.is_empty() {
                let quoted = text::quote(&cid);
                return Err(format!("pinning root {quoted} FAILED: {}", root.pin_error_msg));
            }
            return Ok(format!("Pinned root\t{cid}\tsuccess\n").into_bytes());
        }
        let shown = output.stats.filter(|_| options.is_set("stats")).map(|stats| {
            format!("Imported {} blocks ({} bytes)\n", stats.block_count, stats.block_bytes_count)
        });
        Ok(shown.unwrap_or_default().into_bytes())
    }
}

/// The line in which Kubo lets Go print its own types: it has no other text form for them.
fn go_struct(output: &Output) -> Vec<u8> {
    let mut out = b"&{".to_vec();
    match &output.root {
        Some(root) => {
            out.extend_from_slice(b"%!s(*dagcmd.RootMeta=&{{");
            // The bytes of the CID stand there as they are.
            match root.cid.cid.parse::<Cid>() {
                Ok(cid) => out.extend_from_slice(&cid.encode()),
                Err(_) => out.extend_from_slice(root.cid.cid.as_bytes()),
            }
            out.extend_from_slice(format!("}} {}}})", root.pin_error_msg).as_bytes());
        }
        None => out.extend_from_slice(b"%!s(*dagcmd.RootMeta=<nil>)"),
    }
    match &output.stats {
        Some(stats) => {
            let (blocks, bytes) = (stats.block_count, stats.block_bytes_count);
            let text = format!(" %!s(*dagcmd.CarImportStats=&{{{blocks} {bytes}}})}}\n");
            out.extend_from_slice(text.as_bytes());
        }
        None => out.extend_from_slice(b" %!s(*dagcmd.CarImportStats=<nil>)}\n"),
    }
    out
}

/// Kubo's line for a root that could not be pinned.
fn root_line(cid: &str, words: &str) -> Vec<u8> {
    let mut line = b"{\"Root\":{\"Cid\":{\"/\":".to_vec();
    text::push_json(&mut line, cid);
    line.extend_from_slice(b"},\"PinErrorMsg\":");
    text::push_json(&mut line, words);
    line.extend_from_slice(b"}}");
    line
}

fn record(output: Output) -> Record {
    let root = output.root.map(|root| Record {
        name: "RootMeta",
        fields: vec![
            field("Cid", Value::Link(Some(root.cid.cid))),
            field("PinErrorMsg", Value::Text(root.pin_error_msg)),
        ],
    });
    let stats = output.stats.map(|stats| Record {
        name: "CarImportStats",
        fields: vec![
            field("BlockCount", Value::Number(stats.block_count, "uint64")),
            field("BlockBytesCount", Value::Number(stats.block_bytes_count, "uint64")),
        ],
    });
    Record {
        name: "CarImportOutput",
        fields: vec![field("Root", Value::Record(root)), field("Stats", Value::Record(stats))],
    }
}
