//! Chunked bodies: the same however the bytes are split, and the same as a plain reading of the grammar.

use super::{Random, run};
use crate::h1::chunked::Chunks;

const WORDS: [&[u8]; 18] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"0\r\n",
    b"0\r\n\r\n",
    b"1\r\n",
    b";",
    b";a=\"\r\n\"",
    b" ",
    b"\t",
    b"f",
    b"G",
    b"-",
    b"+",
    b"0x",
    b"ffffffffffffffff",
    b"000000000000000",
    b"X: y\r\n",
];

/// What a reader made of a body: its data, and where it ended; `None` when it is malformed or cut.
type Read = Option<(Vec<u8>, usize)>;

fn body(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.below(4) {
        let size = 1 + random.below(20);
        bytes.extend_from_slice(format!("{size:x}").as_bytes());
        bytes.extend_from_slice(random.pick(&[b"".as_slice(), b";ext", b" ;ext=\"v\"", b""]));
        bytes.extend_from_slice(b"\r\n");
        bytes.extend((0..size).map(|n| b"a\r\n0;"[n % 5]));
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(random.pick(&[
        b"0\r\n\r\n".as_slice(),
        b"0\r\nX-Stream-Error: e\r\n\r\n",
        b"00;x\r\n\r\n",
    ]));
    // The next message, which must be left alone.
    bytes.extend_from_slice(b"POST /next");
    bytes
}

fn in_pieces(pieces: &[&[u8]]) -> Read {
    let (mut chunks, mut data, mut end) = (Chunks::default(), Vec::new(), 0);
    for piece in pieces {
        let mut at = 0;
        while at < piece.len() && !chunks.is_done() {
            let step = chunks.step(&piece[at..]).ok()?;
            data.extend_from_slice(&piece[at..][step.data]);
            at += step.taken;
        }
        end += at;
    }
    chunks.is_done().then_some((data, end))
}

/// The grammar read plainly, with all bytes at hand. Source: RFC 9112, section 7.1.
fn plainly(bytes: &[u8]) -> Read {
    let (mut data, mut at) = (Vec::new(), 0);
    loop {
        let line = line(&bytes[at..])?;
        at += line.len() + 2;
        let digits = line.split(|b| matches!(b, b';' | b' ' | b'\t')).next()?;
        let size = std::str::from_utf8(digits)
            .ok()
            .filter(|d| (1..16).contains(&d.len()) && !d.starts_with('+'))?;
        let size = usize::try_from(u64::from_str_radix(size, 16).ok()?).ok()?;
        if size == 0 {
            break;
        }
        let end = at.checked_add(size)?;
        data.extend_from_slice(bytes.get(at..end)?);
        at = end + 2;
        (bytes.get(end..at)? == b"\r\n").then_some(())?;
    }
    while let Some(trailer) = line(&bytes[at..]) {
        at += trailer.len() + 2;
        if trailer.is_empty() {
            return Some((data, at));
        }
    }
    None
}

/// Bytes up to CR LF; `None` if that does not come, or either of the two comes alone.
fn line(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    bytes[..end].iter().all(|b| !matches!(b, b'\r' | b'\n')).then_some(&bytes[..end])
}

#[test]
fn chunks_are_the_same_however_they_are_split() {
    run("chunks", |random| {
        let mut bytes = body(random);
        random.mutate(&mut bytes, &WORDS, 3);
        let whole = in_pieces(&[&bytes]);
        assert_eq!(in_pieces(&random.split(&bytes)), whole, "{}", bytes.escape_ascii());
        // Trailers are checked as fields besides, so a good reading may still be refused.
        if whole.is_some() {
            assert_eq!(plainly(&bytes), whole, "{}", bytes.escape_ascii());
        }
    });
}

#[test]
fn good_chunks_are_taken() {
    run("chunks", |random| {
        let bytes = body(random);
        let whole = in_pieces(&random.split(&bytes));
        assert!(whole.is_some(), "{}", bytes.escape_ascii());
        assert_eq!(whole, plainly(&bytes), "{}", bytes.escape_ascii());
    });
}
