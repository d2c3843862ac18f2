//! Reads a message without building more than it holds of use.
//!
//! Derived decoders make a record of every empty field: two bytes on the wire become fifty in
//! memory. This one borrows, and keeps only what is of our kind.

use clusterd_core::pinset::codec::BlockId;

use super::message::{Ask, Entry, Message, PREFIX, Presence};

/// Most blocks that are kept of one message.
const BLOCKS_MAX: usize = 8192;

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecodeError {
    #[error("the message of a peer ends inside a field")]
    Short,
    #[error("the message of a peer has a number longer than 64 bits")]
    Number,
    #[error("the message of a peer has a field of an unknown wire type")]
    WireType,
}

/// Reads a message (without its length). Unknown fields and blocks of another kind are left out.
pub(super) fn decode(bytes: &[u8]) -> Result<Message, DecodeError> {
    let mut message = Message::default();
    for field in Fields(bytes) {
        match field? {
            (1, Value::Bytes(wantlist)) => read_wantlist(wantlist, &mut message)?,
            // Before 1.1.0: blocks of version 0, which name themselves by the same hash.
            (2, Value::Bytes(data)) => keep_block(data, &mut message),
            (3, Value::Bytes(payload)) => read_block(payload, &mut message)?,
            (4, Value::Bytes(presence)) => read_presence(presence, &mut message)?,
            (_, Value::Bytes(_) | Value::Number(_) | Value::Fixed) => {}
        }
    }
    Ok(message)
}

fn read_wantlist(bytes: &[u8], message: &mut Message) -> Result<(), DecodeError> {
    for field in Fields(bytes) {
        match field? {
            (1, Value::Bytes(entry)) => message.entries.extend(read_entry(entry)?),
            (2, Value::Number(full)) => message.full = full != 0,
            (_, Value::Bytes(_) | Value::Number(_) | Value::Fixed) => {}
        }
    }
    Ok(())
}

/// `None` for a block of another kind, or a question that we do not know.
fn read_entry(bytes: &[u8]) -> Result<Option<Entry>, DecodeError> {
    let (mut id, mut priority, mut is_cancel, mut kind, mut send_dont_have) =
        (None, 0, false, 0, false);
    for field in Fields(bytes) {
        match field? {
            (1, Value::Bytes(cid)) => id = id_of(cid),
            (2, Value::Number(number)) => priority = to_i32(number),
            (3, Value::Number(number)) => is_cancel = number != 0,
            (4, Value::Number(number)) => kind = number,
            (5, Value::Number(number)) => send_dont_have = number != 0,
            (_, Value::Bytes(_) | Value::Number(_) | Value::Fixed) => {}
        }
    }
    let ask = match kind {
        _ if is_cancel => Ask::Cancel,
        0 => Ask::Block,
        1 => Ask::Have,
        _ => return Ok(None),
    };
    Ok(id.map(|id| Entry { id, ask, priority, send_dont_have }))
}

fn read_block(bytes: &[u8], message: &mut Message) -> Result<(), DecodeError> {
    let (mut prefix, mut data) = (&[][..], &[][..]);
    for field in Fields(bytes) {
        match field? {
            (1, Value::Bytes(bytes)) => prefix = bytes,
            (2, Value::Bytes(bytes)) => data = bytes,
            (_, Value::Bytes(_) | Value::Number(_) | Value::Fixed) => {}
        }
    }
    if prefix == PREFIX {
        keep_block(data, message);
    } else {
        message.foreign += 1;
    }
    Ok(())
}

fn keep_block(data: &[u8], message: &mut Message) {
    if message.blocks.len() < BLOCKS_MAX {
        message.blocks.push(data.to_vec());
    } else {
        message.foreign += 1;
    }
}

fn read_presence(bytes: &[u8], message: &mut Message) -> Result<(), DecodeError> {
    let (mut id, mut kind) = (None, 0);
    for field in Fields(bytes) {
        match field? {
            (1, Value::Bytes(cid)) => id = id_of(cid),
            (2, Value::Number(number)) => kind = number,
            (_, Value::Bytes(_) | Value::Number(_) | Value::Fixed) => {}
        }
    }
    let presence = match kind {
        0 => Presence::Have,
        1 => Presence::DontHave,
        _ => return Ok(()),
    };
    message.presences.extend(id.map(|id| (id, presence)));
    Ok(())
}

fn id_of(cid: &[u8]) -> Option<BlockId> {
    BlockId::from_digest(cid.strip_prefix(&PREFIX)?)
}

/// Negative numbers are written as 64 bits, of which the low half counts.
fn to_i32(number: u64) -> i32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

/// The fields of a protobuf message: number and value.
struct Fields<'a>(&'a [u8]);

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// A value of fixed width; bitswap has none.
    Fixed,
}

impl<'a> Fields<'a> {
    fn next_field(&mut self) -> Result<(u64, Value<'a>), DecodeError> {
        let key = self.number()?;
        let value = match key & 7 {
            0 => Value::Number(self.number()?),
            1 => self.cut(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.number()?;
                let length = usize::try_from(length).map_err(|_| DecodeError::Short)?;
                Value::Bytes(self.cut(length)?)
            }
            5 => self.cut(4).map(|_| Value::Fixed)?,
            _ => return Err(DecodeError::WireType),
        };
        Ok((key >> 3, value))
    }

    fn cut(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(DecodeError::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.cut(1)?[0];
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(DecodeError::Number);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(DecodeError::Number)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.next_field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests;
