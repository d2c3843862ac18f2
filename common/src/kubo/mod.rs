//! The Kubo RPC as both daemons speak it: arguments, options, paths and answers. Source: Kubo 0.42.0, as recorded.

pub mod car;
pub mod cid_base;
pub mod command;
pub mod multipart;
pub mod options;
pub mod path;
pub mod query;
pub mod roots;
pub mod text;
pub mod value;
