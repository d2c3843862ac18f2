//! The page as HTML. `maud` escapes every text that is put in.

use maud::{DOCTYPE, Markup, html};

use super::super::room::VERSION;
use super::seen::{KnownTree, Kubo, Seen};
use super::words::{at, pins, size, text};

mod peers;
mod tables;
mod tree;

/// The stylesheet: the page's own, then that of the picture.
pub(super) fn style() -> String {
    format!("{}\n{}", include_str!("style.css"), common::tree::STYLE)
}

/// A part of the page that the script replaces when it has changed.
fn part(name: &str, inside: Markup) -> Markup {
    html! { div data-part=(name) { (inside) } }
}

/// A part that may be wider than the screen, and is then moved with the keys as well.
fn wide(name: &str, label: &str, inside: Markup) -> Markup {
    html! {
        div.wide role="region" aria-label=(label) tabindex="0" { (part(name, inside)) }
    }
}

/// The whole page.
pub(super) fn document(seen: &Seen, tree: &KnownTree) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-version=(VERSION) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Cluster " (seen.me.cluster_name) }
                link rel="icon" type="image/svg+xml" href="/status/icon.svg";
                link rel="stylesheet" href="/status/style.css";
                script src="/status/script.js" defer {}
            }
            body {
                header { (head(seen)) }
                main {
                    section aria-label="At a glance" { (part("glance", glance(seen, tree))) }
                    section aria-labelledby="tree" {
                        h2 #tree { "Tree" }
                        (tree::tree(tree))
                    }
                    section aria-labelledby="peers" {
                        h2 #peers { "Peers" }
                        (wide("peers", "Table of peers", peers::peers(seen, tree)))
                    }
                    section aria-labelledby="pins" {
                        h2 #pins { "Pins by state" }
                        (wide("pins", "Table of pins by state", tables::pins_by_state(seen, tree)))
                    }
                    section aria-labelledby="errors" {
                        h2 #errors { "Recent errors at this peer" }
                        (wide("errors", "Table of recent errors", tables::errors(seen)))
                    }
                    section aria-labelledby="alerts" {
                        h2 #alerts { "Newest alerts" }
                        (wide("alerts", "Table of alerts", tables::alerts(seen)))
                    }
                }
                footer {
                    p { "Read-only. The same and more: " code { "clusterdctl health" } ", "
                        code { "clusterdctl tree" } ", " code { "clusterdctl status --filter error" } "." }
                }
            }
        }
    }
}

fn head(seen: &Seen) -> Markup {
    html! {
        h1 { "Cluster " (text(&seen.me.cluster_name)) }
        p.of {
            "as " strong { (text(&seen.me.peername)) } " sees it · clusterd " (VERSION)
            @if seen.me.is_follower { " · follower" }
            br;
            span.id { (seen.me.peer) }
        }
        p.fresh {
            span data-part="made" { "As of " (at(seen.now)) }
            noscript { ". Load the page again for what is new." }
            " " span #lost role="status" {}
        }
    }
}

/// One figure with its name.
fn figure(name: &str, value: &str, is_trouble: bool, more: Markup) -> Markup {
    html! {
        div.figure.trouble[is_trouble] {
            dt { (name) }
            dd { strong { (value) } span { (more) } }
        }
    }
}

fn glance(seen: &Seen, tree: &KnownTree) -> Markup {
    let failed = tables::failed(&seen.counts.unsettled);
    let waiting = seen.counts.unsettled.values().sum::<u64>().saturating_sub(failed);
    html! {
        @if let Some(tree) = tree.tree() && !tree.refuses.is_empty() {
            p.note.bad { "New pins are refused: " (text(&tree.refuses)) }
        }
        dl.glance {
            @if let Some(node) = &seen.node {
                @let members = node.peers.iter().filter(|peer| peer.member).count();
                @let silent = node.peers.len() - members;
                (figure("Members", &members.to_string(), silent > 0, html! {
                    @if silent > 0 { (silent) " silent" } @else { "all there" }
                }))
            } @else {
                (figure("Members", "?", true, html! { "no answer in time" }))
            }
            (figure("Pins", &seen.counts.pins.to_string(), false, html! {
                @if waiting > 0 { (waiting) " on the way here" } @else { "in the pinset" }
            }))
            (figure("Errors here", &failed.to_string(), failed > 0, html! {
                @if failed > 0 { "tried again" } @else { "nothing failed" }
            }))
            (room(seen, tree))
            (kubo(&seen.kubo))
            @if let Some(bytes) = seen.stored_bytes {
                (figure("State on disk", &size(bytes), false, html! {
                    @if seen.counts.refused > 0 { (seen.counts.refused) " writes refused" } @else { "of this clusterd" }
                }))
            }
        }
        @if let Some(node) = &seen.node {
            @if node.running > 0 || node.waiting > 0 {
                p.note { (pins(node.running as u64)) " being worked on here, " (node.waiting) " waiting." }
            }
        }
    }
}

fn kubo(kubo: &Kubo) -> Markup {
    match kubo {
        Kubo::Answers => figure("IPFS daemon here", "answers", false, html! {}),
        Kubo::Silent { error } => figure("IPFS daemon here", "silent", true, text(error)),
    }
}

/// What new content may take, and what all daemons together have left for its copies.
fn room(seen: &Seen, tree: &KnownTree) -> Markup {
    let all = free(seen).map(size);
    let room = tree.tree().and_then(|tree| tree.free);
    html! {
        @if let (Some(room), Some(all)) = (room, &all) {
            (figure("Room for content", &size(room), room == 0, html! { (all) " with copies" }))
        } @else if let Some(all) = all {
            (figure("Free", &all, false, html! { "on all members" }))
        }
    }
}

/// What the daemons of all members may still take; `None` while none tells.
fn free(seen: &Seen) -> Option<u64> {
    let members = seen.node.as_ref()?.peers.iter().filter(|peer| peer.member);
    members.filter_map(|peer| peer.freespace).reduce(u64::saturating_add)
}
