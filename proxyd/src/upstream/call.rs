//! Our own small calls to Kubo, over the connections that the relay uses.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;

use super::{Connection, Upstream, UpstreamError};
use crate::h1::body::{BodyError, Rest};
use crate::h1::fields::push_field;
use crate::h1::framing::Framing;
use crate::h1::head::ResponseHead;
use crate::h1::reply::Line;

/// A call to Kubo.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Method, nearly always `POST`.
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// Fields but `Host` and framing.
    pub fields: &'a [Line<'a>],
    /// The whole body.
    pub body: &'a [u8],
    /// Until the answer's head is there.
    pub within: Duration,
    /// Doing it twice does no harm: it is repeated when a kept connection turns out to be stale.
    pub repeatable: bool,
    /// On a connection of its own, closed after it: what proxyd asks for itself does not mix with
    /// the connections that clients' requests are passed on with.
    pub alone: bool,
}

/// Kubo's answer; its body is read as the caller goes, and Kubo waits meanwhile.
#[derive(Debug)]
pub struct Answer {
    /// The head.
    pub head: ResponseHead,
    upstream: Arc<Upstream>,
    /// Gone once the body is read to its end and the connection is back in the pool.
    connection: Option<Connection>,
    rest: Rest,
}

impl Upstream {
    /// Asks Kubo. Dropping the answer early closes the connection, which stops Kubo.
    ///
    /// # Errors
    /// [`UpstreamError`] when there is no answer.
    pub async fn call(self: &Arc<Self>, call: Call<'_>) -> Result<Answer, UpstreamError> {
        let asked = async {
            let connection = if call.alone { self.connect().await? } else { self.take().await? };
            let was_reused = connection.reused;
            match self.ask(connection, call).await {
                Err(UpstreamError::Lost { .. }) if was_reused && call.repeatable => {
                    self.ask(self.connect().await?, call).await
                }
                other => other,
            }
        };
        match tokio::time::timeout(call.within, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(self.too_slow("answer", call.within)),
        }
    }

    async fn ask(
        self: &Arc<Self>,
        mut connection: Connection,
        call: Call<'_>,
    ) -> Result<Answer, UpstreamError> {
        let mut out = format!("{} {} HTTP/1.1\r\n", call.method, call.target).into_bytes();
        push_field(&mut out, b"Host", self.address().host().as_bytes());
        for (name, value) in call.fields {
            push_field(&mut out, name.as_bytes(), value);
        }
        if call.alone {
            push_field(&mut out, b"Connection", b"close");
        }
        push_field(&mut out, b"Content-Length", call.body.len().to_string().as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(call.body);
        // A refused write may still leave an answer to read.
        let sent = connection.write.write_all(&out).await;
        let head = loop {
            let head = connection.reader.response_head(call.method.as_bytes()).await;
            match (head, &sent) {
                (Ok(head), _) if head.is_interim() => {}
                (Ok(head), _) => break head,
                (Err(cause), _) => return Err(self.no_answer(cause)),
            }
        };
        let rest = Rest::from(head.framing());
        Ok(Answer { head, upstream: Arc::clone(self), connection: Some(connection), rest })
    }
}

impl Answer {
    /// Next part of the body; `None` at its end. Cancel-safe.
    ///
    /// # Errors
    /// [`BodyError`] when the body is cut or garbled.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        let Some(connection) = &mut self.connection else {
            return Ok(None);
        };
        let part = self.rest.chunk(&mut connection.reader).await?;
        if part.is_none() {
            let reusable = !self.head.wants_close() && self.head.framing() != Framing::UntilClose;
            if let Some(connection) = self.connection.take().filter(|_| reusable) {
                self.upstream.put_back(connection);
            }
        }
        Ok(part)
    }

    /// The whole body, for small ones.
    ///
    /// # Errors
    /// [`BodyError`], with [`BodyError::TooLong`] past `limit` bytes.
    pub async fn whole(&mut self, limit: usize) -> Result<Vec<u8>, BodyError> {
        let mut whole = Vec::new();
        while let Some(part) = self.chunk().await? {
            if whole.len() + part.len() > limit {
                return Err(BodyError::TooLong { limit });
            }
            whole.extend_from_slice(&part);
        }
        Ok(whole)
    }

    /// Trailers, once the body has been read to its end.
    #[must_use]
    pub fn trailers(&self) -> Vec<(String, Vec<u8>)> {
        self.rest.trailers()
    }
}
