//! One request and its answer: what an intercept, or the relay, works on.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use common::ids::RequestId;

use crate::h1::body::{BodyError, Rest};
use crate::h1::framing::Framing;
use crate::h1::head::RequestHead;
use crate::h1::reader::Reader;
use crate::h1::reply::{Line, Reply};
use crate::server::Worker;
use crate::stream::WriteHalf;

/// The socket that a client came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Door {
    /// Address of the TCP listener; `None` for a Unix socket.
    pub address: Option<SocketAddr>,
    /// Whether TLS is spoken on it.
    pub tls: bool,
    /// The client's user, where the rules for Unix sockets shut him out.
    pub stranger: Option<u32>,
}

/// One request and its answer.
#[derive(Debug)]
pub struct Exchange {
    /// The request's head.
    pub head: RequestHead,
    /// The answer. Start it with [`Self::start`] or [`Self::whole`], so that keep-alive is right.
    pub reply: Reply,
    /// The body, unless it is on its way to Kubo in [`crate::relay::Observed`].
    pub(crate) body: Option<Body>,
    /// What all requests of a thread share.
    pub worker: Arc<Worker>,
    /// Where the client came in.
    pub door: Door,
    /// Address of the client; `None` on a Unix socket.
    pub client: Option<SocketAddr>,
    /// Follows the request through the logs, and makes a repeated change recognisable.
    pub id: RequestId,
}

/// A request's body, as far as it has been read.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) reader: Reader,
    pub(crate) rest: Rest,
    /// The client waits for `100 Continue`, and has not been told.
    pub(crate) waits: bool,
}

impl Body {
    pub(crate) fn of(head: &RequestHead, reader: Reader) -> Self {
        Self { reader, rest: head.framing().into(), waits: head.expects_continue() }
    }
}

impl Exchange {
    /// Whether the request has a body, be it empty chunks.
    #[must_use]
    pub fn has_body(&self) -> bool {
        self.head.framing() != Framing::None
    }

    /// Whether the body has been read to its end here.
    #[must_use]
    pub fn body_is_read(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.rest.is_done())
    }

    /// Next part of the request's body; tells the client to go on if it waits for that. `None` at
    /// the end. Cancel-safe but for the first call of a client that waits.
    ///
    /// # Errors
    /// [`BodyError`] when the body cannot be read to its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        let Some(body) = &mut self.body else {
            return Ok(None);
        };
        if std::mem::take(&mut body.waits) {
            self.reply.go_on().await?;
        }
        body.rest.chunk(&mut body.reader).await
    }

    /// The whole request body, for small ones.
    ///
    /// # Errors
    /// [`BodyError`], with [`BodyError::TooLong`] past `limit` bytes.
    pub async fn whole_body(&mut self, limit: usize) -> Result<Vec<u8>, BodyError> {
        let mut whole = Vec::new();
        while let Some(part) = self.chunk().await? {
            if whole.len() + part.len() > limit {
                return Err(BodyError::TooLong { limit });
            }
            whole.extend_from_slice(&part);
        }
        Ok(whole)
    }

    /// Waits until the client has gone (or half-closed, which Kubo takes for the same). Never
    /// comes back while unread bytes of the client fill the buffer. Cancel-safe.
    pub async fn client_gone(&mut self) {
        match &mut self.body {
            Some(body) => body.reader.gone().await,
            None => std::future::pending().await,
        }
    }

    /// Starts an answer in chunks; see [`Reply::head`] for `fields`. As in Kubo the connection
    /// ends after an answer that began before the request's body was read to its end.
    pub fn start(&mut self, status: u16, fields: &[Line<'_>]) {
        self.settle_connection();
        if self.body.as_ref().is_some_and(|body| !body.rest.is_done()) {
            self.reply.close_by_command();
        }
        self.reply.head(status, fields);
    }

    /// Sends a whole answer with its length; see [`Reply::whole`].
    ///
    /// # Errors
    /// The client is gone.
    pub async fn whole(
        &mut self,
        status: u16,
        fields: &[Line<'_>],
        body: &[u8],
    ) -> std::io::Result<()> {
        self.settle_connection();
        self.reply.whole(status, fields, body).await
    }

    /// Decides whether the connection goes on, before the head says so.
    pub(crate) fn settle_connection(&mut self) {
        let unread = self.body.as_ref().is_some_and(|body| !body.rest.is_done());
        if unread || self.worker.is_draining() {
            self.reply.close_after();
        }
    }

    /// The halves of the connection, when both are here.
    pub(crate) fn into_halves(self) -> Option<(Body, WriteHalf)> {
        self.body.map(|body| (body, self.reply.into_half()))
    }
}
