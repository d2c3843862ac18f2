//! The service manager's side of readiness: a socket that daemons tell when they are ready.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::HarnessError;
use crate::program::Program;

/// More notices than a test leaves unread; further ones are dropped, so that a daemon never waits.
const NOTICES_MAX: usize = 1024;

/// While waiting for a notice: how often to look whether the daemon has died.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Receives what one daemon tells. Source: sd_notify(3).
#[derive(Debug)]
pub struct Notices {
    path: PathBuf,
    lines: Receiver<String>,
}

impl Notices {
    /// Listens at `path`; an old socket there is replaced.
    ///
    /// # Errors
    /// When the socket cannot be bound.
    pub fn listen(path: &Path) -> Result<Self, HarnessError> {
        drop(std::fs::remove_file(path));
        let socket = UnixDatagram::bind(path)
            .map_err(HarnessError::io(format!("bind {}", path.display())))?;
        let (notices, lines) = sync_channel(NOTICES_MAX);
        // Ends with the socket's file: `drop` sends it an empty datagram.
        thread::spawn(move || {
            let mut buffer = [0_u8; 4096];
            while let Ok(length @ 1..) = socket.recv(&mut buffer) {
                for line in String::from_utf8_lossy(&buffer[..length]).lines() {
                    drop(notices.try_send(line.to_owned()));
                }
            }
        });
        Ok(Self { path: path.to_owned(), lines })
    }

    /// The value for `NOTIFY_SOCKET`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the line `wanted`, as `READY=1`.
    ///
    /// # Errors
    /// When `program` ends before, or the line does not come within `limit`.
    pub fn wait_for(
        &self,
        wanted: &str,
        program: &mut Program,
        limit: Duration,
    ) -> Result<(), HarnessError> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            match self.lines.recv_timeout(LOOK_EVERY) {
                Ok(line) if line == wanted => return Ok(()),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    program.check_running()?;
                }
            }
        }
        Err(HarnessError::TimedOut { what: wanted.to_owned(), limit })
    }

    /// The newest `STATUS=` line told so far and not yet read.
    #[must_use]
    pub fn status(&self) -> Option<String> {
        self.lines
            .try_iter()
            .filter_map(|line| Some(line.strip_prefix("STATUS=")?.to_owned()))
            .last()
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        if let Ok(socket) = UnixDatagram::unbound() {
            drop(socket.send_to(&[], &self.path));
        }
        drop(std::fs::remove_file(&self.path));
    }
}
