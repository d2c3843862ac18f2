//! Go's RPC between peers (go-libp2p-gorpc): its messages, its server and its client, over any stream.
//!
//! One stream is one call. Values follow one another without lengths: the request's head and its
//! argument or arguments one way, pairs of a head and a value the other. Nothing here knows of a
//! network: a stream comes in, or is opened by somebody else.
//! Source: go-libp2p-gorpc 0.6.0, `client.go` and `server.go`.

pub mod client;
mod heads;
pub mod items;
pub mod methods;
pub mod metric;
pub mod msgpack;
pub mod peer;
pub mod server;
pub mod types;
mod values;

#[cfg(test)]
mod tests;
