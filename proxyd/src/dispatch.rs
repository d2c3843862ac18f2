//! Decides for each request: refuse it, answer it ourselves, or pass it on.

use std::sync::Arc;

use crate::exchange::Exchange;
use crate::guard::Passage;
use crate::{intercept, relay, reply, ring};

/// Answers one request, in whichever way.
pub async fn serve(exchange: &mut Exchange) {
    let worker = Arc::clone(&exchange.worker);
    if ring::is_asked(&exchange.head) && exchange.door.stranger.is_none() {
        return Box::pin(ring::answer(exchange)).await;
    }
    let guard = &worker.context.guard;
    let mut edits = match guard.passage(&exchange.head, exchange.door, &worker.upstream).await {
        Passage::Open(edits) => edits,
        Passage::Refused(refusal) => {
            if refusal.send(exchange).await.is_err() {
                exchange.reply.abort();
            }
            return;
        }
    };
    let found = intercept::find(&exchange.head);
    if let Some(words) = intercept::looped(found.as_ref(), &worker.context.ring) {
        let sent = reply::unavailable(exchange, intercept::LOOP_DETECTED, &words).await;
        if sent.is_err() {
            exchange.reply.abort();
        }
        return;
    }
    match found {
        // Boxed, as passing on is the common way and needs less room.
        Some(found) => {
            edits.target = intercept::settled_target(&found, &exchange.head);
            Box::pin(intercept::serve(found, exchange, &edits)).await;
        }
        None => relay::forward(exchange, &edits).await,
    }
}
