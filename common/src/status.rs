//! What a peer says of a pin.

use serde::{Deserialize, Serialize};

/// State of one pin at one peer, with the names and bits of Go ipfs-cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinStatus {
    /// The peer could not be asked.
    ClusterError,
    /// Kubo failed to pin; it is tried again.
    PinError,
    /// Kubo failed to unpin; it is tried again.
    UnpinError,
    /// Kubo holds it.
    Pinned,
    /// Kubo is fetching it.
    Pinning,
    /// Kubo is letting go of it.
    Unpinning,
    /// Not in the pinset.
    Unpinned,
    /// Held by other peers.
    Remote,
    /// Waits for its turn to be pinned.
    PinQueued,
    /// Waits for its turn to be unpinned.
    UnpinQueued,
    /// Stands for shards that are tracked themselves.
    Sharded,
    /// Kubo was found not to hold it although it did; pinned again by itself.
    UnexpectedlyUnpinned,
}

impl PinStatus {
    /// Every status, in the order of its bit.
    pub const ALL: [Self; 12] = [
        Self::ClusterError,
        Self::PinError,
        Self::UnpinError,
        Self::Pinned,
        Self::Pinning,
        Self::Unpinning,
        Self::Unpinned,
        Self::Remote,
        Self::PinQueued,
        Self::UnpinQueued,
        Self::Sharded,
        Self::UnexpectedlyUnpinned,
    ];

    /// The bit in filters and in the RPC between peers: 2 for `ClusterError` up to 4096.
    #[must_use]
    pub fn bit(self) -> u16 {
        match self {
            Self::ClusterError => 1 << 1,
            Self::PinError => 1 << 2,
            Self::UnpinError => 1 << 3,
            Self::Pinned => 1 << 4,
            Self::Pinning => 1 << 5,
            Self::Unpinning => 1 << 6,
            Self::Unpinned => 1 << 7,
            Self::Remote => 1 << 8,
            Self::PinQueued => 1 << 9,
            Self::UnpinQueued => 1 << 10,
            Self::Sharded => 1 << 11,
            Self::UnexpectedlyUnpinned => 1 << 12,
        }
    }

    /// The name in the REST API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterError => "cluster_error",
            Self::PinError => "pin_error",
            Self::UnpinError => "unpin_error",
            Self::Pinned => "pinned",
            Self::Pinning => "pinning",
            Self::Unpinning => "unpinning",
            Self::Unpinned => "unpinned",
            Self::Remote => "remote",
            Self::PinQueued => "pin_queued",
            Self::UnpinQueued => "unpin_queued",
            Self::Sharded => "sharded",
            Self::UnexpectedlyUnpinned => "unexpectedly_unpinned",
        }
    }
}

/// A set of statuses to list; the empty set lets everything through, as in Go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatusFilter(u16);

impl StatusFilter {
    /// All words that a filter may hold, for messages and help.
    pub const WORDS: &str = "error, queued, cluster_error, pin_error, unpin_error, pinned, pinning, \
        unpinning, unpinned, remote, pin_queued, unpin_queued, sharded, unexpectedly_unpinned";

    /// Reads a comma list of status names, or the groups `error` and `queued` that Go knows.
    ///
    /// # Errors
    /// The first word that is neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut bits = 0;
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            bits |= match word {
                "error" => {
                    PinStatus::ClusterError.bit()
                        | PinStatus::PinError.bit()
                        | PinStatus::UnpinError.bit()
                }
                "queued" => PinStatus::PinQueued.bit() | PinStatus::UnpinQueued.bit(),
                _ => PinStatus::ALL
                    .into_iter()
                    .find(|status| status.as_str() == word)
                    .map(PinStatus::bit)
                    .ok_or_else(|| word.to_owned())?,
            };
        }
        Ok(Self(bits))
    }

    /// Takes the bits of Go's RPC: those of [`PinStatus::bit`], or 0 for everything.
    ///
    /// A filter of bits that stand for no status lets nothing through.
    #[must_use]
    pub fn from_bits(bits: i64) -> Self {
        let known = PinStatus::ALL.iter().fold(0, |all, status| all | status.bit());
        let taken = u16::try_from(bits & i64::from(known)).unwrap_or(0);
        if taken == 0 && bits != 0 { Self(Self::NOTHING) } else { Self(taken) }
    }

    /// The bits in Go's RPC.
    #[must_use]
    pub fn bits(self) -> u16 {
        self.0
    }

    /// Go's bit of an undefined status, which no pin has.
    const NOTHING: u16 = 1;

    /// Whether a status passes.
    #[must_use]
    pub fn admits(self, status: PinStatus) -> bool {
        self.0 == 0 || self.0 & status.bit() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bits_are_gos() {
        let bits: Vec<u16> = PinStatus::ALL.map(PinStatus::bit).to_vec();
        assert_eq!(bits, (1..=12).map(|n| 1 << n).collect::<Vec<_>>());
        for status in PinStatus::ALL {
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{}\"", status.as_str()));
        }
    }

    #[test]
    fn bits_that_stand_for_no_status_let_nothing_through() {
        assert_eq!(StatusFilter::from_bits(0), StatusFilter::default());
        let filter = StatusFilter::from_bits(16 + (1 << 40));
        assert_eq!(filter.bits(), 16);
        assert!(filter.admits(PinStatus::Pinned) && !filter.admits(PinStatus::Remote));
        for bits in [1, 1 << 13, i64::MIN] {
            let filter = StatusFilter::from_bits(bits);
            assert!(PinStatus::ALL.iter().all(|status| !filter.admits(*status)), "{bits}");
        }
        let all_but_remote = StatusFilter::from_bits(!256);
        assert!(all_but_remote.admits(PinStatus::Pinned));
        assert!(!all_but_remote.admits(PinStatus::Remote));
    }

    #[test]
    fn filters_take_groups_and_name_the_word_they_refuse() {
        let filter = StatusFilter::parse("error, pinning").unwrap();
        assert!(filter.admits(PinStatus::PinError) && filter.admits(PinStatus::Pinning));
        assert!(!filter.admits(PinStatus::Pinned));
        assert!(StatusFilter::default().admits(PinStatus::Remote));
        assert_eq!(StatusFilter::parse("pinned,pined"), Err("pined".to_owned()));
        assert!(StatusFilter::parse(StatusFilter::WORDS).is_ok());
        assert_eq!(StatusFilter::WORDS.split(", ").count(), PinStatus::ALL.len() + 2);
    }
}
