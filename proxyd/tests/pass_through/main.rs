//! proxyd's binary between a client and a scripted upstream: what passes on the wire, byte for byte.

mod answers;
mod connections;
mod life;
mod requests;
mod stage;
