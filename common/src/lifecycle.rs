//! Talks with the service manager: readiness, status, watchdog, signals; and the exit codes.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Exit codes. 64 and 78 stand in `RestartPreventExitStatus=` of the units: a restart cannot mend them.
/// Source: sysexits.h.
pub mod exit {
    /// All is well.
    pub const OK: i32 = 0;
    /// A failure that a restart may mend.
    pub const FAILURE: i32 = 1;
    /// The command line is wrong.
    pub const USAGE: i32 = 64;
    /// The configuration, a credential or the state's format is wrong.
    pub const CONFIG: i32 = 78;
}

/// Tells the service manager; without one nothing happens.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "cannot reach the service manager");
    }
}

/// Says that requests are served from now on.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Shows a line in `systemctl status`.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// Asks the daemon with this process id to read its configuration again.
///
/// # Errors
/// When there is no such process, or it is another user's.
pub fn ask_to_reload(pid: i32) -> std::io::Result<()> {
    use nix::sys::signal::{Signal, kill};
    Ok(kill(nix::unistd::Pid::from_raw(pid), Signal::SIGHUP)?)
}

/// Says that the configuration is read again; [`ready`] ends it.
pub fn reloading() {
    let mut states = vec![NotifyState::Reloading];
    // Type=notify-reload wants the time; Type=notify does without.
    states.extend(NotifyState::monotonic_usec_now().ok());
    tell(&states);
}

/// Says that the daemon has begun to stop.
pub fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// Asks for more time to start or stop, counted from now.
pub fn extend_timeout(by: Duration) {
    let micros = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
    tell(&[NotifyState::ExtendTimeoutUsec(micros)]);
}

/// The service manager's watchdog. Feed it from the loop that does the work, so that a hung loop
/// is noticed.
#[derive(Debug, Clone, Copy)]
pub struct Watchdog {
    every: Duration,
}

impl Watchdog {
    /// `None` when the unit has no `WatchdogSec=`.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        // Half the limit, as sd_watchdog_enabled(3) advises.
        sd_notify::watchdog_enabled().map(|limit| Self { every: limit / 2 })
    }

    /// How often to feed it.
    #[must_use]
    pub fn every(self) -> Duration {
        self.every
    }

    /// Says that the loop is alive.
    pub fn feed(self) {
        tell(&[NotifyState::Watchdog]);
    }
}

/// What a signal asks of a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// SIGTERM or SIGINT: end.
    Stop,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// The signals that a daemon heeds.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Starts to listen; from here on the signals no longer end the process. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the runtime cannot register signals.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal. Cancel-safe.
    pub async fn next(&mut self) -> Wish {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Wish::Stop,
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.hangup.recv() => Wish::Reload,
        }
    }
}
