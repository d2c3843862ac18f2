//! The table of peers: who is there, with how much space and work, and how its daemon fares.

use common::api::health::PeerHealth;
use common::api::time::WireTime;
use common::api::tree::{Daemon, TreePeer};
use common::tree::Health;
use jiff::Timestamp;
use maud::{Markup, html};

use super::super::seen::{KnownTree, Kubo, Seen};
use super::super::words::{ago, size, span, text};
use super::tables::failed;

/// Peers that are shown. Go ipfs-cluster is run with some hundreds at most.
const PEERS_MAX: usize = 500;

pub(super) fn peers(seen: &Seen, tree: &KnownTree) -> Markup {
    let Some(node) = &seen.node else {
        return html! { p.none { "The node did not answer in time." } };
    };
    let told = tree.peers();
    let most = node.peers.iter().filter_map(|peer| peer.freespace).max().unwrap_or(0);
    let left = node.peers.len().saturating_sub(PEERS_MAX);
    html! {
        table {
            thead {
                tr {
                    th scope="col" { "Peer" }
                    th scope="col" { "State" }
                    th scope="col" { "Last ping" }
                    th scope="col" { "Free space" }
                    th.number scope="col" { "Queue" }
                    th.number scope="col" { "Errors" }
                    th scope="col" { "IPFS daemon" }
                }
            }
            tbody {
                @for peer in node.peers.iter().take(PEERS_MAX) {
                    @let told = told.get(&peer.peer).copied();
                    tr {
                        th scope="row" {
                            (text(&peer.peername))
                            @if peer.peer == seen.me.peer { " " span.tag { "this peer" } }
                            @if peer.peername != peer.peer.to_string() { span.id { (peer.peer) } }
                        }
                        td { (state(peer, seen.now)) }
                        td { (ago(peer.pinged, seen.now)) }
                        td { (free(peer, most)) }
                        td.number { @if let Some(queue) = peer.pinqueue { (queue) } @else { "–" } }
                        td.number { (errors(told)) }
                        td { (daemon(told, (peer.peer == seen.me.peer).then_some(&seen.kubo))) }
                    }
                }
            }
        }
        @if left > 0 { p.note { "And " (left) " more: " code { "clusterdctl health" } " shows all." } }
    }
}

fn state(peer: &PeerHealth, now: Timestamp) -> Markup {
    match (peer.member, peer.silent_since.timestamp()) {
        (true, _) => html! { span.good { "member" } },
        (false, None) => html! { span.bad { "never pinged" } },
        (false, Some(since)) => {
            let seconds = now.as_second() - since.as_second();
            html! { span.bad { "silent for " (span(seconds)) } }
        }
    }
}

/// The space, beside a bar that compares it with that of the peer that has most.
fn free(peer: &PeerHealth, most: u64) -> Markup {
    match peer.freespace {
        Some(bytes) => html! {
            (size(bytes))
            @if most > 0 { " " meter aria-hidden="true" min="0" max=(most) value=(bytes) {} }
        },
        None => html! { "–" },
    }
}

fn errors(told: Option<&TreePeer>) -> Markup {
    let Some(told) = told else { return html! { "–" } };
    match failed(&told.unsettled) {
        0 => html! { "0" },
        failed => html! { span.bad { (failed) } },
    }
}

/// What the tree says of the daemon; of that of this peer, what it says itself where the tree does not.
fn daemon(told: Option<&TreePeer>, own: Option<&Kubo>) -> Markup {
    if let Some(Kubo::Silent { error }) = own {
        return html! { span.bad { "silent" } ": " (text(error)) };
    }
    match told.and_then(|told| told.daemon.as_ref()) {
        Some(Daemon::Kubo { .. }) => html! { span.good { "Kubo" } },
        Some(Daemon::Cluster { tree }) => {
            let health = Health::of(tree);
            let class = if health == Health::Ok { "good" } else { "bad" };
            html! { "cluster " (text(&tree.name)) ": " span class=(class) { (health.as_str()) } }
        }
        Some(Daemon::GoCluster { .. }) => html! { span.good { "cluster" } " of Go" },
        Some(Daemon::Untold { .. }) => html! { span.good { "answers" } },
        Some(Daemon::Unknown { error }) => html! { span.bad { "unknown" } ": " (text(error)) },
        None if own.is_some() => html! { span.good { "answers" } },
        None => html! { "–" },
    }
}

/// The name of a peer in the table, by its id; the id for one that is not in it.
pub(super) fn name_of(peers: &[PeerHealth], id: &common::ids::PeerId) -> Markup {
    match peers.iter().find(|peer| peer.peer == *id) {
        Some(peer) => text(&peer.peername),
        None => html! { span.id { (id) } },
    }
}

/// A time in nanoseconds since 1970, as metrics carry it.
pub(super) fn nanos(time: i64) -> WireTime {
    WireTime::from_millis(u64::try_from(time / 1_000_000).unwrap_or(0))
}
