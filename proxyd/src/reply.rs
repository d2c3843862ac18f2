//! Answers in Kubo's shapes: one object, a stream of objects, errors before and after the first object.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use common::kubo::value::{Encoding, Record, Value, field};

use crate::exchange::Exchange;
use crate::h1::head::RequestHead;
use crate::h1::reply::Line;
use crate::headers::KuboHeaders;

/// Unread bytes of a request that are read and dropped so that its connection can go on. Source: Go's server.
const DROPPED_BYTES_MAX: usize = 256 << 10;
/// A client that is slower than this gets its connection closed instead.
const DROPPED_WITHIN: Duration = Duration::from_secs(5);

/// What a command emits, which shows in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Exactly one object.
    Single,
    /// Objects one by one, or none.
    Stream,
}

/// The answer of one intercepted command.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The request it answers.
    pub exchange: &'a mut Exchange,
    headers: Arc<KuboHeaders>,
    /// How objects and errors are encoded.
    pub encoding: Encoding,
    /// Further fields, sent with the head.
    extra: Vec<(&'static str, String)>,
    begun: bool,
}

impl<'a> Answer<'a> {
    /// Nothing is sent yet.
    #[must_use]
    pub fn new(exchange: &'a mut Exchange, headers: Arc<KuboHeaders>, encoding: Encoding) -> Self {
        Self { exchange, headers, encoding, extra: Vec::new(), begun: false }
    }

    /// Adds a field of ours to the head.
    pub fn add_field(&mut self, name: &'static str, value: String) {
        self.extra.push((name, value));
    }

    /// Whether the head is out, so that errors can only be trailers.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// Starts a successful answer; nothing is sent before the first object or the end.
    pub fn begin(&mut self, shape: Shape) {
        let content_type = self.encoding.content_type();
        let mut own: Vec<Line<'_>> = vec![("Content-Type", content_type.as_bytes())];
        if shape == Shape::Stream {
            own.push(("X-Chunked-Output", b"1"));
        }
        own.extend(self.extra.iter().map(|(name, value)| (*name, value.as_bytes())));
        self.exchange.start(200, &self.headers.for_command(&own));
        self.begun = true;
    }

    /// Sends one whole answer of one object in a single write.
    ///
    /// # Errors
    /// The client is gone.
    pub async fn single(mut self, object: &[u8]) -> io::Result<()> {
        self.begin(Shape::Single);
        self.exchange.reply.last(object, &[]).await
    }

    /// Sends objects of a stream.
    ///
    /// # Errors
    /// The client is gone.
    pub async fn emit(&mut self, objects: &[u8]) -> io::Result<()> {
        if !self.begun {
            self.begin(Shape::Stream);
        }
        if objects.is_empty() {
            return self.exchange.reply.flush().await;
        }
        self.exchange.reply.chunk(objects).await
    }

    /// Sends the last objects of a stream and ends it.
    ///
    /// # Errors
    /// The client is gone.
    pub async fn end(mut self, objects: &[u8]) -> io::Result<()> {
        if !self.begun {
            self.begin(Shape::Stream);
        }
        self.exchange.reply.last(objects, &[]).await
    }

    /// Ends with an error: an error answer (500) if nothing was emitted, else the trailer.
    ///
    /// # Errors
    /// The client is gone.
    pub async fn fail(self, message: &str) -> io::Result<()> {
        self.fail_as(500, message).await
    }

    /// As [`Self::fail`], for streams whose clean end means success to a peer of Go ipfs-cluster, which
    /// does not look at trailers: once the head is out the body is broken off towards it.
    ///
    /// # Errors
    /// The client is gone.
    pub async fn fail_unmistakably(self, message: &str) -> io::Result<()> {
        if self.begun && ignores_trailers(&self.exchange.head) {
            tracing::debug!(
                request_id = %self.exchange.id, error = message,
                "broken off towards a client that does not look at trailers"
            );
            self.exchange.reply.abort();
            return Ok(());
        }
        self.fail(message).await
    }

    /// As [`Self::fail`], with another status for the error answer.
    ///
    /// # Errors
    /// The client is gone.
    pub async fn fail_as(self, status: u16, message: &str) -> io::Result<()> {
        if self.begun {
            let trailer: Line<'_> = ("X-Stream-Error", message.as_bytes());
            return self.exchange.reply.end(&[trailer]).await;
        }
        let content_type = self.encoding.error_content_type();
        let own: [Line<'_>; 1] = [("Content-Type", content_type.as_bytes())];
        self.exchange.start(status, &self.headers.for_command(&own));
        self.exchange.reply.last(&error_body(self.encoding, message), &[]).await
    }
}

/// Whether a client takes any clean end for success, as a peer of Go ipfs-cluster 1.1.6 does. It has the
/// agent of Go's plain HTTP client, and alone sends a `Content-Type` that is empty: other programs with
/// that agent (go-ipfs-api, older Go clients of Kubo) send none with a call without a body, and do look
/// at trailers. One that sends `TE` has been taught of them.
fn ignores_trailers(head: &RequestHead) -> bool {
    let agent = head.header("User-Agent").unwrap_or_default();
    agent.starts_with(b"Go-http-client/")
        && head.header("Content-Type") == Some(b"".as_slice())
        && head.header("TE").is_none()
}

/// An error as Kubo encodes it.
pub fn error_body(encoding: Encoding, message: &str) -> Vec<u8> {
    let mut fields = vec![
        field("Message", Value::Text(message.to_owned())),
        field("Code", Value::Number(0, "uint")),
    ];
    if encoding == Encoding::Json {
        fields.push(field("Type", Value::Text("error".to_owned())));
    }
    match encoding {
        Encoding::Json | Encoding::Xml => {
            let mut body = Vec::new();
            Record { name: "Error", fields }.render(encoding, &mut body);
            body
        }
        Encoding::Text | Encoding::Octets => message.as_bytes().to_vec(),
        Encoding::TextLines => [message.as_bytes(), b"\n"].concat(),
    }
}

/// Refuses a request before its command runs, in plain text (400). `late`: after Kubo's own headers were set.
///
/// # Errors
/// The client is gone.
pub async fn refuse(
    exchange: &mut Exchange,
    headers: &KuboHeaders,
    words: &str,
    late: bool,
) -> io::Result<()> {
    let own: [Line<'_>; 2] =
        [("Content-Type", b"text/plain; charset=utf-8"), ("X-Content-Type-Options", b"nosniff")];
    let fields = if late { headers.before_command(&own) } else { headers.for_refusal(&own) };
    settle_body(exchange).await;
    exchange.whole(400, &fields, format!("{words}\n").as_bytes()).await
}

/// Answers with an empty 200, as Kubo does where it gives up silently.
///
/// # Errors
/// The client is gone.
pub async fn empty(exchange: &mut Exchange, headers: &KuboHeaders, late: bool) -> io::Result<()> {
    let fields = if late { headers.before_command(&[]) } else { headers.for_refusal(&[]) };
    settle_body(exchange).await;
    exchange.whole(200, &fields, b"").await
}

/// Answers that Kubo or clusterd cannot be asked at all.
///
/// # Errors
/// The client is gone.
pub async fn unavailable(exchange: &mut Exchange, status: u16, words: &str) -> io::Result<()> {
    settle_body(exchange).await;
    exchange.settle_connection();
    crate::h1::refusal::fail(&mut exchange.reply, status, words).await
}

/// Reads and drops what is left of a small body, so that the connection can go on, as Go's server does.
pub async fn settle_body(exchange: &mut Exchange) {
    // A client that waits for leave to send is not told to go on only to be refused.
    if exchange.body_is_read() || exchange.head.expects_continue() {
        return;
    }
    let drop_rest = async {
        let mut dropped = 0;
        while dropped < DROPPED_BYTES_MAX {
            match exchange.chunk().await {
                Ok(Some(part)) => dropped += part.len(),
                Ok(None) | Err(_) => return,
            }
        }
    };
    // In time or not, the state of the body decides whether the connection goes on.
    let _in_time = tokio::time::timeout(DROPPED_WITHIN, drop_rest).await;
}
