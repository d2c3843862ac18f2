//! Where Kubo's RPC is: a TCP address, a host name, or a Unix socket, written as a multiaddr.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

/// Address of a Kubo RPC (or of another cluster's proxyd).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `/ip4/127.0.0.1/tcp/5001`, `/ip6/::1/tcp/5001`.
    Ip(IpAddr, u16),
    /// `/dns4/kubo.local/tcp/5001` (`dns`, `dns4`, `dns6`); resolved at each connection.
    Name(String, u16),
    /// `/unix/run/kubo/api.sock`.
    Unix(PathBuf),
}

/// The text is no address that can be called.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is no address of an RPC: use a form like /ip4/127.0.0.1/tcp/5001, /dns4/host/tcp/5001 or /unix/run/kubo.sock"
)]
pub struct AddressError(pub String);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        parse(text).ok_or_else(|| AddressError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Address> {
    if let Some(path) = text.strip_prefix("/unix") {
        // The rest is the path itself, leading slash included.
        return (path.len() > 1 && path.starts_with('/')).then(|| Address::Unix(path.into()));
    }
    let mut words = text.strip_prefix('/')?.split('/');
    let (kind, host, tcp, port) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let port = port.parse().ok().filter(|port| *port != 0)?;
    if tcp != "tcp" || words.next().is_some() || host.is_empty() {
        return None;
    }
    match kind {
        "ip4" => Some(Address::Ip(IpAddr::V4(host.parse().ok()?), port)),
        "ip6" => Some(Address::Ip(IpAddr::V6(host.parse().ok()?), port)),
        "dns" | "dns4" | "dns6" => Some(Address::Name(host.to_owned(), port)),
        _ => None,
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(ip), port) => write!(f, "/ip4/{ip}/tcp/{port}"),
            Self::Ip(IpAddr::V6(ip), port) => write!(f, "/ip6/{ip}/tcp/{port}"),
            Self::Name(name, port) => write!(f, "/dns/{name}/tcp/{port}"),
            Self::Unix(path) => write!(f, "/unix{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_that_can_be_called_are_read() {
        for text in ["/ip4/127.0.0.1/tcp/5001", "/ip6/::1/tcp/5001", "/unix/run/kubo/api.sock"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        let name = Address::Name("kubo.local".to_owned(), 5001);
        assert_eq!("/dns4/kubo.local/tcp/5001".parse(), Ok(name));
    }

    #[test]
    fn other_forms_are_refused_with_examples() {
        for text in [
            "127.0.0.1:5001",
            "/ip4/1.2.3/tcp/1",
            "/ip4/1.2.3.4/tcp/0",
            "/unix",
            "/unix/",
            "",
            "/ip4/1.2.3.4/udp/1",
        ] {
            let words = text.parse::<Address>().unwrap_err().to_string();
            assert!(words.contains("/ip4/127.0.0.1/tcp/5001"), "{words}");
        }
    }
}
