//! Figures for Prometheus, read when they are asked for from where `status` and `health` read them.
//!
//! Nothing is counted for this page alone, so there is no registry: `families` is the table of what
//! there is, `figures` what was found, `page` the text.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use clusterd_core::effect::Answer;
use clusterd_core::input::Input;
use common::api::error::ApiError;
use tokio::time::timeout;

use super::refusal::unexpected;
use super::reply::Answered;
use super::rest::health::{one, told};
use super::room::{Room, VERSION};

mod families;
mod figures;
mod page;
mod process;

use figures::{Figures, History, Node, Work};
pub use process::note_start;

/// The format of the page. Source: Prometheus, "Exposition formats", text-based format.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The node and Kubo answer in this time, or the page goes without what they would have said. Prometheus
/// itself waits ten seconds.
const ANSWER_MAX: Duration = Duration::from_secs(4);

pub(super) async fn scrape(State(room): State<Arc<Room>>) -> Answered {
    let stored = Arc::clone(&room.stored_bytes);
    let (node, kubo, stored_bytes) = tokio::join!(
        timeout(ANSWER_MAX, node(&room)),
        timeout(ANSWER_MAX, room.kubo.id()),
        // It may wait for a commit.
        timeout(ANSWER_MAX, tokio::task::spawn_blocking(move || stored())),
    );
    let figures = Figures {
        version: VERSION,
        peer: room.me.peer,
        peername: room.me.peername.clone(),
        counts: room.counts.borrow().clone(),
        members: room.members.borrow().len(),
        node: node.ok().and_then(Result::ok),
        ipfs_answers: matches!(kubo, Ok(Ok(_))),
        network: room.others.figures(),
        traffic: room.others.traffic(),
        stored_bytes: stored_bytes.ok().and_then(Result::ok).flatten(),
        process: process::read(),
        now: room.door.now(),
    };
    Ok(([(CONTENT_TYPE, FORMAT)], figures.page()).into_response())
}

async fn node(room: &Room) -> Result<Node, ApiError> {
    let members = told(room).await?;
    let peers = members.known().into_iter().map(|peer| one(room, &members, peer)).collect();
    let asked = room.door.answer(|waiter| Input::Operations { waiter }).await?;
    let Answer::Operations { running, waiting, away } = asked else { return Err(unexpected()) };
    let asked = room.door.answer(|waiter| Input::History { waiter }).await?;
    let Answer::History { heads, fetching, missing } = asked else { return Err(unexpected()) };
    Ok(Node {
        peers,
        alerted: members.alerted(),
        run_out: members.run_out(),
        work: Work { running: running.len(), waiting, away: away.map(|(since, _)| since) },
        history: History { heads: heads.len(), fetching, missing },
    })
}
