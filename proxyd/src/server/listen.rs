//! Listening sockets: bound by us or handed over, TCP or Unix, plain or TLS.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage};
use nix::sys::socket::{setsockopt, sockopt};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

pub use common::activation::Listener;

use crate::exchange::Door;
use crate::guard::users::Users;
use crate::stream::{self, ReadHalf, WriteHalf};
use crate::tls::Tls;
use crate::upstream::address::Address;

/// Connections that wait in the kernel while a thread is busy or restarts; the kernel has its own cap.
const BACKLOG: i32 = 4096;

/// A listener could not be made.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ListenError {
    /// Where.
    pub address: Address,
    /// Why not.
    pub source: io::Error,
}

/// Listens there. A host name gives a listener for each of its addresses. A stale Unix socket, which
/// nobody accepts on, is replaced; a live one is an error.
///
/// # Errors
/// [`ListenError`] when the address is taken or not ours.
pub fn bind(address: &Address) -> Result<Vec<Listener>, ListenError> {
    let bound = match address {
        Address::Tcp(address) => bind_tcp(*address).map(|listener| vec![listener]),
        Address::Unix(path) => bind_unix(path).map(|listener| vec![listener]),
        Address::Name { host, port, .. } => {
            std::net::ToSocketAddrs::to_socket_addrs(&(host.as_str(), *port))
                .and_then(|addresses| addresses.map(bind_tcp).collect())
        }
    };
    bound.map_err(|source| ListenError { address: address.clone(), source })
}

fn bind_tcp(address: SocketAddr) -> io::Result<Listener> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket::socket(family, SockType::Stream, flags, None)?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    if address.is_ipv6() {
        // Else "::" would take IPv4's port as well, and `listen` names both.
        setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    }
    socket::bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    socket::listen(&socket, Backlog::new(BACKLOG)?)?;
    Ok(Listener::Tcp(std::net::TcpListener::from(socket)))
}

fn bind_unix(path: &Path) -> io::Result<Listener> {
    if std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket()) {
        match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "another program serves it"));
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path)?;
            }
            Err(error) => return Err(error),
        }
    }
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    Ok(Listener::Unix(listener))
}

/// The same listener for another thread.
///
/// # Errors
/// When descriptors have run out.
pub fn clone(listener: &Listener) -> io::Result<Listener> {
    match listener {
        Listener::Tcp(listener) => listener.try_clone().map(Listener::Tcp),
        Listener::Unix(listener) => listener.try_clone().map(Listener::Unix),
    }
}

/// Where it listens, for messages and for comparison with the configuration.
#[must_use]
pub fn address_of(listener: &Listener) -> Option<Address> {
    match listener {
        Listener::Tcp(listener) => listener.local_addr().ok().map(Address::Tcp),
        Listener::Unix(listener) => {
            let address = listener.local_addr().ok()?;
            address.as_pathname().map(PathBuf::from).map(Address::Unix)
        }
    }
}

/// A listener in a runtime.
#[derive(Debug)]
pub(crate) enum Accepting {
    Tcp(TcpListener, Door, Option<Tls>),
    Unix(UnixListener, Users),
}

impl Accepting {
    /// TLS is spoken on TCP alone; users are known on Unix sockets alone.
    pub(crate) fn new(listener: Listener, tls: Option<Tls>, users: Users) -> io::Result<Self> {
        Ok(match listener {
            Listener::Tcp(listener) => {
                inherit_options(&listener)?;
                let door = Door {
                    address: listener.local_addr().ok(),
                    tls: tls.is_some(),
                    stranger: None,
                };
                Self::Tcp(TcpListener::from_std(listener)?, door, tls)
            }
            Listener::Unix(listener) => Self::Unix(UnixListener::from_std(listener)?, users),
        })
    }

    /// Next connection. Cancel-safe.
    pub(crate) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener, door, tls) => {
                let (stream, client) = listener.accept().await?;
                Ok(Accepted::Tcp(stream, client, *door, tls.clone()))
            }
            Self::Unix(listener, users) => {
                let stream = listener.accept().await?.0;
                // One whom the kernel does not name is nobody's user.
                let uid = || stream.peer_cred().map_or(u32::MAX, |peer| peer.uid());
                let stranger = users.is_rule().then(uid).filter(|uid| !users.admit(*uid));
                Ok(Accepted::Unix(stream, stranger))
            }
        }
    }
}

/// Sets on the listener what its connections inherit, which saves calls for each of them.
fn inherit_options(listener: &impl AsFd) -> io::Result<()> {
    setsockopt(listener, sockopt::TcpNoDelay, &true)?;
    // A client whose machine is gone is noticed, as Go's server does.
    setsockopt(listener, sockopt::KeepAlive, &true)?;
    Ok(())
}

/// An accepted connection.
#[derive(Debug)]
pub(crate) enum Accepted {
    Tcp(TcpStream, SocketAddr, Door, Option<Tls>),
    Unix(UnixStream, Option<u32>),
}

impl Accepted {
    /// The client's address; `None` on a Unix socket.
    pub(crate) fn client(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(_, client, _, _) => Some(*client),
            Self::Unix(_, _) => None,
        }
    }

    /// Where it came in. Of a listener on all addresses the one that the client reached.
    pub(crate) fn door(&self) -> Door {
        match self {
            Self::Tcp(_, _, door, _) => *door,
            Self::Unix(_, stranger) => Door { address: None, tls: false, stranger: *stranger },
        }
    }

    /// Its two halves, after the TLS handshake where there is one.
    pub(crate) async fn open(self) -> Option<(ReadHalf, WriteHalf)> {
        match self {
            Self::Unix(stream, _) => Some(stream::unix(stream)),
            Self::Tcp(stream, _, _, None) => Some(stream::tcp(stream)),
            Self::Tcp(stream, client, _, Some(tls)) => match tls.accept(stream).await {
                Ok(stream) => Some(stream::tls(stream.into())),
                Err(error) => {
                    tracing::debug!(%error, address = %client, "TLS handshake failed");
                    None
                }
            },
        }
    }
}
