//! Bytes go to the protocol that was agreed on, however they are cut.

use std::io::IoSlice;

use futures_util::io::Cursor;
use futures_util::{AsyncReadExt, AsyncWriteExt};

use super::negotiation::{Negotiation, Verdict};
use super::stream::{Counted, Side};
use super::*;

/// A line as multistream-select writes it.
fn line(text: &str) -> Vec<u8> {
    let length = text.len() + 1;
    let mut line = Vec::new();
    if length >= 0x80 {
        line.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        line.push(u8::try_from(length >> 7).unwrap());
    } else {
        line.push(u8::try_from(length).unwrap());
    }
    line.extend(text.bytes().chain([b'\n']));
    line
}

fn totals(meter: &Meter, protocol: &str) -> (u64, u64) {
    meter.read().get(protocol).map_or((0, 0), |read| (read.total_in, read.total_out))
}

#[test]
fn the_agreement_is_read_in_one_piece_and_byte_by_byte() {
    let long = format!("/{}", "x".repeat(130));
    for protocol in ["/ipfs/ping/1.0.0", long.as_str()] {
        let said = [line(UNDECIDED), line("na"), line(protocol), b"data".to_vec()].concat();
        let agreed = Verdict::Agreed(protocol.to_owned());
        assert_eq!(Negotiation::default().take(&said), agreed);
        let mut slow = Negotiation::default();
        let verdicts = said.iter().map(|byte| slow.take(&[*byte]));
        assert_eq!(verdicts.into_iter().find(|verdict| *verdict != Verdict::Open), Some(agreed));
    }
}

#[test]
fn what_is_no_agreement_is_given_up_and_not_collected() {
    let endless = line("na").repeat(100);
    let cases: [&[u8]; 5] = [b"\x00", b"\xff\xff\x7f", b"\x03abc", &endless, &line("two words\"")];
    for said in cases {
        assert_eq!(Negotiation::default().take(said), Verdict::Senseless, "{said:?}");
    }
    assert_eq!(Negotiation::default().take(&line("/with space")), Verdict::Senseless);
}

#[tokio::test]
async fn bytes_before_and_after_the_agreement_count_for_its_protocol() {
    let meter = Meter::default();
    let answer = [line(UNDECIDED), line("/rpc"), b"answer".to_vec()].concat();
    let length = answer.len() as u64;
    let mut asking = Counted::new(Cursor::new(answer.clone()), Side::Asking, meter.clone());
    asking.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(totals(&meter, "/rpc"), (length, 0));

    let mut answering = Counted::new(Cursor::new(vec![0; 256]), Side::Answering, meter.clone());
    answering.read_exact(&mut [0; 7]).await.unwrap();
    assert_eq!(totals(&meter, "/rpc"), (length, 0), "the answer decides");
    answering.write_all(&answer).await.unwrap();
    let slices = [IoSlice::new(b"a"), IoSlice::new(b"bc")];
    let written = answering.write_vectored(&slices).await.unwrap() as u64;
    assert_eq!(totals(&meter, "/rpc"), (length + 7, length + written));
    assert_eq!(totals(&meter, UNDECIDED), (0, 0));
}

#[tokio::test]
async fn streams_that_break_off_and_protocols_without_number_are_counted_together() {
    let meter = Meter::default();
    let mut broken = Counted::new(Cursor::new(b"\x13/mul".to_vec()), Side::Asking, meter.clone());
    broken.read_to_end(&mut Vec::new()).await.unwrap();
    drop(broken);
    assert_eq!(totals(&meter, UNDECIDED), (5, 0));
    for number in 0..2 * PROTOCOLS_MAX {
        meter.of(&format!("/made-up/{number}")).send(1);
    }
    let read = meter.read();
    assert_eq!(read.len(), PROTOCOLS_MAX);
    assert_eq!(read.values().map(|row| row.total_out).sum::<u64>(), 2 * PROTOCOLS_MAX as u64);
}

#[test]
fn a_rate_comes_near_a_steady_stream_and_goes_to_rest_after_it() {
    let meter = Meter::default();
    let count = meter.of("/rpc");
    for _ in 0..10 {
        count.receive(1000);
        meter.tick();
    }
    let rate = meter.read()["/rpc"].rate_in;
    assert!((999.0..=1000.0).contains(&rate), "{rate}");
    for _ in 0..20 {
        meter.tick();
    }
    assert!(meter.read()["/rpc"].rate_in == 0.0 && totals(&meter, "/rpc") == (10_000, 0));
}
