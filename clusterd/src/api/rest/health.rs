//! What the peers told lately, and what ran out, in the shape of the ipfs-cluster REST API.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use clusterd_core::effect::Answer;
use clusterd_core::input::{Input, Time};
use clusterd_core::members::{self, Alert, Members, Metric};
use common::api::error::ApiError;
use common::api::health::{AlertJson, Health, MetricJson, PeerHealth};
use common::api::time::WireTime;
use common::ids::PeerId;

use super::super::refusal::unexpected;
use super::super::reply::{Answered, json, nothing};
use super::super::room::Room;
use super::peers::summed_up;

/// Bytes that a peer's Kubo may still take.
const FREESPACE: &str = "freespace";
/// Pins that wait at a peer.
const PINQUEUE: &str = "pinqueue";
/// In front of a tag's name.
const TAG_PREFIX: &str = "tag:";

/// That there is an answer says it all, as in Go.
pub(in super::super) async fn alive() -> Response {
    nothing()
}

pub(in super::super) async fn metric_names(State(room): State<Arc<Room>>) -> Answered {
    let members = told(&room).await?;
    json(&members.names())
}

pub(in super::super) async fn metrics(
    State(room): State<Arc<Room>>,
    Path(name): Path<String>,
) -> Answered {
    let members = told(&room).await?;
    let now = room.door.now();
    let of_members = members.of_name(&name, now).filter(|one| members.is_member(&one.peer, now));
    json(&of_members.map(metric).collect::<Vec<_>>())
}

pub(in super::super) async fn alerts(State(room): State<Arc<Room>>) -> Answered {
    let members = told(&room).await?;
    json(&members.alerts().map(alert).collect::<Vec<_>>())
}

pub(in super::super) async fn bandwidth(State(room): State<Arc<Room>>) -> Answered {
    json(&room.others.traffic())
}

pub(in super::super) async fn health(State(room): State<Arc<Room>>) -> Answered {
    let (summary, members) = tokio::join!(summed_up(&room), told(&room));
    let (summary, members) = (summary?, members?);
    let peers = members.known().into_iter().map(|peer| one(&room, &members, peer)).collect();
    json(&Health { summary, peers, alerts: members.alerts().map(alert).collect() })
}

/// All that the peers told.
pub(in super::super) async fn told(room: &Room) -> Result<Box<Members>, ApiError> {
    let answer = room.door.answer(|waiter| Input::Members { waiter }).await?;
    let Answer::Members(members) = answer else { return Err(unexpected()) };
    Ok(members)
}

/// One peer, as others see it from here.
pub(in super::super) fn one(room: &Room, members: &Members, peer: PeerId) -> PeerHealth {
    let now = room.door.now();
    let number =
        |name: &str| -> Option<u64> { members.current(&peer, name, now)?.value.parse().ok() };
    let tags = members.of_peer(&peer, now).filter_map(|metric| {
        Some((metric.name.strip_prefix(TAG_PREFIX)?.to_owned(), metric.value.clone()))
    });
    let is_us = peer == room.me.peer;
    let time = |time: Option<Time>| time.map_or(WireTime::NONE, |at| WireTime::from_millis(at.0));
    PeerHealth {
        peer,
        peername: if is_us { room.me.peername.clone() } else { room.others.name(&peer) },
        member: members.is_member(&peer, now),
        pinged: time(members.newest(&peer, members::PING).map(|ping| ping.received)),
        silent_since: time(members.silent_since(&peer, now).filter(|_| !is_us)),
        freespace: number(FREESPACE),
        pinqueue: number(PINQUEUE),
        tags: tags.collect::<BTreeMap<_, _>>(),
    }
}

fn metric(metric: &Metric) -> MetricJson {
    MetricJson {
        name: metric.name.clone(),
        peer: metric.peer,
        value: metric.value.clone(),
        expire: nanos(metric.expires),
        valid: metric.is_valid,
        weight: metric.weight,
        partitionable: metric.is_group,
        received_at: nanos(metric.received),
    }
}

pub(in super::super) fn alert(alert: &Alert) -> AlertJson {
    let triggered_at = WireTime::from_millis(alert.noticed.0);
    AlertJson { metric: metric(&alert.metric), triggered_at }
}

fn nanos(time: Time) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX).saturating_mul(1_000_000)
}
