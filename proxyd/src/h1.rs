//! HTTP/1.1 messages on the wire: strict, bounded, trailers always written.

pub mod body;
pub mod chunked;
pub mod fields;
pub mod framing;
pub mod head;
pub mod message;
pub mod reader;
pub mod refusal;
pub mod reply;
