//! How pins stand at a peer: what our own methods take and give.

use clusterd_core::spread::{News, PeerState, Report};
use common::ids::Cid;

use super::super::msgpack::{Decode, DecodeError, Encode, Reader, Writer};

/// Most pins in one call, and in one part of an answer.
pub const TOGETHER_MAX: usize = 1000;

const HELD: u64 = 1;
const MISSING: u64 = 2;
const LOST: u64 = 3;
const UNKNOWN: u64 = 4;

/// Pins that a peer is asked about: a list of CIDs, at most [`TOGETHER_MAX`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked(pub Vec<Cid>);

impl Encode for Asked {
    fn encode(&self, to: &mut Writer) {
        to.put(&self.0);
    }
}

impl Decode for Asked {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        list(from, |from| from.take()).map(Self)
    }
}

/// What a peer tells of its pins, in order, at most [`TOGETHER_MAX`]; none is a sign of life.
///
/// Each is a map: `c` the CID; `s` a state, 1 held (`t` the second of the record that is), 2 not held,
/// 3 lost (both with `a` failed attempts, `e` the words of the newest, and `w` where its Kubo is away), 4 unknown;
/// or `n` and `b`, nodes and bytes fetched so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reports(pub Vec<Report>);

impl Encode for Reports {
    fn encode(&self, to: &mut Writer) {
        to.list(self.0.len());
        self.0.iter().for_each(|report| put(to, report));
    }
}

impl Decode for Reports {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let reports = list(from, take)?;
        // What a newer peer may tell besides is passed over.
        Ok(Self(reports.into_iter().flatten().collect()))
    }
}

fn list<T>(
    from: &mut Reader<'_>,
    mut take: impl FnMut(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = from.list()?;
    if count > TOGETHER_MAX {
        return Err(DecodeError::TooMany { count, max: TOGETHER_MAX });
    }
    (0..count).map(|_| take(from)).collect()
}

fn put(to: &mut Writer, report: &Report) {
    to.fields(|fields| {
        fields.put("c", &report.cid);
        match &report.news {
            News::State(state) => match state {
                PeerState::Held { record } => {
                    fields.put("s", &HELD).put("t", record);
                }
                PeerState::Missing { lost, attempts, error, is_away } => {
                    fields.put("s", if *lost { &LOST } else { &MISSING });
                    fields.put("a", &u64::from(*attempts)).put_text("e", error);
                    if *is_away {
                        fields.put("w", &1_u64);
                    }
                }
                PeerState::Unknown => {
                    fields.put("s", &UNKNOWN);
                }
            },
            News::Progress { nodes, bytes } => {
                fields.put("n", nodes).put("b", bytes);
            }
        }
    });
}

fn take(from: &mut Reader<'_>) -> Result<Option<Report>, DecodeError> {
    let (mut cid, mut state, mut error) = (None, None, String::new());
    let (mut record, mut attempts) = (0, 0_u64);
    let (mut nodes, mut bytes, mut away) = (0, None, 0_u64);
    from.fields(&["c", "s", "t", "a", "e", "w", "n", "b"], |key, value| {
        match key {
            "c" => cid = value.take()?,
            "s" => state = Some(value.take::<u64>()?),
            "t" => record = value.take()?,
            "a" => attempts = value.take()?,
            "e" => error = value.take()?,
            "w" => away = value.take()?,
            "n" => nodes = value.take()?,
            _ => bytes = Some(value.take::<u64>()?),
        }
        Ok(())
    })?;
    let cid = cid.ok_or_else(|| DecodeError::content("a pin's state without its cid"))?;
    let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
    let news = match (state, bytes) {
        (Some(HELD), _) => News::State(PeerState::Held { record }),
        (Some(state @ (MISSING | LOST)), _) => {
            let is_away = away != 0;
            News::State(PeerState::Missing { lost: state == LOST, attempts, error, is_away })
        }
        (Some(UNKNOWN), _) => News::State(PeerState::Unknown),
        (None, Some(bytes)) => News::Progress { nodes, bytes },
        (Some(_), _) | (None, None) => return Ok(None),
    };
    Ok(Some(Report { cid, news }))
}

#[cfg(test)]
mod tests {
    use super::super::super::msgpack::{from_bytes, to_bytes};
    use super::*;

    fn reports() -> Reports {
        let cid: Cid =
            "bafybeid7glsnbvlwu3xe4j2zffc2vpr4kcznl6k5k2nyrijzmfpyxvrtce".parse().unwrap();
        let missing = |lost, attempts, error: &str| {
            let (error, is_away) = (error.to_owned(), error == "away");
            News::State(PeerState::Missing { lost, attempts, error, is_away })
        };
        let news = [
            News::State(PeerState::Held { record: 1_700_000_000 }),
            missing(false, 0, ""),
            missing(false, 1, ""),
            missing(false, 0, "away"),
            missing(true, 7, "no space"),
            News::State(PeerState::Unknown),
            News::Progress { nodes: 7, bytes: 1 << 40 },
            News::Progress { nodes: 0, bytes: 0 },
        ];
        Reports(news.map(|news| Report { cid, news }).to_vec())
    }

    #[test]
    fn reports_come_back_as_they_were() {
        assert_eq!(from_bytes::<Reports>(&to_bytes(&reports())), Ok(reports()));
        let none = Reports::default();
        assert_eq!(from_bytes::<Reports>(&to_bytes(&none)), Ok(none));
        let asked = Asked(reports().0.iter().map(|report| report.cid).collect());
        assert_eq!(from_bytes::<Asked>(&to_bytes(&asked)), Ok(asked));
    }

    #[test]
    fn what_a_newer_peer_tells_besides_is_passed_over_and_too_much_is_refused() {
        let mut writer = Writer::default();
        writer.list(1);
        writer.fields(|fields| {
            fields.put("c", &reports().0[0].cid).put("s", &9_u64);
        });
        assert_eq!(from_bytes::<Reports>(&writer.into_bytes()), Ok(Reports::default()));
        let many = Asked(vec![reports().0[0].cid; TOGETHER_MAX + 1]);
        assert!(from_bytes::<Asked>(&to_bytes(&many)).is_err());
    }
}
