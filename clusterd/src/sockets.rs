//! The two Unix sockets: handed over by the service manager, or bound here.

use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use common::activation::{ActivationError, Handed, Listener};
use thiserror::Error;

/// Owner and group may connect.
const SOCKET_MODE: u32 = 0o660;

/// A socket cannot be listened on.
#[derive(Debug, Error)]
pub enum SocketError {
    /// What was handed over cannot be used.
    #[error(transparent)]
    Activation(#[from] ActivationError),
    /// Another program listens there.
    #[error("another program listens on {}: is clusterd running already?", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot listen on {}: {source}", path.display())]
    Unbound {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The sockets that were handed over, by name.
#[derive(Debug, Default)]
pub struct Inherited(Vec<(String, UnixListener)>);

/// One socket that is listened on. A file that was made here is removed at the end.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    own: Option<PathBuf>,
}

impl Inherited {
    /// Takes the sockets over. Call once, before anything opens descriptors.
    ///
    /// # Errors
    /// [`SocketError::Activation`].
    pub fn take() -> Result<Self, SocketError> {
        let mut sockets = Vec::new();
        for Handed { name, listener } in common::activation::take()? {
            match listener {
                Listener::Unix(listener) => sockets.push((name, listener)),
                Listener::Tcp(_) => {
                    tracing::warn!(endpoint = %name, "a TCP socket was handed over and is not used")
                }
            }
        }
        Ok(Self(sockets))
    }

    /// The socket of this name; without one the configured path is bound.
    ///
    /// # Errors
    /// [`SocketError`] when the path cannot be bound.
    pub fn socket(&mut self, name: &str, path: &Path) -> Result<Socket, SocketError> {
        let Some(place) = self.0.iter().position(|(handed, _)| handed == name) else {
            return bind(path);
        };
        let (_, listener) = self.0.swap_remove(place);
        let handed = listener.local_addr().ok();
        let handed = handed.as_ref().and_then(|address| address.as_pathname());
        if handed != Some(path) {
            tracing::warn!(
                endpoint = name,
                path = %path.display(),
                "the socket handed over is another than the configured one, and is used"
            );
        }
        Ok(Socket { listener, own: None })
    }
}

fn bind(path: &Path) -> Result<Socket, SocketError> {
    let unbound = |source| SocketError::Unbound { path: path.to_owned(), source };
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            if UnixStream::connect(path).is_ok() {
                return Err(SocketError::InUse { path: path.to_owned() });
            }
            // Left behind by a daemon that was killed.
            std::fs::remove_file(path).map_err(unbound)?;
            UnixListener::bind(path)
        }
        bound => bound,
    };
    let listener = listener.map_err(unbound)?;
    let prepared = std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))
        .and_then(|()| listener.set_nonblocking(true));
    prepared.map_err(unbound)?;
    Ok(Socket { listener, own: Some(path.to_owned()) })
}

impl Socket {
    /// The listener for the runtime, and the file to remove at the end.
    ///
    /// # Errors
    /// When the runtime refuses it.
    pub fn into_listener(self) -> io::Result<(tokio::net::UnixListener, Option<PathBuf>)> {
        Ok((tokio::net::UnixListener::from_std(self.listener)?, self.own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        drop(UnixListener::bind(&path).unwrap());
        let live = Inherited::default().socket("proxy", &path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        let error = Inherited::default().socket("proxy", &path).unwrap_err();
        assert!(matches!(error, SocketError::InUse { .. }), "{error}");
        drop(live);
    }
}
