//! The decoder against recorded messages, a derived decoder, and nonsense.

use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::net::bitswap::message::{
    BlockMessage, EntryMessage, PresenceMessage, WantlistMessage, WireMessage,
};

/// The messages that Go sent or took, without their lengths. Source: wire.md 5.
fn recorded() -> Vec<Vec<u8>> {
    let file = include_str!("../../../../tests/vectors/bitswap-frames.json");
    let file: serde_json::Value = serde_json::from_str(file).unwrap();
    let mut streams = std::collections::BTreeMap::<u64, Vec<u8>>::new();
    for event in file["events"].as_array().unwrap() {
        let hex = event["hex"].as_str().unwrap().to_uppercase();
        let bytes = data_encoding::HEXUPPER.decode(hex.as_bytes()).unwrap();
        streams.entry(event["s"].as_u64().unwrap()).or_default().extend(bytes);
    }
    let mut messages = Vec::new();
    for bytes in streams.values() {
        let mut fields = Fields(bytes);
        while !fields.0.is_empty() {
            let length = usize::try_from(fields.number().unwrap()).unwrap();
            messages.push(fields.cut(length).unwrap().to_vec());
        }
    }
    messages
}

#[test]
fn recorded_messages_are_read_and_written_alike() {
    let mut seen = (0, 0, 0, 0);
    for bytes in recorded() {
        let message = decode(&bytes).unwrap();
        assert_eq!(message.foreign, 0);
        let frame = message.to_frame();
        let mut written = Fields(&frame);
        let length = written.number().unwrap();
        assert_eq!(length, bytes.len() as u64);
        assert_eq!(written.0, bytes);
        for entry in &message.entries {
            match entry.ask {
                Ask::Have => seen.0 += 1,
                Ask::Block => seen.1 += 1,
                Ask::Cancel => seen.2 += 1,
            }
        }
        seen.3 += message.blocks.len();
        for block in &message.blocks {
            assert!(clusterd_core::pinset::codec::Block::decode(block).is_ok());
        }
    }
    assert_eq!(seen, (6, 0, 6, 6), "want-have, want-block, cancel, blocks");
}

#[test]
fn a_recorded_block_has_the_hash_that_was_wanted() {
    let messages: Vec<Message> = recorded().iter().map(|bytes| decode(bytes).unwrap()).collect();
    let wanted: Vec<BlockId> = messages
        .iter()
        .flat_map(|message| &message.entries)
        .filter(|entry| entry.ask == Ask::Have)
        .map(|entry| entry.id)
        .collect();
    for message in &messages {
        for block in &message.blocks {
            assert!(wanted.contains(&BlockId::of(block)));
        }
    }
}

#[test]
fn every_kind_of_line_is_read_as_it_was_written() {
    let id = BlockId::of(b"x");
    let entry = |ask, send_dont_have| Entry { id, ask, priority: -7, send_dont_have };
    let message = Message {
        entries: vec![entry(Ask::Have, true), entry(Ask::Block, false), entry(Ask::Cancel, false)],
        full: true,
        blocks: vec![b"x".to_vec(), Vec::new()],
        presences: vec![(id, Presence::Have), (id, Presence::DontHave)],
        foreign: 0,
    };
    let frame = message.to_frame();
    let mut fields = Fields(&frame);
    fields.number().unwrap();
    assert_eq!(decode(fields.0), Ok(message));
}

#[test]
fn unknown_fields_and_foreign_blocks_are_left_out() {
    let wire = WireMessage {
        wantlist: Some(WantlistMessage {
            entries: vec![
                EntryMessage { block: vec![1, 0x55, 0x12, 0x20, 9], ..EntryMessage::default() },
                EntryMessage {
                    block: BlockId::of(b"x").cid_bytes(),
                    want_type: 2,
                    ..EntryMessage::default()
                },
            ],
            full: false,
        }),
        payload: vec![BlockMessage { prefix: vec![1, 0x55, 0x12, 0x20], data: b"raw".to_vec() }],
        presences: vec![PresenceMessage { cid: b"nonsense".to_vec(), presence: 0 }],
    };
    let mut bytes = wire.encode_to_vec();
    // pendingBytes, a legacy block, an unknown text, and both fixed widths.
    bytes.extend_from_slice(&[0x28, 0xff, 0x01, 0x12, 3, b'o', b'l', b'd', 0x7a, 1, b'?']);
    bytes.extend_from_slice(&[0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7d, 1, 2, 3, 4]);
    let expected = Message { blocks: vec![b"old".to_vec()], foreign: 1, ..Message::default() };
    assert_eq!(decode(&bytes), Ok(expected));
}

#[test]
fn broken_messages_are_refused_with_a_reason() {
    assert_eq!(decode(&[0x0a, 5, 1]), Err(DecodeError::Short));
    assert_eq!(decode(&[0x0a]), Err(DecodeError::Short));
    assert_eq!(decode(&[0x28, 0x80]), Err(DecodeError::Short));
    assert_eq!(decode(&[0x0b]), Err(DecodeError::WireType));
    assert_eq!(decode(&[0xff; 11]), Err(DecodeError::Number));
    let longest = [&[0x0a][..], &[0xff; 9], &[1]].concat();
    assert_eq!(decode(&longest), Err(DecodeError::Short));
}

#[test]
fn empty_fields_build_nothing() {
    let message = decode(&[0x0a, 2, 0x0a, 0].repeat(10_000)).unwrap();
    assert_eq!((message.entries.capacity(), message.presences.capacity()), (0, 0));
    let message = decode(&[0x1a, 0, 0x22, 0].repeat(10_000)).unwrap();
    assert_eq!((message.blocks.capacity(), message.foreign), (0, 10_000));
    let block = [0x1a, 6, 0x0a, 4, 1, 0x70, 0x12, 0x20].repeat(BLOCKS_MAX + 5);
    let message = decode(&block).unwrap();
    assert_eq!((message.blocks.len(), message.foreign), (BLOCKS_MAX, 5));
}

fn cid() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|seed| BlockId::of(&seed).cid_bytes()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ]
}

prop_compose! {
    fn wire()(
        entries in proptest::collection::vec(
            (cid(), any::<i32>(), any::<bool>(), 0..3_i32, any::<bool>()), 0..5),
        full: bool,
        blocks in proptest::collection::vec(
            (prop_oneof![Just(PREFIX.to_vec()), Just(vec![1])],
             proptest::collection::vec(any::<u8>(), 0..40)), 0..5),
        presences in proptest::collection::vec((cid(), 0..3_i32), 0..5),
    ) -> WireMessage {
        let entries = entries.into_iter().map(
            |(block, priority, cancel, want_type, send_dont_have)| EntryMessage {
                block, priority, cancel, want_type, send_dont_have });
        let payload = blocks.into_iter().map(|(prefix, data)| BlockMessage { prefix, data });
        let presences = presences.into_iter().map(|(cid, presence)| PresenceMessage { cid, presence });
        WireMessage {
            wantlist: Some(WantlistMessage { entries: entries.collect(), full }),
            payload: payload.collect(),
            presences: presences.collect(),
        }
    }
}

proptest! {
    #[test]
    fn nonsense_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let read = decode(&bytes);
        // What we take for a message, a derived decoder takes too, unless it minds a wire type.
        if let Ok(derived) = WireMessage::decode(bytes.as_slice()) {
            prop_assert!(read.is_ok(), "{derived:?} but {read:?}");
        }
    }

    #[test]
    fn a_cut_or_bent_message_never_panics(wire in wire(), at: prop::sample::Index, byte: u8) {
        let mut bytes = wire.encode_to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        drop(decode(&bytes));
        drop(decode(&bytes[..at]));
    }

    #[test]
    fn it_reads_what_a_derived_decoder_reads(wire in wire()) {
        let message = decode(&wire.encode_to_vec()).unwrap();
        let list = wire.wantlist.unwrap();
        let entries: Vec<Entry> = list.entries.iter().filter_map(|entry| {
            let ask = match (entry.cancel, entry.want_type) {
                (true, _) => Ask::Cancel,
                (_, 0) => Ask::Block,
                (_, 1) => Ask::Have,
                _ => return None,
            };
            let (priority, send_dont_have) = (entry.priority, entry.send_dont_have);
            Some(Entry { id: id_of(&entry.block)?, ask, priority, send_dont_have })
        }).collect();
        let blocks: Vec<Vec<u8>> = wire.payload.iter()
            .filter(|block| block.prefix == PREFIX).map(|block| block.data.clone()).collect();
        let presences: Vec<_> = wire.presences.iter().filter_map(|presence| {
            let word = [Presence::Have, Presence::DontHave];
            Some((id_of(&presence.cid)?, *word.get(usize::try_from(presence.presence).ok()?)?))
        }).collect();
        let foreign = wire.payload.len() - blocks.len();
        let expected = Message { entries, full: list.full, blocks, presences, foreign };
        prop_assert_eq!(message, expected);
    }
}
