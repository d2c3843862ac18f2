//! What a peer has for an IPFS daemon: what our own method takes and gives.
//!
//! What is told is as deep as clusters stand one above the other, so both sides are JSON in one text.

use common::api::tree::{Beside, Query};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::msgpack::{Decode, DecodeError, Encode, Reader, Writer};

/// Longest of them in bytes; all members together must stay within what a tree may take.
const TOLD_BYTES_MAX: usize = 1 << 20;

impl Encode for Query {
    fn encode(&self, to: &mut Writer) {
        put(self, to);
    }
}

impl Decode for Query {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        take(from)
    }
}

impl Encode for Beside {
    fn encode(&self, to: &mut Writer) {
        put(self, to);
    }
}

impl Decode for Beside {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        take(from)
    }
}

/// These types have string keys alone, so that nothing of them cannot be written.
fn put(value: &impl Serialize, to: &mut Writer) {
    to.raw(&serde_json::to_vec(value).unwrap_or_default());
}

fn take<T: DeserializeOwned>(from: &mut Reader<'_>) -> Result<T, DecodeError> {
    let json = from.raw()?;
    if json.len() > TOLD_BYTES_MAX {
        return Err(DecodeError::content(format!("more than {TOLD_BYTES_MAX} bytes of a tree")));
    }
    serde_json::from_slice(json).map_err(|error| DecodeError::content(error.to_string()))
}
