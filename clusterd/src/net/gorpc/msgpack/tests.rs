//! Scalars as Go writes them, and that no bytes make the reader fall over.

use std::collections::BTreeMap;

use common::api::time::WireTime;
use common::ids::{Cid, PeerId};
use data_encoding::HEXLOWER;
use multiaddr::Multiaddr;
use proptest::prelude::*;

use super::{Decode, DecodeError, Reader, Scanner, from_bytes, to_bytes};

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn vectors() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../../tests/vectors/msgpack-scalars.json")).unwrap()
}

#[test]
fn numbers_are_gos_byte_for_byte() {
    let vectors = vectors();
    let numbers = vectors["integers (Go signed int / unsigned uint types)"].as_object().unwrap();
    assert!(numbers.len() > 10);
    for (number, forms) in numbers {
        let signed: i64 = number.parse().unwrap();
        let bytes = hex(forms["int"].as_str().unwrap());
        assert_eq!(to_bytes(&signed), bytes, "{number}");
        assert_eq!(from_bytes(&bytes), Ok(signed));
        if let Ok(unsigned) = u64::try_from(signed) {
            let bytes = hex(forms["uint"].as_str().unwrap());
            assert_eq!(to_bytes(&unsigned), bytes, "{number}");
            // Either form is read as either type.
            assert_eq!(from_bytes(&bytes), Ok(signed));
            assert_eq!(from_bytes(&to_bytes(&signed)), Ok(unsigned));
        }
    }
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    assert_eq!(from_bytes::<u64>(&[0xff]), Err(DecodeError::content("-1 is out of range")));
    assert!(from_bytes::<i64>(&[0xcf, 0xff, 0, 0, 0, 0, 0, 0, 0]).is_err());
    assert_eq!(from_bytes(&[0xcf, 0xff, 0, 0, 0, 0, 0, 0, 0]), Ok(0xff_u64 << 56));
    assert_eq!(from_bytes(&[0xd3, 0xff, 0, 0, 0, 0, 0, 0, 0]), Ok(-(1_i64 << 56)));
    assert!(from_bytes::<i64>(&[0xcb, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
}

#[test]
fn times_are_gos_byte_for_byte() {
    let times = [
        ("1700000000", "2023-11-14T22:13:20Z"),
        ("1700000000.5", "2023-11-14T22:13:20.5Z"),
        ("-1", "1969-12-31T23:59:59Z"),
        ("2^34", "2514-05-30T01:53:04.000000007Z"),
        ("zero", "0001-01-01T00:00:00Z"),
    ];
    let vectors = vectors();
    for (name, text) in times {
        let bytes = hex(vectors["time.Time"][name].as_str().unwrap());
        let time = WireTime::parse(text).unwrap();
        assert_eq!(to_bytes(&time), bytes, "{name}");
        assert_eq!(from_bytes(&bytes), Ok(time), "{name}");
    }
}

#[test]
fn times_with_an_extension_header_and_gos_zero_are_read() {
    let time = WireTime::from_seconds(1_700_000_000);
    assert_eq!(from_bytes(&hex("d6ff6553f100")), Ok(time));
    assert_eq!(from_bytes(&hex("d7ff000000006553f100")), Ok(time));
    assert_eq!(from_bytes(&hex("c70cff00000000000000006553f100")), Ok(time));
    assert_eq!(from_bytes(&hex("c70cff00000000fffffff1886e0900")), Ok(WireTime::NONE));
    assert!(from_bytes::<WireTime>(&hex("d6016553f100")).is_err());
    assert!(from_bytes::<WireTime>(&hex("a3010203")).is_err());
    assert!(from_bytes::<WireTime>(&hex("acffffffff0000000000000000")).is_err());
}

#[test]
fn texts_use_the_raw_family_alone_and_are_read_from_any() {
    for (length, head) in [(31, "bf"), (32, "da0020"), (255, "da00ff"), (65_536, "db00010000")] {
        let text = "x".repeat(length);
        let bytes = to_bytes(&text);
        assert_eq!(HEXLOWER.encode(&bytes[..head.len() / 2]), head);
        assert_eq!(from_bytes::<String>(&bytes), Ok(text));
    }
    for bytes in ["a26869", "d9026869", "c4026869", "c500026869", "c6000000026869", "da00026869"] {
        assert_eq!(from_bytes(&hex(bytes)), Ok("hi".to_owned()));
    }
    assert_eq!(from_bytes(&[0xa2, 0xff, b'i']), Ok("\u{fffd}i".to_owned()));
}

#[test]
fn nil_is_the_empty_value_and_no_identifier() {
    assert_eq!(from_bytes(&[0xc0]), Ok(String::new()));
    assert_eq!(from_bytes(&[0xc0]), Ok(0_i64));
    assert_eq!(from_bytes(&[0xc0]), Ok(false));
    assert_eq!(from_bytes(&[0xc0]), Ok(Vec::<PeerId>::new()));
    assert_eq!(from_bytes(&[0xc0]), Ok(BTreeMap::<String, String>::new()));
    assert_eq!(from_bytes(&[0xc0]), Ok(None::<Cid>));
    assert_eq!(from_bytes(&[0xa0]), Ok(None::<PeerId>));
    assert!(from_bytes::<Cid>(&[0xc0]).is_err());
    assert!(from_bytes::<PeerId>(&[0xa0]).is_err());
    assert!(from_bytes::<Multiaddr>(&[0xa0]).is_err());
}

#[test]
fn a_struct_may_be_a_map_or_a_list_and_have_unknown_fields() {
    let read = |bytes: &str| {
        let (bytes, mut found) = (hex(bytes), Vec::new());
        let mut reader = Reader::new(&bytes);
        reader.fields(&["a", "b"], |key, value| {
            found.push((key, value.take::<i64>()?));
            Ok(())
        })?;
        assert!(reader.is_at_end());
        Ok::<_, DecodeError>(found)
    };
    assert_eq!(read("82a16101a16202"), Ok(vec![("a", 1), ("b", 2)]));
    assert_eq!(read("82a16202a16101"), Ok(vec![("b", 2), ("a", 1)]));
    assert_eq!(read("83a1789205c00709a16102"), Ok(vec![("a", 2)]));
    assert_eq!(read("81c4016203"), Ok(vec![("b", 3)]));
    assert_eq!(read("9101"), Ok(vec![("a", 1)]));
    assert_eq!(read("93010281a178c0"), Ok(vec![("a", 1), ("b", 2)]));
    assert_eq!(read("80"), Ok(vec![]));
    assert_eq!(read("90"), Ok(vec![]));
    assert_eq!(read("c0"), Ok(vec![]));
    assert_eq!(
        read("81a161a178").unwrap_err().to_string(),
        "a: expected a whole number, found marker 0xa1"
    );
    assert_eq!(read("07").unwrap_err().to_string(), "expected a map, found marker 0x07");
}

/// Reads as every type that has a decoder of its own; only what comes of it is not looked at.
fn read_as_everything(bytes: &[u8]) {
    fn read<T: Decode>(bytes: &[u8]) {
        drop(from_bytes::<T>(bytes));
    }
    read::<()>(bytes);
    read::<i64>(bytes);
    read::<i32>(bytes);
    read::<u64>(bytes);
    read::<bool>(bytes);
    read::<String>(bytes);
    read::<WireTime>(bytes);
    read::<Vec<Option<Cid>>>(bytes);
    read::<Vec<Multiaddr>>(bytes);
    read::<Vec<PeerId>>(bytes);
    read::<BTreeMap<String, String>>(bytes);
}

/// A value of every shape, nested a little.
fn shape() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|number| to_bytes(&number)),
        any::<u64>().prop_map(|number| to_bytes(&number)),
        ".{0,40}".prop_map(|text| to_bytes(&text)),
        any::<bool>().prop_map(|value| to_bytes(&value)),
        Just(vec![0xc0]),
        Just(vec![0xca, 0, 0, 0, 0]),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| {
            [&[0xc7, u8::try_from(bytes.len()).unwrap(), 0xff][..], &bytes].concat()
        }),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        prop::collection::vec(inner, 0..20).prop_map(|values| {
            let mut writer = super::Writer::default();
            if values.len() % 2 == 0 {
                writer.map(values.len() / 2);
            } else {
                writer.list(values.len());
            }
            [writer.into_bytes(), values.concat()].concat()
        })
    })
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_as_everything(&bytes);
        let mut scanner = Scanner::new(200);
        if let Ok(Some(end)) = scanner.advance(&bytes) {
            prop_assert!(end <= bytes.len().min(200));
        }
    }

    #[test]
    fn the_scanner_ends_where_the_reader_does(value in shape(), after in any::<u8>(), cut in 0_usize..1 << 16) {
        let bytes = [&value[..], &[after]].concat();
        prop_assert_eq!(Scanner::new(1 << 20).advance(&bytes), Ok(Some(value.len())));
        prop_assert_eq!(from_bytes::<()>(&value), Ok(()));
        // However the bytes are cut, the end is found where it is.
        let cut = cut % value.len();
        let mut scanner = Scanner::new(1 << 20);
        prop_assert_eq!(scanner.advance(&bytes[..cut]), Ok(None));
        prop_assert_eq!(scanner.advance(&bytes), Ok(Some(value.len())));
        prop_assert_eq!(from_bytes::<()>(&value[..cut]), Err(DecodeError::Short));
        read_as_everything(&value);
    }

    #[test]
    fn what_is_written_is_read(
        number in any::<i64>(),
        unsigned in any::<u64>(),
        texts in prop::collection::btree_map(".{0,40}", ".{0,40}", 0..20),
        seconds in 1_i64..253_402_207_200,
        fraction in 0_i32..1_000_000_000,
    ) {
        prop_assert_eq!(from_bytes(&to_bytes(&number)), Ok(number));
        prop_assert_eq!(from_bytes(&to_bytes(&unsigned)), Ok(unsigned));
        prop_assert_eq!(from_bytes(&to_bytes(&texts)), Ok(texts));
        let time = WireTime::from(jiff::Timestamp::new(seconds, fraction).unwrap());
        prop_assert_eq!(from_bytes(&to_bytes(&time)), Ok(time));
    }
}
