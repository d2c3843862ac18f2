//! Hands listening sockets over to a daemon, as the service manager does.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::HarnessError;

/// A listening socket that outlives the daemon it is handed to, so that calls wait over a restart.
#[derive(Debug)]
pub struct Socket {
    name: &'static str,
    descriptor: OwnedFd,
}

impl Socket {
    /// A Unix socket at `path`, handed over as `name`.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub fn unix(name: &'static str, path: &Path) -> Result<Self, HarnessError> {
        drop(std::fs::remove_file(path));
        let listener = UnixListener::bind(path)
            .map_err(HarnessError::io(format!("bind {}", path.display())))?;
        Ok(Self { name, descriptor: listener.into() })
    }

    /// A TCP socket on 127.0.0.1, handed over as `name`.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub fn tcp(name: &'static str, port: u16) -> Result<Self, HarnessError> {
        let listener = TcpListener::bind(("127.0.0.1", port))
            .map_err(HarnessError::io(format!("bind 127.0.0.1:{port}")))?;
        Ok(Self { name, descriptor: listener.into() })
    }

    fn duplicate(&self) -> Result<OwnedFd, HarnessError> {
        self.descriptor.try_clone().map_err(HarnessError::io("duplicate a socket"))
    }
}

/// Replaces the shell by the daemon, with the descriptors where sd_listen_fds(3) wants them, and its
/// own process id, which no parent can know, in `LISTEN_PID`. (Setting up a child's descriptors in
/// this process would need `unsafe`.)
const EXEC_ONE: &str = r#"exec 3<&0 0</dev/null 1>&2; export LISTEN_PID=$$; exec "$0" "$@""#;
const EXEC_TWO: &str = r#"exec 3<&0 4<&1 0</dev/null 1>&2; export LISTEN_PID=$$; exec "$0" "$@""#;

/// The command that runs `program` with `first`, and perhaps `second`, handed over. Standard input
/// and output carry the sockets; start it with [`Program::start_wired`](crate::program::Program).
///
/// # Errors
/// When a socket cannot be duplicated.
pub fn hand_over(
    program: &Path,
    first: &Socket,
    second: Option<&Socket>,
) -> Result<Command, HarnessError> {
    let mut command = Command::new("sh");
    command.stdin(Stdio::from(first.duplicate()?));
    match second {
        None => {
            command.args(["-c", EXEC_ONE]).stdout(Stdio::null());
            command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", first.name);
        }
        Some(second) => {
            command.args(["-c", EXEC_TWO]).stdout(Stdio::from(second.duplicate()?));
            let names = format!("{}:{}", first.name, second.name);
            command.env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", names);
        }
    }
    command.arg(program);
    Ok(command)
}
