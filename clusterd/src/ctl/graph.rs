//! `clusterdctl graph`: who is connected to whom, as a table, for Graphviz, or as a picture.

use std::collections::{BTreeMap, BTreeSet};

use common::api;
use common::api::client::Call;
use common::api::health::ConnectGraph;
use common::ids::PeerId;

use super::connection::Connection;
use super::failure::{Failure, code};
use super::health_args::GraphArgs;
use super::render::{Output, Rows, printable, say};

mod dot;
mod svg;
#[cfg(test)]
mod tests;

/// Last letters of an id, enough to tell peers apart.
const SHORT_ID: usize = 6;

pub(super) async fn graph(
    connection: &Connection,
    args: &GraphArgs,
    out: &mut Output,
) -> Result<u8, Failure> {
    if out.json() && (args.dot || args.svg) {
        return Err(Failure::Usage("--json is another form than --dot and --svg".to_owned()));
    }
    let told: ConnectGraph = connection.ask(&Call::new(api::GRAPH, &[])).await?;
    let graph = Graph::of(&told);
    for peer in graph.peers.iter().filter(|peer| !peer.answered) {
        say(&format!("{} did not answer: its connections are missing", peer.id));
    }
    if out.json() {
        out.object(&told)?;
    } else if args.dot {
        out.bytes(dot::draw(&graph).as_bytes())?;
    } else if args.svg {
        out.bytes(svg::draw(&graph).as_bytes())?;
    } else {
        table(&graph, out)?;
    }
    Ok(code::OK)
}

/// Peers and their Kubos, each with a place in its list, and the lines between them.
#[derive(Debug)]
struct Graph {
    peers: Vec<Peer>,
    kubos: Vec<PeerId>,
    /// From peer to peer.
    sees: Vec<Line>,
    /// From Kubo to Kubo.
    swarm: Vec<Line>,
}

/// One member.
#[derive(Debug)]
struct Peer {
    id: PeerId,
    /// Made harmless.
    name: String,
    answered: bool,
    is_trusted: bool,
    /// The one that made the graph.
    is_here: bool,
    /// Place of its Kubo.
    kubo: Option<usize>,
    /// Nodes that its Kubo is connected to, inside of the cluster and outside.
    ipfs_links: usize,
}

/// A line between two places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    from: usize,
    to: usize,
    /// Told of by both ends.
    is_mutual: bool,
}

impl Graph {
    fn of(told: &ConnectGraph) -> Self {
        let places: BTreeMap<_, _> = told.cluster_links.keys().zip(0..).collect();
        let kubos: BTreeSet<PeerId> = told.cluster_to_ipfs.values().copied().collect();
        let kubo_places: BTreeMap<_, _> = kubos.iter().zip(0..).collect();
        let peer = |id: &PeerId| {
            let kubo = told.cluster_to_ipfs.get(id);
            let name = told.id_to_peername.get(id).filter(|name| !name.is_empty());
            Peer {
                id: *id,
                name: name.map_or_else(|| short(id), |name| printable(name)),
                answered: told.id_to_peername.contains_key(id),
                is_trusted: told.cluster_trust_links.get(id).copied().unwrap_or(false),
                is_here: *id == told.cluster_id,
                kubo: kubo.and_then(|kubo| kubo_places.get(kubo).copied()),
                ipfs_links: kubo
                    .and_then(|kubo| told.ipfs_links.get(kubo))
                    .map_or(0, |links| links.len()),
            }
        };
        Self {
            peers: told.cluster_links.keys().map(peer).collect(),
            sees: lines(&told.cluster_links, &places),
            swarm: lines(&told.ipfs_links, &kubo_places),
            kubos: kubos.into_iter().collect(),
        }
    }
}

/// Lines between known places; the two directions of one connection are one line.
fn lines(links: &BTreeMap<PeerId, Vec<PeerId>>, places: &BTreeMap<&PeerId, usize>) -> Vec<Line> {
    let mut told = BTreeSet::new();
    for (from, to) in links {
        let to = to.iter().filter_map(|to| places.get(to));
        let from = places.get(from);
        told.extend(to.filter_map(|to| Some((*from?, *to))).filter(|(from, to)| from != to));
    }
    let is_first = |&&(from, to): &&(usize, usize)| from < to || !told.contains(&(to, from));
    let line =
        |&(from, to): &(usize, usize)| Line { from, to, is_mutual: told.contains(&(to, from)) };
    told.iter().filter(is_first).map(line).collect()
}

fn short(id: &PeerId) -> String {
    let id = id.to_string();
    format!("…{}", &id[id.len().saturating_sub(SHORT_ID)..])
}

fn table(graph: &Graph, out: &mut Output) -> Result<(), Failure> {
    let mut rows = Rows::new(&["NAME", "PEER", "SEES", "SEEN BY", "KUBO", "KUBO'S CONNECTIONS"]);
    let others = graph.peers.len().saturating_sub(1);
    for (place, peer) in graph.peers.iter().enumerate() {
        let count = |is: &dyn Fn(&Line) -> bool| graph.sees.iter().filter(|line| is(line)).count();
        let sees = count(&|line| line.from == place || line.to == place && line.is_mutual);
        let seen_by = count(&|line| line.to == place || line.from == place && line.is_mutual);
        let kubo = peer.kubo.map(|kubo| graph.kubos[kubo].to_string());
        let (sees, kubo) = match peer.answered {
            true => (
                format!("{sees} of {others}"),
                kubo.unwrap_or_else(|| "does not answer".to_owned()),
            ),
            false => ("did not answer".to_owned(), "-".to_owned()),
        };
        let links = peer.kubo.map_or_else(|| "-".to_owned(), |_| peer.ipfs_links.to_string());
        let seen_by = format!("{seen_by} of {others}");
        rows.add(out, [peer.name.clone(), peer.id.to_string(), sees, seen_by, kubo, links])?;
    }
    rows.end(out)?;
    Ok(())
}
