//! `dag/put` with a pin: Kubo takes the nodes, the cluster pins them.

use std::io;

use common::kubo::command::DAG_PUT;
use common::kubo::value::{Encoding, Record, Value, field};
use serde::Deserialize;

use super::Context;
use super::upload::{self, ROOTS_MAX, Upload, Watch};
use crate::exchange::Exchange;
use crate::relay::{self, Edits};

/// Answers the request; without a pin it is Kubo's alone.
///
/// # Errors
/// The client is gone, or the answer was cut.
pub(crate) async fn serve(
    exchange: &mut Exchange,
    edits: &Edits,
    context: &Context,
) -> io::Result<()> {
    let upload =
        Upload::read(exchange, &DAG_PUT, &[]).filter(|upload| upload.options.is_set("pin"));
    let Some(upload) = upload else {
        relay::forward(exchange, edits).await;
        return Ok(());
    };
    let mut watch = Put { upload: &upload, context, nodes: Vec::new() };
    upload::serve(exchange, edits, &upload, &mut watch).await
}

struct Put<'a> {
    upload: &'a Upload,
    context: &'a Context,
    nodes: Vec<String>,
}

/// One line of Kubo's answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    cid: Link,
}

/// A CID as JSON shows it.
#[derive(Deserialize)]
pub(crate) struct Link {
    /// Its text.
    #[serde(rename = "/")]
    pub(crate) cid: String,
}

fn read(line: &[u8]) -> Result<String, String> {
    let output: Output = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    Ok(output.cid.cid)
}

impl Watch for Put<'_> {
    async fn see(&mut self, line: &[u8]) -> Result<Option<Vec<u8>>, String> {
        // Kubo stores and pins all nodes at the end or none, so none can be pinned earlier here.
        if self.nodes.len() >= ROOTS_MAX {
            self.nodes.clear();
            return Err(format!("dag/put with a pin takes at most {ROOTS_MAX} nodes at a time"));
        }
        self.nodes.push(read(line)?);
        Ok(None)
    }

    async fn end(&mut self) -> Result<(), String> {
        // Where a part breaks off in the middle Kubo drops all nodes and says that all is well.
        self.upload.pin_if_held(&self.nodes, self.context).await?;
        self.nodes.clear();
        Ok(())
    }

    fn kept(&self) -> &[String] {
        &self.nodes
    }

    fn render(&self, line: &[u8]) -> Result<Vec<u8>, String> {
        let encoding = self.upload.encoding;
        Ok(match encoding {
            // The base holds for the text form alone.
            Encoding::Json => [line, b"\n"].concat(),
            Encoding::Text => format!("{}\n", self.upload.base.rewrite(&read(line)?)).into_bytes(),
            Encoding::Xml | Encoding::TextLines | Encoding::Octets => {
                let fields = vec![field("Cid", Value::Link(Some(read(line)?)))];
                let mut out = Vec::new();
                Record { name: "OutputObject", fields }.render(encoding, &mut out);
                out
            }
        })
    }
}
