//! What was found, and how it stands on the page.

use std::collections::BTreeMap;

use clusterd_core::counts::UNSETTLED;
use clusterd_core::input::Time;
use common::api::health::{Bandwidth, PeerHealth};
use common::api::time::WireTime;
use common::ids::PeerId;

use super::super::others::Figures as Network;
use super::super::room::Counts;
use super::families;
use super::page::{Page, count};
use super::process::Process;

/// All of it.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) version: &'static str,
    pub(super) peer: PeerId,
    pub(super) peername: String,
    pub(super) counts: Counts,
    pub(super) members: usize,
    /// `None` when it did not answer; what it would have said is left out.
    pub(super) node: Option<Node>,
    pub(super) ipfs_answers: bool,
    pub(super) network: Network,
    pub(super) traffic: BTreeMap<String, Bandwidth>,
    pub(super) stored_bytes: Option<u64>,
    pub(super) process: Process,
    pub(super) now: Time,
}

/// What the node said.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) peers: Vec<PeerHealth>,
    pub(super) alerted: u64,
    pub(super) run_out: usize,
    pub(super) work: Work,
    pub(super) history: History,
}

/// The tracker.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) running: usize,
    pub(super) waiting: u64,
    /// Since when it waits for Kubo.
    pub(super) away: Option<Time>,
}

/// The replicated history.
#[derive(Debug)]
pub(super) struct History {
    pub(super) heads: usize,
    pub(super) fetching: u64,
    pub(super) missing: u64,
}

impl Figures {
    /// The text for Prometheus.
    pub(super) fn page(&self) -> String {
        let mut page = Page::default();
        let id = self.peer.to_string();
        let labels = [("version", self.version), ("peer", &id), ("name", &self.peername)];
        page.family(families::INFO).add(&labels, 1.0);
        page.single(families::PINS, count(self.counts.pins));
        let mut unsettled = page.family(families::UNSETTLED);
        for status in UNSETTLED {
            let pins = self.counts.unsettled.get(&status).copied().unwrap_or(0);
            unsettled.add(&[("status", status.as_str())], count(pins));
        }
        page.single(families::MEMBERS, count(self.members));
        page.single(families::FAILED, count(self.counts.refused));
        page.single(families::NODE, flag(self.node.is_some()));
        page.single(families::IPFS, flag(self.ipfs_answers));
        if let Some(node) = &self.node {
            self.put_node(node, &mut page);
        }
        self.put_network(&mut page);
        if let Some(bytes) = self.stored_bytes {
            page.single(families::STORED, count(bytes));
        }
        put_process(&self.process, &mut page);
        page.into_text()
    }

    fn put_node(&self, node: &Node, page: &mut Page) {
        page.single(families::RUNNING, count(node.work.running));
        page.single(families::WAITING, count(node.work.waiting));
        let away = node.work.away.map_or(0.0, |since| seconds(since, self.now));
        page.single(families::AWAY, away);
        page.single(families::ALERTS, count(node.alerted));
        page.single(families::RUN_OUT, count(node.run_out));
        page.single(families::HEADS, count(node.history.heads));
        page.single(families::FETCHING, count(node.history.fetching));
        page.single(families::MISSING, count(node.history.missing));
        let age = |time: WireTime| Some(seconds(millis(time)?, self.now));
        let peers = &node.peers;
        each(page, families::MEMBER, peers, |peer| Some(flag(peer.member)));
        each(page, families::PING_AGE, peers, |peer| age(peer.pinged));
        each(page, families::SILENT, peers, |peer| Some(age(peer.silent_since).unwrap_or(0.0)));
        each(page, families::FREESPACE, peers, |peer| peer.freespace.map(count));
        each(page, families::PINQUEUE, peers, |peer| peer.pinqueue.map(count));
    }

    fn put_network(&self, page: &mut Page) {
        page.single(families::CONNECTIONS, count(self.network.connected));
        page.single(families::HEADS_REFUSED, count(self.network.heads_refused));
        page.single(families::CALLS_REFUSED, count(self.network.calls_refused));
        let mut bytes = page.family(families::BYTES);
        for (protocol, traffic) in &self.traffic {
            for (direction, total) in [("in", traffic.total_in), ("out", traffic.total_out)] {
                bytes.add(&[("protocol", protocol), ("direction", direction)], count(total));
            }
        }
    }
}

fn put_process(process: &Process, page: &mut Page) {
    for (family, value) in [
        (families::CPU, process.cpu),
        (families::MEMORY, process.memory),
        (families::FILES, process.files),
        (families::FILES_MAX, process.files_max),
        (families::START, process.start),
    ] {
        if let Some(value) = value {
            page.single(family, value);
        }
    }
}

/// A sample for each peer of which there is one.
fn each(
    page: &mut Page,
    family: families::Family,
    peers: &[PeerHealth],
    value: impl Fn(&PeerHealth) -> Option<f64>,
) {
    let mut samples = page.family(family);
    for peer in peers {
        if let Some(value) = value(peer) {
            let id = peer.peer.to_string();
            samples.add(&[("peer", &id), ("name", &peer.peername)], value);
        }
    }
}

fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

fn millis(time: WireTime) -> Option<Time> {
    time.timestamp().and_then(|at| u64::try_from(at.as_millisecond()).ok()).map(Time)
}

fn seconds(since: Time, now: Time) -> f64 {
    count(now.0.saturating_sub(since.0)) / 1000.0
}

#[cfg(test)]
mod tests;
