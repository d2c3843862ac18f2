//! Random changes at random peers: pins, new names, unpins and updates of content that nobody has.

use std::collections::BTreeSet;

use harness::cluster::{self, Pinset};
use harness::error::HarnessError;
use harness::http::Client;
use harness::random::Random;
use harness::rpc::good;

/// What clients were told, and the choices.
pub(super) struct Work {
    random: Random,
    /// Pins that were answered and not asked to go since.
    pinned: BTreeSet<String>,
    /// Pins that were asked to go.
    gone: BTreeSet<String>,
}

impl Work {
    /// `WORK_SEED` repeats a run as far as the machine lets it.
    pub(super) fn new() -> Self {
        let seed = std::env::var("WORK_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| Random::from_clock().bits());
        eprintln!("WORK_SEED={seed}");
        Self { random: Random::seeded(seed), pinned: BTreeSet::new(), gone: BTreeSet::new() }
    }

    /// So many changes, each at one of these REST APIs.
    pub(super) fn some(&mut self, changes: usize, peers: &[Client]) -> Result<(), HarnessError> {
        for _ in 0..changes {
            let peer = &peers[self.random.below(peers.len())];
            match self.random.below(10) {
                0..=5 => self.pin_new(peer)?,
                6 => self.rename(peer)?,
                7..=8 => self.unpin(peer)?,
                _ => self.update(peer)?,
            }
        }
        Ok(())
    }

    fn pin_new(&mut self, peer: &Client) -> Result<(), HarnessError> {
        self.mark(peer).map(drop)
    }

    /// Pins something new; its CID.
    pub(super) fn mark(&mut self, peer: &Client) -> Result<String, HarnessError> {
        let cid = self.random.cid_of_nothing();
        cluster::pin(peer, &cid, &format!("name=n{}", self.random.below(1000)))?;
        self.pinned.insert(cid.clone());
        Ok(cid)
    }

    fn any(&mut self) -> Option<String> {
        let place = self.random.below(self.pinned.len());
        self.pinned.iter().nth(place).cloned()
    }

    /// Another peer may not have heard of it yet: then this is a pin of its own, which is as well.
    fn rename(&mut self, peer: &Client) -> Result<(), HarnessError> {
        let Some(cid) = self.any() else { return Ok(()) };
        cluster::pin(peer, &cid, &format!("name=m{}", self.random.below(1000)))
    }

    /// Where the pin has not arrived yet it cannot be unpinned, and stays.
    fn unpin(&mut self, peer: &Client) -> Result<(), HarnessError> {
        let Some(cid) = self.any() else { return Ok(()) };
        if !cluster::pinset(peer)?.contains_key(&cid) {
            return Ok(());
        }
        cluster::unpin(peer, &cid)?;
        self.pinned.remove(&cid);
        self.gone.insert(cid);
        Ok(())
    }

    fn update(&mut self, peer: &Client) -> Result<(), HarnessError> {
        let Some(from) = self.any() else { return Ok(()) };
        if !cluster::pinset(peer)?.contains_key(&from) {
            return Ok(());
        }
        let to = self.random.cid_of_nothing();
        let target = format!("/pins/{to}?pin-update={from}");
        good(peer.call("POST", &target, "")?)?;
        self.pinned.insert(to);
        Ok(())
    }

    /// Every pin that was answered is there. One that was unpinned may be back where somebody wrote
    /// it again at the same time, but never one that was not named since.
    pub(super) fn check(&self, pinset: &Pinset) {
        let lost: Vec<&String> =
            self.pinned.iter().filter(|cid| !pinset.contains_key(*cid)).collect();
        assert!(lost.is_empty(), "answered pins are lost: {lost:?}");
        let foreign: Vec<&String> = pinset
            .keys()
            .filter(|cid| !self.pinned.contains(*cid) && !self.gone.contains(*cid))
            .collect();
        assert!(foreign.is_empty(), "pins that nobody asked for: {foreign:?}");
    }
}
