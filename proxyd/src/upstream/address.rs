//! Where Kubo's RPC is: a multiaddr of TCP or a Unix socket.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::{TcpSocket, TcpStream, UnixStream};

use crate::stream::{self, ReadHalf, WriteHalf};

/// Where something listens. Text form: a multiaddr.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `/ip4/…/tcp/…`, `/ip6/…/tcp/…`.
    Tcp(SocketAddr),
    /// `/dns/…/tcp/…`, `/dns4/…`, `/dns6/…`.
    Name {
        /// The host name.
        host: String,
        /// The port.
        port: u16,
        /// Addresses of which family count.
        family: Family,
    },
    /// `/unix/…`.
    Unix(PathBuf),
}

/// Which addresses of a host name are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// All.
    Any,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

/// The forms that are read; the text of the error for all others.
pub const FORMS: &str =
    "use /ip4/ADDRESS/tcp/PORT, /ip6/ADDRESS/tcp/PORT, /dns4/NAME/tcp/PORT or /unix/PATH";

impl Address {
    /// A port of this machine alone.
    #[must_use]
    pub fn local(port: u16) -> Self {
        Self::Tcp(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// Reads a multiaddr; a trailing `/http` is allowed, as Kubo writes it at times.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("/unix/") {
            return (!path.is_empty()).then(|| Self::Unix(format!("/{path}").into()));
        }
        let text = text.strip_suffix("/http").unwrap_or(text);
        let mut parts = text.strip_prefix('/')?.split('/');
        let (kind, host, tcp, port) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if tcp != "tcp" || host.is_empty() || parts.next().is_some() {
            return None;
        }
        let port: u16 = port.parse().ok()?;
        let name = |family| Self::Name { host: host.to_owned(), port, family };
        Some(match kind {
            "ip4" => Self::Tcp(SocketAddr::new(std::net::IpAddr::V4(host.parse().ok()?), port)),
            "ip6" => Self::Tcp(SocketAddr::new(std::net::IpAddr::V6(host.parse().ok()?), port)),
            "dns" => name(Family::Any),
            "dns4" => name(Family::V4),
            "dns6" => name(Family::V6),
            _ => return None,
        })
    }

    /// Whether a connection to this address comes in at `listener`, as far as the two texts tell: a name
    /// other than `localhost`, or another address of this machine, may lead there as well.
    #[must_use]
    pub fn leads_to(&self, listener: &Self) -> bool {
        let local = |address: &Self| match address {
            Self::Tcp(address) => (address.ip().is_loopback() || address.ip().is_unspecified())
                .then(|| address.port()),
            Self::Name { host, port, .. } => (host == "localhost").then_some(*port),
            Self::Unix(_) => None,
        };
        let on_all = matches!(listener, Self::Tcp(address) if address.ip().is_unspecified());
        let by_name = [self, listener].iter().any(|it| matches!(it, Self::Name { .. }));
        self == listener
            || ((on_all || by_name) && local(self).is_some() && local(self) == local(listener))
    }

    /// The TCP port; `None` for a Unix socket.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(address) => Some(address.port()),
            Self::Name { port, .. } => Some(*port),
            Self::Unix(_) => None,
        }
    }

    /// What stands in `Host` of our own requests.
    #[must_use]
    pub fn host(&self) -> String {
        match self {
            Self::Tcp(address) => address.to_string(),
            Self::Name { host, port, .. } => format!("{host}:{port}"),
            Self::Unix(_) => "localhost".to_owned(),
        }
    }

    /// Connects; of several addresses the first that answers.
    pub(crate) async fn connect(&self) -> io::Result<(ReadHalf, WriteHalf)> {
        match self {
            Self::Unix(path) => UnixStream::connect(path).await.map(stream::unix),
            Self::Tcp(address) => connect_tcp(*address).await,
            Self::Name { host, port, family } => {
                let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                for address in tokio::net::lookup_host((host.as_str(), *port)).await? {
                    if !family.admits(address) {
                        continue;
                    }
                    match connect_tcp(address).await {
                        Ok(halves) => return Ok(halves),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }
}

impl Family {
    fn admits(self, address: SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

async fn connect_tcp(address: SocketAddr) -> io::Result<(ReadHalf, WriteHalf)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Heads and small bodies go out whole, so there is nothing to gather.
    socket.set_nodelay(true)?;
    socket.set_keepalive(true)?;
    let stream: TcpStream = socket.connect(address).await?;
    Ok(stream::tcp(stream))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(SocketAddr::V4(a)) => write!(f, "/ip4/{}/tcp/{}", a.ip(), a.port()),
            Self::Tcp(SocketAddr::V6(a)) => write!(f, "/ip6/{}/tcp/{}", a.ip(), a.port()),
            Self::Name { host, port, family } => {
                let kind = match family {
                    Family::Any => "dns",
                    Family::V4 => "dns4",
                    Family::V6 => "dns6",
                };
                write!(f, "/{kind}/{host}/tcp/{port}")
            }
            Self::Unix(path) => write!(f, "/unix{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiaddrs_survive_their_text() {
        for text in [
            "/ip4/127.0.0.1/tcp/5001",
            "/ip6/::1/tcp/5001",
            "/dns4/kubo.example/tcp/80",
            "/dns/kubo/tcp/80",
            "/unix/run/ipfs/api.sock",
        ] {
            assert_eq!(Address::parse(text).map(|a| a.to_string()).as_deref(), Some(text));
        }
        assert_eq!(Address::parse("/ip4/10.0.0.1/tcp/80/http").and_then(|a| a.port()), Some(80));
    }

    #[test]
    fn an_address_leads_to_its_own_listener() {
        let leads = |to: &str, listener: &str| {
            Address::parse(to).unwrap().leads_to(&Address::parse(listener).unwrap())
        };
        for (to, listener) in [
            ("/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1"),
            ("/ip4/127.0.0.1/tcp/1", "/ip4/0.0.0.0/tcp/1"),
            ("/ip6/::1/tcp/1", "/ip6/::/tcp/1"),
            ("/dns4/localhost/tcp/1", "/ip4/127.0.0.1/tcp/1"),
            ("/unix/a", "/unix/a"),
        ] {
            assert!(leads(to, listener), "{to} {listener}");
        }
        for (to, listener) in [
            ("/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2"),
            ("/ip4/127.0.0.2/tcp/1", "/ip4/127.0.0.1/tcp/1"),
            ("/ip4/10.0.0.1/tcp/1", "/ip4/0.0.0.0/tcp/1"),
            ("/dns4/kubo/tcp/1", "/ip4/0.0.0.0/tcp/1"),
            ("/unix/a", "/unix/b"),
        ] {
            assert!(!leads(to, listener), "{to} {listener}");
        }
    }

    #[test]
    fn what_is_no_stream_address_is_refused() {
        for text in [
            "",
            "127.0.0.1:5001",
            "/ip4/127.0.0.1",
            "/ip4/localhost/tcp/1",
            "/ip4/127.0.0.1/udp/1",
            "/ip4/127.0.0.1/tcp/70000",
            "/ip4/127.0.0.1/tcp/1/ws",
            "/unix/",
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
