//! Shapes of the Kubo RPC that both daemons speak. Source: Kubo 0.42.0, as recorded.

pub mod query;
