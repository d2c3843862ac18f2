//! Reserves TCP ports that neither another test nor the kernel gives away meanwhile.

use std::fs::{self, File};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::error::HarnessError;

/// Below the kernel's range for outgoing connections (32768 up): a client that connects to a daemon
/// which is down must not get that daemon's port as its own, and thus meet itself.
const FIRST: u16 = 24_000;
const COUNT: u16 = 8_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port of 127.0.0.1, ours until dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Other test processes see the lock; the port itself stays free to be bound.
    _lock: Option<File>,
}

impl Port {
    /// Reserves a port that nobody listens on.
    ///
    /// # Errors
    /// When all are taken or the lock files cannot be made.
    pub fn reserve() -> Result<Self, HarnessError> {
        // Each user's own, as another's could not be written to.
        let name = format!("composite-ports-{}", nix::unistd::geteuid());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).map_err(HarnessError::io("make the port lock directory"))?;
        // Processes start at different places, so that they rarely try each other's ports.
        let offset = std::process::id() % u32::from(COUNT);
        for _ in 0..COUNT {
            let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
            let place = u16::try_from((offset * 64 + step) % u32::from(COUNT)).unwrap_or(0);
            let number = FIRST + place;
            let lock = File::create(directory.join(format!("{number}.lock")))
                .map_err(HarnessError::io("make a port lock"))?;
            if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", number)).is_ok() {
                return Ok(Self { number, _lock: Some(lock) });
            }
        }
        Err(HarnessError::Missing {
            what: "no TCP port is free".to_owned(),
            fix: format!("end what listens on ports {FIRST} to {}", FIRST + COUNT - 1),
        })
    }

    /// A port that somebody has chosen.
    ///
    /// # Errors
    /// When it cannot be bound, as when another program listens there.
    pub fn chosen(number: u16) -> Result<Self, HarnessError> {
        TcpListener::bind(("127.0.0.1", number))
            .map_err(HarnessError::io(format!("listen on port {number} of 127.0.0.1")))?;
        Ok(Self { number, _lock: None })
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }
}
