//! What the daemon takes of the machine, from /proc and the kernel's accounting.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeValLike;

use super::page::count;

/// When the daemon started.
static START: OnceLock<SystemTime> = OnceLock::new();

/// Notes that the daemon starts now. From /proc it could be had only with the time of the boot, which the
/// unit hides.
pub fn note_start() {
    START.get_or_init(SystemTime::now);
}

/// What could be read.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Process {
    /// Seconds.
    pub(super) cpu: Option<f64>,
    /// Bytes.
    pub(super) memory: Option<f64>,
    pub(super) files: Option<f64>,
    pub(super) files_max: Option<f64>,
    /// Seconds since 1970.
    pub(super) start: Option<f64>,
}

pub(super) fn read() -> Process {
    let started = START.get().and_then(|start| start.duration_since(UNIX_EPOCH).ok());
    Process {
        cpu: cpu(),
        memory: memory(),
        // The directory itself is open while it is read.
        files: std::fs::read_dir("/proc/self/fd")
            .ok()
            .map(|files| count(files.count().saturating_sub(1))),
        files_max: getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| count(soft)),
        start: started.map(|since| since.as_secs_f64()),
    }
}

fn cpu() -> Option<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Some(count(micros) / 1e6)
}

fn memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(count(kilobytes * 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_can_be_read_here() {
        note_start();
        let process = read();
        assert!(process.cpu.unwrap() > 0.0);
        // A test program holds more than a megabyte, and the usual three files.
        assert!(process.memory.unwrap() > 1e6 && process.files.unwrap() >= 3.0);
        assert!(process.files_max.unwrap() >= process.files.unwrap());
        assert!(process.start.unwrap() > 1.6e9);
    }
}
