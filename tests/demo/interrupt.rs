//! Ctrl-C and its kin: they end the demo at any time, and with it all that it started.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use harness::error::HarnessError;
use harness::program;
use nix::sys::signal::{SigSet, Signal};

/// What a shell reports for a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Listens for the signals that ask a program to end.
#[derive(Debug)]
pub(crate) struct Interrupt {
    arrived: Receiver<()>,
    awaited: Arc<AtomicBool>,
}

impl Interrupt {
    /// Starts to listen. Until [`Interrupt::wait`] is called, a signal kills everything that was
    /// started and ends this program.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub(crate) fn listen() -> Result<Self, HarnessError> {
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            signals.add(signal);
        }
        signals
            .thread_block()
            .map_err(io::Error::from)
            .map_err(HarnessError::io("take charge of signals"))?;
        let (arrival, arrived) = sync_channel(1);
        let awaited = Arc::new(AtomicBool::new(false));
        let is_awaited = Arc::clone(&awaited);
        thread::spawn(move || {
            while signals.wait().is_ok() {
                // The second one is for those who cannot wait for an orderly end.
                if !is_awaited.swap(false, Ordering::SeqCst) {
                    program::kill_all();
                    std::process::exit(INTERRUPTED);
                }
                arrival.try_send(()).ok();
            }
        });
        Ok(Self { arrived, awaited })
    }

    /// Waits for a signal; then the caller ends what it started.
    pub(crate) fn wait(&self) {
        self.awaited.store(true, Ordering::SeqCst);
        // Fails only when the listener has gone, and then nothing is left to wait for.
        self.arrived.recv().ok();
    }
}
