//! The connector: what clusterd asks of the Kubo beside it.

pub mod address;
pub mod audit;
pub mod below;
pub mod blocks;
pub mod client;
pub mod error;
pub mod form;
pub mod held;
mod http;
mod lines;
pub mod pin;
pub mod repo;
pub mod resolve;
pub mod upload;
