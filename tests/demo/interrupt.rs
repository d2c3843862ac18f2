//! Ctrl-C and its kin: they end the demo at any time, and with it all that it started.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use harness::error::HarnessError;
use harness::{program, wait};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a shell reports for a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// A killed program is gone long before.
const DYING_MAX: Duration = Duration::from_secs(5);

/// Listens for the signals that ask a program to end.
#[derive(Debug)]
pub(crate) struct Interrupt {
    arrived: Receiver<()>,
    awaited: Arc<AtomicBool>,
    temporary: Arc<Mutex<Option<PathBuf>>>,
}

impl Interrupt {
    /// Starts to listen. Until [`Interrupt::wait`] is called, a signal kills everything that was
    /// started and ends this program.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub(crate) fn listen() -> Result<Self, HarnessError> {
        let attempt = || HarnessError::io("take charge of signals");
        let runtime = Builder::new_current_thread().enable_io().build().map_err(attempt())?;
        let mut signals = Signals::register(&runtime).map_err(attempt())?;
        let (arrival, arrived) = sync_channel(1);
        let awaited = Arc::new(AtomicBool::new(false));
        let temporary = Arc::new(Mutex::new(None::<PathBuf>));
        let interrupt =
            Self { arrived, awaited: Arc::clone(&awaited), temporary: Arc::clone(&temporary) };
        thread::spawn(move || {
            loop {
                runtime.block_on(signals.next());
                // The second one is for those who cannot wait for an orderly end.
                if !awaited.swap(false, Ordering::SeqCst) {
                    program::kill_all();
                    let place = temporary.lock().unwrap_or_else(PoisonError::into_inner).take();
                    place.iter().for_each(|place| remove(place));
                    std::process::exit(INTERRUPTED);
                }
                arrival.try_send(()).ok();
            }
        });
        Ok(interrupt)
    }

    /// Names a directory to remove when a signal ends this program.
    pub(crate) fn removes(&self, temporary: &Path) {
        let mut place = self.temporary.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(temporary.to_owned());
    }

    /// Waits for a signal; then the caller ends what it started.
    pub(crate) fn wait(&self) {
        self.awaited.store(true, Ordering::SeqCst);
        // Fails only when the listener has gone, and then nothing is left to wait for.
        self.arrived.recv().ok();
    }
}

/// Removes a directory in which killed programs may still write, for a moment.
fn remove(directory: &Path) {
    let gone = || (fs::remove_dir_all(directory).is_ok() || !directory.exists()).then_some(());
    wait::until("the end of what was killed", DYING_MAX, gone).ok();
}

/// Handlers, and not a mask: programs inherit a mask, and could then not be told to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn register(runtime: &Runtime) -> io::Result<Self> {
        let _inside = runtime.enter();
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
