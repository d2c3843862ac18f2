//! What is known of the clusters below this peer's daemon.

/// What the daemon was found to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Below {
    /// It was asked once at least, whether it answered or not.
    pub is_asked: bool,
    /// The names of the clusters on the way from this one to itself, where it is its own sub-cluster.
    pub ring: Option<String>,
    /// Clusters one above the other below this peer: 0 where the daemon is a Kubo.
    pub levels: u32,
    /// Answers in a row in which somebody further below was missing.
    pub partial: u32,
}

impl Below {
    /// Why new pins are refused; empty while they are not.
    #[must_use]
    pub fn refusal(&self) -> String {
        let ring = self.ring.as_ref();
        ring.map(|ring| clusterd_core::effect::Refusal::Ring { ring: ring.clone() }.to_string())
            .unwrap_or_default()
    }
}
