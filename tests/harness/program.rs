//! One running program: its process id, its log, its memory, and how it ends.

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

/// Linux counts processor time for user space in hundredths of a second, on every machine.
const MILLIS_A_TICK: u64 = 10;

/// Programs that run, by process id, for [`kill_all`].
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// A child process. Killed when dropped; its log is shown when that happens in a panic.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

/// Memory of a process, in KiB. Source: proc(5), `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Resident now.
    pub resident: u64,
    /// The most that was ever resident.
    pub peak: u64,
}

impl Program {
    /// Starts `command`, with what it says on both outputs appended to `log`. Outputs that the
    /// caller has set are left alone when `keep_stdout`.
    ///
    /// # Errors
    /// When the log cannot be opened or the program cannot be started.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self, HarnessError> {
        let file = open_log(log)?;
        let other = file
            .try_clone()
            .map_err(HarnessError::io("share a log file"))?;
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
        let child = command
            .spawn()
            .map_err(HarnessError::io(format!("start {name}")))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        })
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
        self.child
            .kill()
            .map_err(HarnessError::io(format!("kill {}", self.name)))?;
        self.child
            .wait()
            .map_err(HarnessError::io(format!("wait for {}", self.name)))?;
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

    /// Its memory.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn memory(&self) -> Result<Memory, HarnessError> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).map_err(
            HarnessError::io(format!("read the memory of {}", self.name)),
        )?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").parse().ok()
        };
        match (field("VmRSS:"), field("VmHWM:")) {
            (Some(resident), Some(peak)) => Ok(Memory { resident, peak }),
            (None, _) | (_, None) => Err(HarnessError::Unreadable {
                what: "a process status",
                found: status,
            }),
        }
    }

    /// The processor time it has used. Source: proc(5), `stat`, fields 14 and 15.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn cpu_time(&self) -> Result<Duration, HarnessError> {
        let stat = self.proc_file("stat")?;
        // The name, in parentheses, may hold spaces; what follows it begins with field 3.
        let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        let ticks = fields
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok());
        Ok(Duration::from_millis(ticks.sum::<u64>() * MILLIS_A_TICK))
    }

    /// Bytes it has written to files and sockets with `write`. Source: proc(5), `io`.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn bytes_written(&self) -> Result<u64, HarnessError> {
        let io = self.proc_file("io")?;
        let written = io
            .lines()
            .find_map(|line| line.strip_prefix("wchar: ")?.parse().ok());
        written.ok_or(HarnessError::Unreadable {
            what: "a process's I/O counts",
            found: io,
        })
    }

    /// How many descriptors it has open.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn descriptors(&self) -> Result<usize, HarnessError> {
        let attempt = HarnessError::io(format!("count the descriptors of {}", self.name));
        fs::read_dir(format!("/proc/{}/fd", self.pid()))
            .map_err(attempt)
            .map(Iterator::count)
    }

    fn proc_file(&self, name: &str) -> Result<String, HarnessError> {
        fs::read_to_string(format!("/proc/{}/{name}", self.pid()))
            .map_err(HarnessError::io(format!("read {name} of {}", self.name)))
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
            eprintln!(
                "--- end of the log of {} ---\n{}",
                self.name,
                tail(&self.log_text())
            );
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
    program
        .child
        .wait()
        .map_err(HarnessError::io(format!("wait for {name}")))
}

/// The last lines of a text.
#[must_use]
pub fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
