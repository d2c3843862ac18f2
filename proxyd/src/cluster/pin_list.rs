//! A listing of pins that goes on where it was when clusterd is restarted under it.

use bytes::Bytes;
use common::api;
use common::api::client::{Call, Chunks, Client, ClientError};
use common::api::proxy::PinLs;

use super::{Repeats, STREAM_WITHIN, Words, in_time, words};

/// The listing while it comes.
#[derive(Debug)]
pub struct PinList {
    client: Client,
    query: PinLs,
    chunks: Chunks,
    repeats: Repeats,
}

impl PinList {
    /// Asks for it; a refusal comes here, before the first line.
    pub(super) async fn open(client: Client, query: PinLs) -> Result<Self, Words> {
        let chunks = ask(&client, &query).await?;
        Ok(Self { client, query, chunks, repeats: Repeats::default() })
    }

    /// Next bytes of its lines; `None` where it broke off. Cancel-safe.
    ///
    /// # Errors
    /// What the client is told.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Words> {
        let next = async {
            match self.chunks.next().await {
                Ok(chunk) => Ok(chunk),
                Err(ClientError::Broken { .. }) => Ok(None),
                Err(error) => Err(words(error)),
            }
        };
        in_time(STREAM_WITHIN, next).await
    }

    /// Goes on after `last`, the last CID that was read whole, or from the beginning. Whatever was
    /// read of a further line is to be forgotten. Not cancel-safe.
    ///
    /// # Errors
    /// What the client is told, also when it breaks off again and again.
    pub async fn resume(&mut self, last: Option<String>) -> Result<(), Words> {
        self.repeats.again(ClientError::Broken { reason: "the listing".to_owned() }).await?;
        self.query.after = last;
        self.chunks = in_time(STREAM_WITHIN, ask(&self.client, &self.query)).await?;
        Ok(())
    }
}

async fn ask(client: &Client, query: &PinLs) -> Result<Chunks, Words> {
    let mut call = Call::new(api::PROXY_PIN_LS, &[]);
    if let Some(mode) = query.mode {
        call = call.query([("mode", mode.as_str())]);
    }
    if let Some(name) = &query.name {
        call = call.query([("name", name.as_str())]);
    }
    if let Some(after) = &query.after {
        call = call.query([("after", after.as_str())]);
    }
    Ok(client.send(&call).await.map_err(words)?.chunks())
}
