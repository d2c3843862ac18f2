//! Listening sockets handed over by the service manager, by name. The one file with `unsafe`.

#![expect(unsafe_code, reason = "an inherited descriptor is only a number; somebody must own it")]

use std::io;
use std::net::TcpListener;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;

use nix::sys::socket::{
    AddressFamily, SockType, SockaddrLike, SockaddrStorage, getsockname, getsockopt, sockopt,
};
use thiserror::Error;

/// A listening socket.
#[derive(Debug)]
pub enum Listener {
    /// TCP, IPv4 or IPv6.
    Tcp(TcpListener),
    /// Unix stream socket.
    Unix(UnixListener),
}

/// A socket that was handed over.
#[derive(Debug)]
pub struct Handed {
    /// `FileDescriptorName=` of the socket unit.
    pub name: String,
    /// The socket, non-blocking.
    pub listener: Listener,
}

/// The service manager handed over what cannot be used.
#[derive(Debug, Error)]
pub enum ActivationError {
    /// The environment variables make no sense.
    #[error("cannot read the sockets handed over (LISTEN_FDS): {0}")]
    Environment(#[source] io::Error),
    /// One descriptor is no listening stream socket.
    #[error(
        "descriptor {descriptor} handed over as {name:?} is no listening stream socket: {reason}"
    )]
    Unfit {
        /// The number.
        descriptor: i32,
        /// Its name.
        name: String,
        /// What it is instead.
        reason: String,
    },
}

/// Takes over the sockets handed to this process; none when it was not started that way. Call once,
/// before anything else opens descriptors. Source: sd_listen_fds(3).
///
/// # Errors
/// [`ActivationError`] when a descriptor is no listening stream socket.
pub fn take() -> Result<Vec<Handed>, ActivationError> {
    let descriptors = sd_notify::listen_fds_with_names().map_err(ActivationError::Environment)?;
    descriptors.map(|(descriptor, name)| adopt(descriptor, name)).collect()
}

fn adopt(descriptor: i32, name: String) -> Result<Handed, ActivationError> {
    // SAFETY: LISTEN_PID named this process, so the manager opened the descriptor for us; `take` runs
    // once, before anything else, so nobody else owns it. A wrong number is caught by the checks below.
    let owned = unsafe { OwnedFd::from_raw_fd(descriptor) };
    match listener(owned) {
        Ok(listener) => Ok(Handed { name, listener }),
        Err(reason) => Err(ActivationError::Unfit { descriptor, name, reason: reason.to_string() }),
    }
}

fn listener(owned: OwnedFd) -> io::Result<Listener> {
    if getsockopt(&owned, sockopt::SockType)? != SockType::Stream
        || !getsockopt(&owned, sockopt::AcceptConn)?
    {
        return Err(io::Error::other("it does not listen"));
    }
    let address: SockaddrStorage = getsockname(std::os::fd::AsRawFd::as_raw_fd(&owned))?;
    match address.family() {
        Some(AddressFamily::Inet | AddressFamily::Inet6) => {
            let listener = TcpListener::from(owned);
            listener.set_nonblocking(true)?;
            Ok(Listener::Tcp(listener))
        }
        Some(AddressFamily::Unix) => {
            let listener = UnixListener::from(owned);
            listener.set_nonblocking(true)?;
            Ok(Listener::Unix(listener))
        }
        other => Err(io::Error::other(format!("it has address family {other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_socket_is_taken_and_a_connected_one_is_refused() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let connected = std::net::TcpStream::connect(address).unwrap();
        assert!(matches!(listener(tcp.into()), Ok(Listener::Tcp(_))));
        assert!(listener(connected.into()).is_err());
    }

    #[test]
    fn a_file_is_refused() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(listener(file.into()).is_err());
    }
}
