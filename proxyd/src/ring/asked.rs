//! Answers another proxyd that asks which way its requests go.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use common::ids::RequestId;
use common::kubo::query;
use tokio::time::timeout;

use super::route::{End, Route, ask};
use super::{HOPS_MAX, PATH, Ring};
use crate::exchange::Exchange;
use crate::h1::head::RequestHead;
use crate::reply;
use crate::upstream::Upstream;

/// Whether it is such a question, in the one form in which a proxyd puts it.
#[must_use]
pub fn is_asked(head: &RequestHead) -> bool {
    let behind = head.target().strip_prefix(PATH.as_bytes());
    head.method() == b"POST" && behind.is_some_and(|rest| matches!(rest.first(), None | Some(b'?')))
}

/// Questions of others wait so long for their turn. Two that each wait for the other one end so.
const TURN_WITHIN: Duration = Duration::from_millis(100);

/// Answers the question. It needs no token, as the proxyd that asks has none: it changes nothing. Where
/// tokens are asked for, one without is told ids alone, and not where proxyds listen. A web page gets no
/// answer.
pub async fn answer(exchange: &mut Exchange) {
    let worker = Arc::clone(&exchange.worker);
    let sent = match path(&exchange.head) {
        Err((status, words)) => reply::unavailable(exchange, status, &words).await,
        Ok(path) => {
            let mut route = worker.context.ring.route(path, &worker.upstream).await;
            if !worker.context.guard.trusts(&exchange.head) {
                route.conceal();
            }
            send(exchange, &route).await
        }
    };
    if sent.is_err() {
        exchange.reply.abort();
    }
}

impl Ring {
    /// The way from here on of what has passed these.
    async fn route(&self, mut path: Vec<RequestId>, upstream: &Arc<Upstream>) -> Route {
        let mut route = if path.contains(&self.id) {
            Route::to(End::Ring)
        } else if path.len() > HOPS_MAX {
            Route::to(End::TooLong)
        } else {
            path.push(self.id);
            // One at a time, so that nobody makes this proxyd put many questions at once.
            match timeout(TURN_WITHIN, self.turn.acquire()).await {
                Ok(Ok(_turn)) => ask(&path, upstream).await,
                Ok(Err(_)) | Err(_) => Route::to(End::Untold),
            }
        };
        route.hops.insert(0, self.hop());
        route
    }
}

/// The ids that the question names.
fn path(head: &RequestHead) -> Result<Vec<RequestId>, (u16, String)> {
    let agent = head.header("User-Agent").unwrap_or_default();
    let from_page = ["Origin", "Referer"].iter().any(|name| head.header(name).is_some());
    if from_page || agent.starts_with(b"Mozilla") {
        return Err((403, "proxyds alone ask here".to_owned()));
    }
    let target = String::from_utf8_lossy(head.target());
    let pairs = query::pairs(target.split_once('?').map_or("", |(_, query)| query));
    let text = pairs.iter().find(|pair| pair.key == "path").map_or("", |pair| pair.value.as_str());
    // One more is taken, to be told that it is too long.
    let ids: Option<Vec<_>> = text.split(',').take(HOPS_MAX + 2).map(RequestId::parse).collect();
    match ids {
        Some(ids) if ids.len() <= HOPS_MAX + 1 => Ok(ids),
        Some(_) | None => {
            let words = format!(
                "path: give the ids of the proxyds that were passed, 32 hex digits each, with commas between, at most {}",
                HOPS_MAX + 1
            );
            Err((400, words))
        }
    }
}

async fn send(exchange: &mut Exchange, route: &Route) -> io::Result<()> {
    let json = serde_json::to_vec(route).map_err(io::Error::other)?;
    reply::settle_body(exchange).await;
    exchange.whole(200, &[("Content-Type", b"application/json")], &json).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(target: &str, fields: &str) -> RequestHead {
        let text = format!("POST {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        RequestHead::parse(text.as_bytes()).unwrap().unwrap().0
    }

    #[test]
    fn the_question_has_one_form() {
        assert!(is_asked(&head("/api/v0/cluster/via?path=x", "")));
        assert!(is_asked(&head("/api/v0/cluster/via", "")));
        for other in ["/api/v0/cluster/viaduct", "/api/v0/cluster/via/x", "/api/v0/id"] {
            assert!(!is_asked(&head(other, "")), "{other}");
        }
    }

    #[test]
    fn ids_are_read_and_pages_are_refused() {
        let id = RequestId::from_bits(7);
        let target = format!("{PATH}?path={id},{id}");
        assert_eq!(path(&head(&target, "")).unwrap(), [id, id]);
        for field in ["Origin: x\r\n", "Referer: x\r\n", "User-Agent: Mozilla/5.0\r\n"] {
            assert_eq!(path(&head(&target, field)).unwrap_err().0, 403);
        }
        let long = format!("{PATH}?path={}", vec![id.to_string(); HOPS_MAX + 2].join(","));
        for bad in [PATH, "/api/v0/cluster/via?path=zz", &long] {
            assert_eq!(path(&head(bad, "")).unwrap_err().0, 400, "{bad}");
        }
    }
}
