//! One running program: its process id, its log, and how it ends.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::HarnessError;
use crate::wait;

/// How much of a log an error or a failed test shows.
const TAIL_LINES: usize = 60;

/// Programs that run, by process id, for [`kill_all`].
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// A child process. Killed when dropped; its log is shown when that happens in a panic.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `command`, with what it says on both outputs appended to `log`.
    ///
    /// # Errors
    /// When the log cannot be opened or the program cannot be started.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self, HarnessError> {
        let file = open_log(log)?;
        let other = file.try_clone().map_err(HarnessError::io("share a log file"))?;
        command.stdin(Stdio::null()).stdout(file).stderr(other);
        Self::spawn(name, command, log)
    }

    /// Starts `command` with its standard input and output as the caller set them; its errors are
    /// appended to `log`.
    ///
    /// # Errors
    /// As [`Program::start`].
    pub fn start_wired(name: &str, mut command: Command, log: &Path) -> Result<Self, HarnessError> {
        command.stderr(open_log(log)?);
        Self::spawn(name, command, log)
    }

    fn spawn(name: &str, mut command: Command, log: &Path) -> Result<Self, HarnessError> {
        // Held over the start, so that `kill_all` misses nothing.
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let child = command.spawn().map_err(HarnessError::io(format!("start {name}")))?;
        running.push(child.id());
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// What it is called in errors and logs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal; a process that has ended is left alone.
    pub fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.pid()) {
            // It may just have ended, which is what most signals are for.
            kill(Pid::from_raw(pid), signal).ok();
        }
    }

    /// Kills it at once, as a crash would, and waits until it is gone.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill(mut self) -> Result<(), HarnessError> {
        self.child.kill().map_err(HarnessError::io(format!("kill {}", self.name)))?;
        self.child.wait().map_err(HarnessError::io(format!("wait for {}", self.name)))?;
        Ok(())
    }

    /// Asks it to end with SIGTERM and waits.
    ///
    /// # Errors
    /// [`HarnessError::TimedOut`] when it still runs after `limit`; it is killed then.
    pub fn stop(mut self, limit: Duration) -> Result<ExitStatus, HarnessError> {
        self.signal(Signal::SIGTERM);
        self.wait(limit)
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// [`HarnessError::TimedOut`] when it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus, HarnessError> {
        let what = format!("the end of {}", self.name);
        wait::until(&what, limit, || self.child.try_wait().ok().flatten())
    }

    /// An error with the end of its log, when it has ended.
    ///
    /// # Errors
    /// [`HarnessError::Ended`].
    pub fn check_running(&mut self) -> Result<(), HarnessError> {
        let Ok(Some(status)) = self.child.try_wait() else {
            return Ok(());
        };
        Err(HarnessError::Ended {
            program: self.name.clone(),
            status: status.to_string(),
            log: self.log.clone(),
            tail: tail(&self.log_text()),
        })
    }

    /// All it has said so far.
    #[must_use]
    pub fn log_text(&self) -> String {
        fs::read(&self.log)
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|pid| *pid != self.child.id());
        drop(running);
        if thread::panicking() {
            eprintln!("--- end of the log of {} ---\n{}", self.name, tail(&self.log_text()));
        }
    }
}

fn open_log(log: &Path) -> Result<File, HarnessError> {
    let mut options = File::options();
    options
        .create(true)
        .append(true)
        .open(log)
        .map_err(HarnessError::io(format!("open {}", log.display())))
}

/// Kills every program that this process has started and that still runs; for a program that must
/// end at once. No further one can be started afterwards.
pub fn kill_all() {
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    for pid in running.iter().filter_map(|pid| i32::try_from(*pid).ok()) {
        kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
    }
    // Whoever wants to start one waits for this lock until the process has ended.
    std::mem::forget(running);
}

/// Runs a command to its end, with this program's outputs; [`kill_all`] ends it too.
///
/// # Errors
/// When it cannot be started or waited for.
pub fn run_to_end(name: &str, mut command: Command) -> Result<ExitStatus, HarnessError> {
    command.stdin(Stdio::null());
    let mut program = Program::spawn(name, command, Path::new("/dev/null"))?;
    program.child.wait().map_err(HarnessError::io(format!("wait for {name}")))
}

/// The last lines of a text.
#[must_use]
pub fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
