//! Seeded mutation of what strangers send, against a second reader of the same bytes.
//!
//! `FUZZ_CASES` is the number of cases for each of the twelve tests (small by default, so that every
//! `cargo test` runs some). Twelve million in all:
//! `FUZZ_CASES=1000000 cargo test --release -p proxyd --lib fuzz -- --nocapture`
//! Case n is made from n alone: `FUZZ_FROM=n FUZZ_CASES=1` repeats it.

mod add_lines;
mod answers;
mod chunks;
mod oracle;
mod queries;
mod requests;
mod stdin;

use std::time::Instant;

/// Cases for each target where nothing else is said: a fraction of a second.
const CASES_DEFAULT: u64 = 3_000;

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
        Err(_) => default,
    }
}

/// Runs `check` on every case of `target`, each with randomness of its own, and says how many.
fn run(target: &str, check: impl Fn(&mut Random)) {
    let (from, count) = (number("FUZZ_FROM", 0), number("FUZZ_CASES", CASES_DEFAULT));
    let start = Instant::now();
    for case in from..from + count {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            check(&mut Random::of_case(case))
        }));
        assert!(
            outcome.is_ok(),
            "repeat with FUZZ_FROM={case} FUZZ_CASES=1 cargo test -p proxyd fuzz::{target}"
        );
    }
    println!("fuzz {target}: {count} cases in {:.1} s", start.elapsed().as_secs_f64());
}

/// Repeatable randomness. Source: Vigna's SplitMix64.
struct Random(u64);

impl Random {
    fn of_case(case: u64) -> Self {
        let mut random = Self(case.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bf0_3635);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is not zero.
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }

    /// Changes `bytes` in up to `changes_max` places; `words` are what the grammar at hand trips over.
    fn mutate(&mut self, bytes: &mut Vec<u8>, words: &[&[u8]], changes_max: usize) {
        for _ in 0..self.below(changes_max + 1) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(8)).min(bytes.len());
            match self.below(6) {
                0 => drop(bytes.splice(at..at, self.pick(words).iter().copied())),
                1 => drop(bytes.splice(at..end, self.pick(words).iter().copied())),
                2 => drop(bytes.drain(at..end)),
                3 => {
                    let copy = bytes[at..end].to_vec();
                    let to = self.below(bytes.len() + 1);
                    bytes.splice(to..to, copy);
                }
                4 if at < bytes.len() => bytes[at] = u8::try_from(self.below(256)).unwrap(),
                4 | 5 => {
                    // Lines are what most grammars here are made of.
                    let lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
                    if let Some(line) = lines.get(self.below(lines.len().max(1))) {
                        let line = line.to_vec();
                        bytes.splice(at..at, line);
                    }
                }
                _ => unreachable!("below six"),
            }
        }
    }

    /// Splits `bytes` at random places; now and then into single bytes.
    fn split<'a>(&mut self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let piece_max = if self.one_in(4) { 1 } else { 1 + self.below(bytes.len() + 1) };
        let mut pieces = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((1 + self.below(piece_max)).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }
}
