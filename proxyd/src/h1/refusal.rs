//! Answers that proxyd gives for itself, in Kubo's shapes.

use std::io;

use super::head::HeadError;
use super::reply::Reply;

/// Refuses a request that cannot be read, as Go's server does: plain text, and the connection ends.
///
/// # Errors
/// The client is gone.
pub async fn refuse_head(reply: &mut Reply, error: HeadError) -> io::Result<()> {
    let status = match error {
        HeadError::Malformed(_) => "400 Bad Request",
        HeadError::Version => "505 HTTP Version Not Supported",
        HeadError::TooLarge | HeadError::TooManyFields => "431 Request Header Fields Too Large",
    };
    reply.refuse(status, &format!("{status}: {error}")).await
}

/// Answers with an error in the shape of Kubo's: `{"Message":…,"Code":0,"Type":"error"}`.
///
/// # Errors
/// The client is gone.
pub async fn fail(reply: &mut Reply, status: u16, message: &str) -> io::Result<()> {
    let message = serde_json::Value::from(message);
    let body = format!("{{\"Message\":{message},\"Code\":0,\"Type\":\"error\"}}\n");
    reply.whole(status, &[("Content-Type", b"application/json")], body.as_bytes()).await
}
