//! Recorded calls read and answered; calls between our client and our server.

mod asked;
mod calls;
mod cancel;
mod limits;
mod local;
mod recorded;
mod served;
mod uploads;
mod wire;
mod yamux;
