//! The status page: read-only HTML for people, which works without JavaScript and renews itself with it.
//!
//! `seen` gathers what is known within a bounded time, `view` writes it. Everything that comes from other
//! peers goes through the templates, which escape it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{from_fn, map_response};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use tokio::sync::Mutex;

use super::room::Room;

mod failures;
mod guard;
mod seen;
mod view;
mod words;

use seen::KnownTree;

/// Where the page is.
const PATH: &str = "/status";
const STYLE_PATH: &str = "/status/style.css";
const SCRIPT_PATH: &str = "/status/script.js";
const ICON_PATH: &str = "/status/icon.svg";

/// For so long one rendering serves all who look.
const SHARED_FOR: Duration = Duration::from_secs(1);

/// Nothing but the page's own files runs, is shown or is asked, and nobody else may frame it.
/// Source: W3C, "Content Security Policy Level 3".
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const SEALS: [(HeaderName, &str); 5] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
    // No page of another origin may load a part of it, not even without being able to read it.
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The page and what it remembers between two looks.
struct Page {
    room: Arc<Room>,
    /// Held while a page is made, so that only one is made at a time.
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    page: Option<(Instant, Bytes)>,
    tree: KnownTree,
}

impl Page {
    /// The newest page; makes one when the last is old. Cancel-safe: a page that nobody waits for any more
    /// is not made.
    async fn html(&self) -> Bytes {
        let mut kept = self.kept.lock().await;
        if let Some((made, page)) = &kept.page
            && made.elapsed() < SHARED_FOR
        {
            return page.clone();
        }
        let seen = seen::look(&self.room, &mut kept.tree).await;
        let page = Bytes::from(view::document(&seen, &kept.tree).into_string());
        kept.page = Some((Instant::now(), page.clone()));
        page
    }
}

/// The page on a socket that also serves other things.
pub(super) fn routes(room: Arc<Room>) -> Router {
    let page = Arc::new(Page { room, kept: Mutex::default() });
    let style = || async { file("text/css; charset=utf-8", view::style()) };
    let script =
        || async { file("text/javascript; charset=utf-8", include_str!("page/script.js")) };
    let icon = || async { file("image/svg+xml", include_str!("page/icon.svg")) };
    Router::new()
        .route(PATH, only_read(get(html)))
        .route(STYLE_PATH, only_read(get(style)))
        .route(SCRIPT_PATH, only_read(get(script)))
        .route(ICON_PATH, only_read(get(icon)))
        .with_state(page)
        .layer(map_response(sealed))
}

/// The page on a TCP port of its own, where a browser might be sent by a stranger's name for this machine.
pub(super) fn port(room: Arc<Room>) -> Router {
    routes(room)
        .route("/", only_read(get(|| async { Redirect::temporary(PATH) })))
        .fallback(nothing_there)
        .layer(from_fn(guard::of_this_machine))
        .layer(map_response(sealed))
}

fn only_read<S: Clone + Send + Sync + 'static>(route: MethodRouter<S>) -> MethodRouter<S> {
    route.fallback(|| async {
        (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")], "this page can only be read\n")
    })
}

async fn nothing_there() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "there is nothing here but /status\n")
}

async fn html(State(page): State<Arc<Page>>) -> Response {
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], page.html().await).into_response()
}

fn file(kind: &'static str, text: impl IntoResponse) -> Response {
    ([(CONTENT_TYPE, kind)], text).into_response()
}

async fn sealed(mut response: Response) -> Response {
    for (name, value) in SEALS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
