//! proxyd: speaks the Kubo RPC to clients; passes through to Kubo, sends pinning and adding to clusterd.

#![forbid(unsafe_code)]

pub mod buffer;
pub mod cluster;
pub mod config;
pub mod confine;
pub mod dispatch;
pub mod exchange;
#[cfg(test)]
mod fuzz;
pub mod guard;
pub mod h1;
pub mod headers;
pub mod intercept;
pub mod relay;
pub mod reload;
pub mod reply;
pub mod ring;
pub mod run;
pub mod server;
pub mod stream;
pub mod tls;
pub mod upstream;
