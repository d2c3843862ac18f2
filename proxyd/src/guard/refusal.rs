//! An answer that refuses a request.

use crate::exchange::Exchange;
use crate::h1::head::ResponseHead;
use crate::h1::reply::Line;
use crate::reply;

/// A whole answer that refuses.
#[derive(Debug)]
pub struct Refusal {
    pub(super) status: u16,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Refusal {
    pub(super) fn plain(status: u16, words: &str) -> Self {
        let fields =
            [("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff")];
        Self {
            status,
            fields: fields.map(|(n, v)| (n.to_owned(), v.as_bytes().to_vec())).to_vec(),
            body: words.as_bytes().to_vec(),
        }
    }

    /// Kubo's own; `origin` replaces the allowed origin that it was asked about.
    pub(super) fn of(head: &ResponseHead, body: Vec<u8>, origin: Option<&[u8]>) -> Self {
        const OURS: [&str; 5] =
            ["connection", "content-length", "date", "trailer", "transfer-encoding"];
        let fields = head
            .headers()
            .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.to_vec()))
            .filter(|(name, _)| !OURS.contains(&name.to_ascii_lowercase().as_str()))
            .map(|(name, value)| match origin {
                Some(origin) if name == "Access-Control-Allow-Origin" && value != b"*" => {
                    (name, origin.to_vec())
                }
                Some(_) | None => (name, value),
            })
            .collect();
        Self { status: head.status(), fields, body }
    }

    /// Sends it.
    ///
    /// # Errors
    /// The client is gone.
    pub async fn send(&self, exchange: &mut Exchange) -> std::io::Result<()> {
        let fields: Vec<Line<'_>> =
            self.fields.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        reply::settle_body(exchange).await;
        exchange.whole(self.status, &fields, &self.body).await
    }
}
