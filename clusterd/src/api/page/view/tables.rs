//! Pins by state, what failed, and what ran out.

use std::collections::BTreeMap;

use common::api::health::AlertJson;
use common::api::tree::TreePeer;
use common::status::PinStatus;
use maud::{Markup, html};

use super::super::super::room::Counts;
use super::super::failures::{Failure, LOOKED_AT_MAX, SHOWN_MAX};
use super::super::seen::{KnownTree, Seen};
use super::super::words::{ago, or_dash, text};
use super::peers::{name_of, nanos};

/// Pins that failed and are tried again, of those that are not as wanted.
pub(super) fn failed(unsettled: &BTreeMap<PinStatus, u64>) -> u64 {
    let failed = [PinStatus::ClusterError, PinStatus::PinError, PinStatus::UnpinError];
    failed.iter().filter_map(|status| unsettled.get(status)).sum()
}

/// Pins whose state at this peer is what their records say: held, or left to others.
fn settled(counts: &Counts) -> u64 {
    let wanting = [
        PinStatus::PinError,
        PinStatus::PinQueued,
        PinStatus::Pinning,
        PinStatus::UnexpectedlyUnpinned,
    ];
    let wanting = wanting.iter().filter_map(|status| counts.unsettled.get(status)).sum();
    counts.pins.saturating_sub(wanting)
}

/// The states that differ from what is wanted, with how many pins are in each: here, and as the other
/// members tell.
pub(super) fn pins_by_state(seen: &Seen, tree: &KnownTree) -> Markup {
    let told = tree.peers();
    let others = told.values().filter(|peer| peer.peer != seen.me.peer);
    let others: Vec<&TreePeer> = others.copied().collect();
    let elsewhere = |status: PinStatus| {
        others.iter().filter_map(|peer| peer.unsettled.get(&status)).sum::<u64>()
    };
    let here = |status: PinStatus| seen.counts.unsettled.get(&status).copied().unwrap_or(0);
    let states: Vec<PinStatus> = PinStatus::ALL
        .into_iter()
        .filter(|status| here(*status) > 0 || elsewhere(*status) > 0)
        .collect();
    html! {
        table {
            thead {
                tr {
                    th scope="col" { "State" }
                    th.number scope="col" { "At this peer" }
                    th.number scope="col" { "At the others" }
                }
            }
            tbody {
                tr {
                    th scope="row" { "in the pinset" }
                    td.number { (seen.counts.pins) }
                    td.number { "the same" }
                }
                tr {
                    th scope="row" { "as wanted" }
                    td.number { (settled(&seen.counts)) }
                    td.number { "–" }
                }
                @for status in &states {
                    tr {
                        th scope="row" { (status.as_str().replace('_', " ")) }
                        td.number { (here(*status)) }
                        td.number { (elsewhere(*status)) }
                    }
                }
            }
        }
    }
}

/// The newest failures here.
pub(super) fn errors(seen: &Seen) -> Markup {
    let Some(failures) = &seen.failures else {
        return html! { p.none { "The store did not answer in time." } };
    };
    if failures.newest.is_empty() {
        return html! { p.none { "None." } };
    }
    html! {
        table {
            thead {
                tr {
                    th scope="col" { "Pin" }
                    th scope="col" { "State" }
                    th scope="col" { "Since" }
                    th.number scope="col" { "Attempts" }
                    th scope="col" { "Reason" }
                }
            }
            tbody { @for failure in &failures.newest { (error(failure, seen)) } }
        }
        @if failures.is_partial {
            p.note { "Newest of the first " (LOOKED_AT_MAX) " that are not as wanted." }
        } @else if failures.newest.len() >= SHOWN_MAX {
            p.note { "The newest " (SHOWN_MAX) "." }
        }
    }
}

fn error(failure: &Failure, seen: &Seen) -> Markup {
    html! {
        tr {
            th scope="row" {
                @if !failure.name.is_empty() { (text(&failure.name)) }
                span.id { (failure.cid) }
            }
            td { span.bad { (failure.status.as_str().replace('_', " ")) } }
            td { (ago(failure.since, seen.now)) }
            td.number { (failure.attempts) }
            td.long { (or_dash(&failure.error)) }
        }
    }
}

/// The newest metrics that ran out.
pub(super) fn alerts(seen: &Seen) -> Markup {
    let Some(node) = &seen.node else {
        return html! { p.none { "The node did not answer in time." } };
    };
    if node.alerts.is_empty() {
        return html! { p.none { "None." } };
    }
    html! {
        table {
            thead {
                tr {
                    th scope="col" { "What ran out" }
                    th scope="col" { "Peer" }
                    th scope="col" { "Ran out" }
                    th scope="col" { "Noticed" }
                }
            }
            tbody {
                @for AlertJson { metric, triggered_at } in &node.alerts {
                    tr {
                        th scope="row" { (text(&metric.name)) }
                        td { (name_of(&node.peers, &metric.peer)) }
                        td { (ago(nanos(metric.expire), seen.now)) }
                        td { (ago(*triggered_at, seen.now)) }
                    }
                }
            }
        }
        @if node.alerts_left > 0 { p.note { "And " (node.alerts_left) " older ones." } }
    }
}
