//! Reads the agreement on a protocol as it goes by. Source: the specification of multistream-select.

use super::UNDECIDED;

/// Longest line that is looked at. The library that agrees allows no more for a protocol's name.
const LINE_BYTES_MAX: usize = 256;

/// Lines before the agreement: the other side may refuse some protocols first.
const LINES_MAX: usize = 32;

/// What the side says that answers, until it is clear.
#[derive(Debug, Default)]
pub(super) struct Negotiation {
    line: Vec<u8>,
    lines: usize,
}

/// What the bytes so far say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not yet clear.
    Open,
    /// Agreed on this protocol.
    Agreed(String),
    /// This is no agreement.
    Senseless,
}

impl Negotiation {
    /// Takes the next bytes that the answering side sends. After the last verdict nothing follows.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Verdict {
        for byte in bytes {
            self.line.push(*byte);
            match self.whole_line() {
                Ok(None) => {}
                Ok(Some(line)) if line == UNDECIDED || line == "na" => {
                    self.lines += 1;
                    if self.lines > LINES_MAX {
                        return Verdict::Senseless;
                    }
                    self.line.clear();
                }
                Ok(Some(protocol)) if is_name(protocol) => {
                    return Verdict::Agreed(protocol.to_owned());
                }
                Ok(Some(_)) | Err(Senseless) => return Verdict::Senseless,
            }
        }
        Verdict::Open
    }

    /// The line, once it is whole: its length as a varint, its text, a line feed.
    fn whole_line(&self) -> Result<Option<&str>, Senseless> {
        let (length, rest) = match self.line.as_slice() {
            [low, rest @ ..] if *low < 0x80 => (usize::from(*low), rest),
            [low, high, rest @ ..] if *high < 0x80 => {
                (usize::from(*low & 0x7f) | usize::from(*high) << 7, rest)
            }
            [_] => return Ok(None),
            _ => return Err(Senseless),
        };
        if length == 0 || length > LINE_BYTES_MAX {
            return Err(Senseless);
        }
        if rest.len() < length {
            return Ok(None);
        }
        let text = rest.strip_suffix(b"\n").ok_or(Senseless)?;
        std::str::from_utf8(text).map(Some).map_err(|_| Senseless)
    }
}

/// The bytes are no line.
struct Senseless;

fn is_name(text: &str) -> bool {
    text.starts_with('/') && text.chars().all(|letter| letter.is_ascii_graphic())
}
