//! `block/put`: Kubo takes the blocks; with a pin the cluster pins them, without one it spares them.

use std::io;

use common::kubo::command::BLOCK_PUT;
use common::kubo::value::{Encoding, Record, Value, field};
use serde::Deserialize;

use super::Context;
use super::upload::{self, ROOTS_MAX, Upload, Watch};
use crate::exchange::Exchange;
use crate::relay::{self, Edits};

/// Answers the request; without a pin the answer is Kubo's alone, and clusterd hears of it.
///
/// # Errors
/// The client is gone, or the answer was cut.
pub(crate) async fn serve(
    exchange: &mut Exchange,
    edits: &Edits,
    context: &Context,
) -> io::Result<()> {
    let upload =
        Upload::read(exchange, &BLOCK_PUT, &[]).filter(|upload| upload.options.is_set("pin"));
    let Some(upload) = upload else {
        let unpinned = Some(context.cluster.unpinned());
        relay::forward(exchange, &Edits { unpinned, ..edits.clone() }).await;
        return Ok(());
    };
    let mut watch = Put { upload: &upload, context, keys: Vec::new() };
    upload::serve(exchange, edits, &upload, &mut watch).await
}

struct Put<'a> {
    upload: &'a Upload,
    context: &'a Context,
    keys: Vec<String>,
}

/// One line of Kubo's answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stat {
    key: String,
    size: u64,
}

fn read(line: &[u8]) -> Result<Stat, String> {
    serde_json::from_slice(line).map_err(|error| error.to_string())
}

impl Watch for Put<'_> {
    async fn see(&mut self, line: &[u8]) -> Result<Option<Vec<u8>>, String> {
        self.keys.push(read(line)?.key);
        // Each block is whole and Kubo's for good, so earlier ones need not wait for the end.
        if self.keys.len() >= ROOTS_MAX {
            self.end().await?;
        }
        Ok(None)
    }

    async fn end(&mut self) -> Result<(), String> {
        self.upload.pin(&self.keys, None, self.context).await?;
        self.keys.clear();
        Ok(())
    }

    async fn failed(&mut self) {
        self.upload.pin_remains(&self.keys, None, self.context).await;
        self.keys.clear();
    }

    fn kept(&self) -> &[String] {
        &self.keys
    }

    fn render(&self, line: &[u8]) -> Result<Vec<u8>, String> {
        let upload = self.upload;
        if upload.encoding == Encoding::Json && upload.base.is_canonical() {
            return Ok([line, b"\n"].concat());
        }
        let Stat { key, size } = read(line)?;
        let key = upload.base.rewrite(&key);
        Ok(match upload.encoding {
            Encoding::Text => format!("{key}\n").into_bytes(),
            // Kubo's type has a text form of its own.
            Encoding::Octets => format!("Key: {key}\nSize: {size}\n").into_bytes(),
            Encoding::TextLines => format!("Key: {key}\nSize: {size}\n\n").into_bytes(),
            Encoding::Json | Encoding::Xml => {
                let fields =
                    vec![field("Key", Value::Text(key)), field("Size", Value::Number(size, "int"))];
                let mut out = Vec::new();
                Record { name: "BlockStat", fields }.render(upload.encoding, &mut out);
                out
            }
        })
    }
}
