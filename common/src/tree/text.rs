//! The tree as lines of text.

use super::words::{self, Stand, joined};
use super::{Health, below};
use crate::api::tree::{DEPTH_MAX, Daemon, Tree, TreePeer};

/// Most lines; one more says that some are left out.
const LINES_MAX: usize = 10_000;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextLine {
    /// What joins it to the lines above; drawn with box characters, and empty for the first line.
    pub branch: String,
    /// Its words, without anything that could command a terminal.
    pub words: String,
    /// Whether it tells of something that is not well.
    pub is_trouble: bool,
}

/// The tree as lines: the cluster, then its peers, each with what is below it.
#[must_use]
pub fn lines(tree: &Tree) -> Vec<TextLine> {
    let mut drawing = Drawing { lines: Vec::new() };
    drawing.cluster(tree, Place { depth: 1, branch: "", below: "" });
    if drawing.is_full() {
        let words = "… the rest is left out".to_owned();
        drawing.lines.push(TextLine { branch: String::new(), words, is_trouble: false });
    }
    drawing.lines
}

/// Where a cluster stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// 1 for the topmost cluster.
    depth: usize,
    /// Before its own line.
    branch: &'a str,
    /// Before the lines below it.
    below: &'a str,
}

struct Drawing {
    lines: Vec<TextLine>,
}

impl Drawing {
    fn is_full(&self) -> bool {
        self.lines.len() >= LINES_MAX
    }

    fn put(&mut self, branch: &str, words: String, is_trouble: bool) {
        self.lines.push(TextLine { branch: branch.to_owned(), words, is_trouble });
    }

    fn cluster(&mut self, tree: &Tree, place: Place<'_>) {
        let health = Health::of(tree);
        if health == Health::Loop {
            return self.put(place.branch, words::is_loop(tree), true);
        }
        let pin = tree.pin.as_ref().map(|pin| words::cluster_pin(tree, pin));
        let failed = pin.as_ref().is_some_and(|(stand, _)| *stand == Stand::Failed);
        let figures = words::figures(tree);
        let rest = joined([Some(figures), pin.map(|(_, words)| words), words::trouble(tree)]);
        let name = words::name(&tree.name);
        let words = format!("cluster {name}: {} · {rest}", health.as_str());
        self.put(place.branch, words, failed || health != Health::Ok);
        if place.depth > DEPTH_MAX {
            return;
        }
        for (number, peer) in tree.peers.iter().enumerate() {
            if self.is_full() {
                return;
            }
            let (branch, below) = match number + 1 == tree.peers.len() {
                true => ("└─ ", "   "),
                false => ("├─ ", "│  "),
            };
            let (branch, below) = (place.below.to_owned() + branch, place.below.to_owned() + below);
            self.peer(peer, Place { depth: place.depth, branch: &branch, below: &below });
        }
    }

    fn peer(&mut self, peer: &TreePeer, place: Place<'_>) {
        let state = (!peer.is_member).then(|| "silent".to_owned());
        let pin = peer.pin.as_ref().map(words::peer_pin);
        let failed = pin.as_ref().is_some_and(|(stand, _)| *stand == Stand::Failed);
        // Of a silent peer nothing else is to be expected.
        let told = |daemon: &&Daemon| peer.is_member || !matches!(daemon, Daemon::Unknown { .. });
        let kind = peer.daemon.as_ref().filter(told).and_then(words::daemon);
        let figures = words::peer_figures(peer);
        let rest = joined([state, pin.map(|(_, words)| words), Some(figures), kind]);
        let name = words::name(&peer.name);
        let words = if rest.is_empty() { name } else { format!("{name}: {rest}") };
        self.put(place.branch, words, failed || !peer.is_member || below(peer) >= Health::Down);
        if let Some(Daemon::Cluster { tree }) = &peer.daemon
            && !self.is_full()
        {
            let branch = format!("{}└─ ", place.below);
            let below = format!("{}   ", place.below);
            self.cluster(tree, Place { depth: place.depth + 1, branch: &branch, below: &below });
        }
    }
}
