//! The table of verbs as a router: each verb has one handler, each socket its scope.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use common::api::error::{ApiError, ErrorCode};
use common::api::proxy::BODY_BYTES_MAX;
use common::api::{self, ROUTES, Route, Scope};

use super::reply::Failure;
use super::room::Room;
use super::{page, prometheus, proxy, rest};

/// The router of the socket that admits `scope`.
pub(super) fn router(room: Arc<Room>, scope: Scope) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let admitted = scope == Scope::Control || route.scope == Scope::Proxy;
        let Some(method) = method(route) else { continue };
        let handler = match handler(route, method) {
            Some(handler) if admitted => handler,
            Some(_) => on(method, forbidden),
            None => continue,
        };
        router = router.route(route.path, handler);
    }
    let router = router
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(map_response(worded))
        .with_state(Arc::clone(&room));
    match scope {
        Scope::Control => router.merge(page::routes(room)),
        Scope::Proxy => router,
    }
}

/// The router of the port that shows figures: it has one page.
pub(super) fn figures(room: Arc<Room>) -> Router {
    Router::new()
        .route(api::PROMETHEUS.path, on(MethodFilter::GET, prometheus::scrape))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .with_state(room)
}

fn method(route: &Route) -> Option<MethodFilter> {
    match route.method {
        "GET" => Some(MethodFilter::GET),
        "POST" => Some(MethodFilter::POST),
        "DELETE" => Some(MethodFilter::DELETE),
        _ => None,
    }
}

fn handler(route: &Route, method: MethodFilter) -> Option<MethodRouter<Arc<Room>>> {
    Some(match *route {
        api::PROXY_PIN_ADD => on(method, proxy::add::pin_add),
        api::PROXY_PIN_RM => on(method, proxy::change::pin_rm),
        api::PROXY_PIN_UPDATE => on(method, proxy::change::pin_update),
        api::PROXY_PIN_LS => on(method, proxy::list::pin_ls),
        api::PROXY_PIN_LOOKUP => on(method, proxy::list::pin_lookup),
        api::PROXY_PIN_ALLOWED => on(method, proxy::change::pin_allowed),
        api::PROXY_REPO_STAT => on(method, proxy::repo::repo_stat),
        api::PROXY_REPO_GC => on(method, proxy::repo::repo_gc),
        api::PROXY_UNPINNED => on(method, proxy::repo::unpinned),
        api::TREE => on(method, rest::tree::tree),
        api::ID => on(method, rest::peers::id),
        api::VERSION => on(method, rest::peers::version),
        api::PEERS => on(method, rest::peers::peers),
        api::PEER_RM => on(method, rest::peers::remove),
        api::ALLOCATIONS => on(method, rest::records::allocations),
        api::ALLOCATION => on(method, rest::records::allocation),
        api::STATUS_ALL => on(method, rest::status::status_all),
        api::STATUS => on(method, rest::status::status),
        api::PIN => on(method, rest::pins::pin),
        api::UNPIN => on(method, rest::pins::unpin),
        api::PIN_PATH => on(method, rest::pins::pin_path),
        api::UNPIN_PATH => on(method, rest::pins::unpin_path),
        api::ADD => on(method, rest::add::add).layer(DefaultBodyLimit::disable()),
        api::RECOVER => on(method, rest::status::recover),
        api::RECOVER_ALL => on(method, rest::status::recover_all),
        api::REPO_GC => on(method, rest::peers::collect),
        api::IMPORT => on(method, rest::import::import).layer(DefaultBodyLimit::disable()),
        api::ADOPT => on(method, rest::adopt::adopt),
        api::REPIN => on(method, rest::repin::repin),
        api::HISTORY => on(method, rest::history::history),
        api::SUMMARY => on(method, rest::peers::summary),
        api::HEALTH => on(method, rest::health::alive),
        api::GRAPH => on(method, rest::graph::graph),
        api::ALERTS => on(method, rest::health::alerts),
        api::BANDWIDTH => on(method, rest::health::bandwidth),
        api::METRIC_NAMES => on(method, rest::health::metric_names),
        api::METRICS => on(method, rest::health::metrics),
        api::PEERS_HEALTH => on(method, rest::health::health),
        api::PROMETHEUS => on(method, prometheus::scrape),
        _ => return None,
    })
}

async fn forbidden() -> Failure {
    Failure(ApiError::new(ErrorCode::Forbidden, "this verb is for the control socket"))
}

async fn unknown() -> Failure {
    Failure(ApiError::new(ErrorCode::NotFound, "there is no such verb"))
}

/// The body limit answers in plain text; callers read errors of ours alone.
async fn worded(response: Response) -> Response {
    if response.status() != StatusCode::PAYLOAD_TOO_LARGE {
        return response;
    }
    let words = format!("the call is longer than {BODY_BYTES_MAX} bytes: ask for less at a time");
    let status = StatusCode::PAYLOAD_TOO_LARGE.as_u16();
    Failure(ApiError { status, ..ApiError::new(ErrorCode::BadRequest, words) }).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_is_too_long_is_refused_in_words_that_callers_read() {
        let answer = worded(StatusCode::PAYLOAD_TOO_LARGE.into_response()).await;
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let body = axum::body::to_bytes(answer.into_body(), 4096).await.unwrap();
        let error: ApiError = serde_json::from_slice(&body).unwrap();
        assert_eq!((error.status, error.reason), (413, ErrorCode::BadRequest));
        assert!(error.message.contains("4194304 bytes"), "{error}");
    }

    #[test]
    fn every_verb_has_a_handler() {
        for route in ROUTES {
            let handler = method(route).and_then(|method| handler(route, method));
            assert!(handler.is_some(), "{route:?}");
        }
    }
}
