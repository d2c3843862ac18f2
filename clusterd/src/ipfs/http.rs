//! Connections to Kubo: over TCP or a Unix socket, kept alive.

use std::path::Path;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyperlocal::UnixConnector;

use super::address::Address;
use super::form::Body;

/// Time for a connection to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections kept open between calls; as many as operations run at a time by default, doubled.
const IDLE_CONNECTIONS_MAX: usize = 32;

/// How long an unused connection is kept.
const IDLE_FOR: Duration = Duration::from_secs(60);

/// The way to one Kubo. Clones share connections.
#[derive(Clone)]
pub(super) enum Http {
    Tcp(legacy::Client<HttpConnector, Body>),
    Unix(legacy::Client<UnixConnector, Body>),
}

impl Http {
    /// The way to an address, and the authority of its URLs; nothing is connected yet.
    pub(super) fn to(address: &Address) -> (Self, String) {
        match address {
            Address::Ip(ip, port) => (tcp(), std::net::SocketAddr::new(*ip, *port).to_string()),
            Address::Name(name, port) => (tcp(), format!("{name}:{port}")),
            Address::Unix(path) => (Self::Unix(builder().build(UnixConnector)), hex(path)),
        }
    }

    pub(super) async fn request(
        &self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, legacy::Error> {
        match self {
            Self::Tcp(http) => http.request(request).await,
            Self::Unix(http) => http.request(request).await,
        }
    }
}

/// The last cause's words: "connection refused" says more than "client error".
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

fn builder() -> legacy::Builder {
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .pool_idle_timeout(IDLE_FOR)
        .pool_timer(TokioTimer::new());
    builder
}

fn tcp() -> Http {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_nodelay(true);
    Http::Tcp(builder().build(connector))
}

/// The connector of Unix sockets reads the path out of the authority, in hex, before a port.
fn hex(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    format!("{}:0", data_encoding::HEXLOWER.encode(path.as_os_str().as_bytes()))
}
