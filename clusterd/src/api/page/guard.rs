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

/// Refuses requests whose Host is not this machine: a stranger's name that points to it (DNS rebinding)
/// would make the page one of the stranger's origin, which his scripts may read.
pub(super) async fn of_this_machine(request: Request, next: Next) -> Response {
    let is_ours = host(request.headers()).is_some_and(|host| is_loopback(&host));
    // A request that names its target as a whole URL is held to that name, too.
    let target = request.uri().authority();
    if is_ours && target.is_none_or(is_loopback) {
        return next.run(request).await;
    }
    (StatusCode::MISDIRECTED_REQUEST, STRANGE).into_response()
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
