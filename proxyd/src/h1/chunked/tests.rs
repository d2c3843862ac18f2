//! Chunked bodies in every shape and every split.

use proptest::prelude::*;

use super::*;

/// Data, trailers and bytes used.
type Read = (Vec<u8>, Vec<(String, Vec<u8>)>, usize);

/// Reads it, fed in pieces that end at `cuts`.
fn read(bytes: &[u8], cuts: &[usize]) -> Result<Read, ChunkError> {
    let mut chunks = Chunks::default();
    let (mut data, mut used) = (Vec::new(), 0);
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    for end in ends {
        while used < end && !chunks.is_done() {
            let step = chunks.step(&bytes[used..end])?;
            data.extend_from_slice(&bytes[used..end][step.data]);
            used += step.taken;
        }
    }
    if !chunks.is_done() {
        return Err(ChunkError::LineEnd);
    }
    Ok((data, chunks.trailers(), used))
}

#[test]
fn data_and_trailers_are_found_and_nothing_after_them_is_taken() {
    let body =
        b"5\r\nhello\r\n6;ext=\"1\"\r\n world\r\n0\r\nX-Stream-Error: bad  \r\nB:\r\n\r\nPOST";
    let (data, trailers, used) = read(body, &[]).unwrap();
    assert_eq!(data, b"hello world");
    assert_eq!(trailers[0], ("X-Stream-Error".to_owned(), b"bad".to_vec()));
    assert_eq!((trailers[1].1.len(), used), (0, body.len() - 4));
}

#[test]
fn broken_chunks_are_refused() {
    for body in [
        &b"\r\n"[..],
        b"x\r\n",
        b"5 x\nhello\r\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b";5\r\nhello\r\n0\r\n\r\n",
        b"fffffffffffffffff\r\n",
        b"0000000000000005\r\nhello\r\n0\r\n\r\n",
        b"5;a\rb\r\nhello\r\n0\r\n\r\n",
        b"0\r\n\n",
        b"0\r\nA: 1\n\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\n folded: x\r\n\r\n",
        b"0\r\nA: a\rb\r\n\r\n",
        b"0\r\n\rx",
    ] {
        assert!(read(body, &[]).is_err(), "{:?}", String::from_utf8_lossy(body));
    }
}

#[test]
fn endless_lines_are_refused() {
    let mut extension = b"5;".to_vec();
    extension.resize(8 << 10, b'x');
    assert_eq!(read(&extension, &[]).unwrap_err(), ChunkError::TooLong);
    let mut trailer = b"0\r\nA: ".to_vec();
    trailer.resize(32 << 10, b'x');
    assert_eq!(read(&trailer, &[]).unwrap_err(), ChunkError::TooLong);
}

#[test]
fn a_body_without_trailers_needs_no_memory() {
    let mut chunks = Chunks::default();
    chunks.skip(b"3\r\nabc\r\n0\r\n\r\n").unwrap();
    assert!(chunks.is_done() && chunks.trailers.capacity() == 0);
}

fn body() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let parts = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6);
    (parts, "|;a=b| ;x", "|X-E: y\r\n").prop_map(|(parts, extension, trailers)| {
        let mut wire = Vec::new();
        for part in &parts {
            wire.extend_from_slice(format!("{:X}{extension}\r\n", part.len()).as_bytes());
            wire.extend_from_slice(part);
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
        (wire, parts.concat())
    })
}

proptest! {
    #[test]
    fn any_split_of_the_bytes_gives_the_same_body(
        (wire, data) in body(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let (whole, split) = (read(&wire, &[]).unwrap(), read(&wire, &cuts).unwrap());
        prop_assert_eq!(&whole.0, &data);
        prop_assert_eq!(whole, split);
    }

    #[test]
    fn any_bytes_give_the_same_verdict_in_any_split(
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b'1')], 0..60),
        cuts in proptest::collection::vec(any::<usize>(), 0..6),
    ) {
        prop_assert_eq!(read(&bytes, &[]), read(&bytes, &cuts));
    }
}

#[test]
fn nothing_is_read_past_a_byte_that_does_not_fit() {
    let mut chunks = Chunks::default();
    assert_eq!(chunks.step(b"1x"), Err(ChunkError::Size));
    // Read anew, the digit before it would have made these a chunk.
    assert_eq!(chunks.step(b"1\r\na\r\n0\r\n\r\n"), Err(ChunkError::Size));
}

#[test]
fn what_is_good_before_a_fault_is_told() {
    for (body, good) in [
        (&b"3\r\nabc\r\nzz"[..], 8),
        (b"3\r\nabcde", 6),
        (b"zz", 0),
        (b"3\r\nabc\r\nfffffffffffffffff", 23),
    ] {
        let mut chunks = Chunks::default();
        let (count, fault) = chunks.skip_good(body);
        assert!(fault.is_some(), "{}", body.escape_ascii());
        assert_eq!(count, good, "{}", body.escape_ascii());
        // Whatever was broken, the example breaks a fresh body and the rest of this one.
        assert!(Chunks::default().skip(fault.unwrap().example()).is_err());
    }
}
