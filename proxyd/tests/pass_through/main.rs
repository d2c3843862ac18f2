//! proxyd's binary between a client and a scripted upstream: what passes on the wire, byte for byte.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod clusterd;
mod connections;
mod encrypted;
mod late;
mod life;
mod requests;
mod ring;
mod stage;
mod tree;
