//! Who may look on the TCP port: a browser that was sent to this machine by its own name.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const STRANGE: &str = "call this page by 127.0.0.1, [::1] or localhost: under another name, a page of a \
    stranger in the same browser could read it\n";

const CROSS_SITE: &str = "a page of another site has sent you here: give the address of this page in the \
    address bar instead\n";

/// What browsers tell of the page that made a request. Source: W3C, "Fetch Metadata Request Headers".
const FETCH_SITE: &str = "sec-fetch-site";

/// Refuses requests whose Host is not this machine: a stranger's name that points to it (DNS rebinding)
/// would make the page one of the stranger's origin, which his scripts may read. And those that a browser makes
/// for a page of another site: it could not read the answer, but make us work for it.
pub(super) async fn of_this_machine(request: Request, next: Next) -> Response {
    let is_ours = host(request.headers()).is_some_and(|host| is_loopback(&host));
    // A request that names its target as a whole URL is held to that name, too.
    let target = request.uri().authority();
    if !is_ours || !target.is_none_or(is_loopback) {
        return (StatusCode::MISDIRECTED_REQUEST, STRANGE).into_response();
    }
    if is_cross_site(request.headers()) {
        return (StatusCode::FORBIDDEN, CROSS_SITE).into_response();
    }
    next.run(request).await
}

/// Programs that are no browsers, and old ones, say nothing here.
fn is_cross_site(headers: &HeaderMap) -> bool {
    headers.get_all(FETCH_SITE).iter().any(|site| site == "cross-site")
}

/// The one Host header.
fn host(headers: &HeaderMap) -> Option<Authority> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next()?.to_str().ok()?.parse().ok()?;
    hosts.next().is_none().then_some(host)
}

fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host();
    let has_user = authority.as_str().contains('@');
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_this = address
        .parse()
        .map_or(host.eq_ignore_ascii_case("localhost"), |ip: IpAddr| ip.is_loopback());
    is_this && !has_user
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn is_let_in(hosts: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_static(host));
        }
        host(&headers).is_some_and(|host| is_loopback(&host))
    }

    #[test]
    fn only_pages_of_other_sites_are_told_apart() {
        let sent = |site: &'static str| {
            is_cross_site(&HeaderMap::from_iter([(
                axum::http::HeaderName::from_static(FETCH_SITE),
                HeaderValue::from_static(site),
            )]))
        };
        assert!(sent("cross-site") && !is_cross_site(&HeaderMap::new()));
        // As typed, as reloaded by the page itself, and from another port of this machine.
        for site in ["none", "same-origin", "same-site"] {
            assert!(!sent(site), "{site}");
        }
    }

    #[test]
    fn names_of_this_machine_are_let_in_with_any_port() {
        for name in
            ["127.0.0.1", "127.0.0.1:9097", "127.9.9.9:1", "[::1]", "[::1]:80", "LocalHost:9097"]
        {
            assert!(is_let_in(&[name]), "{name}");
        }
    }

    #[test]
    fn other_names_and_tricks_with_them_are_not() {
        for name in [
            "evil.example",
            "evil.example:9097",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "127.0.0.1@evil.example",
            "evil.example@127.0.0.1",
            "10.0.0.1",
            "[::2]:80",
            "0.0.0.0",
            "",
            "local host",
        ] {
            assert!(!is_let_in(&[name]), "{name}");
        }
        assert!(!is_let_in(&[]));
        assert!(!is_let_in(&["127.0.0.1", "evil.example"]));
        assert!(!is_let_in(&["evil.example", "127.0.0.1"]));
    }
}
