//! What a running program uses: memory, processor time, descriptors, bytes written.

use std::fs;
use std::time::Duration;

use crate::error::HarnessError;
use crate::program::Program;

/// Linux counts processor time for user space in hundredths of a second, on every machine.
const MILLIS_A_TICK: u64 = 10;

/// Memory of a process, in KiB. Source: proc(5), `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Resident now.
    pub resident: u64,
    /// The most that was ever resident.
    pub peak: u64,
}

impl Program {
    /// Its memory.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn memory(&self) -> Result<Memory, HarnessError> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))
            .map_err(HarnessError::io(format!("read the memory of {}", self.name())))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").parse().ok()
        };
        match (field("VmRSS:"), field("VmHWM:")) {
            (Some(resident), Some(peak)) => Ok(Memory { resident, peak }),
            (None, _) | (_, None) => {
                Err(HarnessError::Unreadable { what: "a process status", found: status })
            }
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
        let ticks = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
        Ok(Duration::from_millis(ticks.sum::<u64>() * MILLIS_A_TICK))
    }

    /// Bytes it has written to files and sockets with `write`. Source: proc(5), `io`.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn bytes_written(&self) -> Result<u64, HarnessError> {
        let io = self.proc_file("io")?;
        let written = io.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok());
        written.ok_or(HarnessError::Unreadable { what: "a process's I/O counts", found: io })
    }

    /// How many descriptors it has open.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn descriptors(&self) -> Result<usize, HarnessError> {
        let attempt = HarnessError::io(format!("count the descriptors of {}", self.name()));
        fs::read_dir(format!("/proc/{}/fd", self.pid())).map_err(attempt).map(Iterator::count)
    }

    fn proc_file(&self, name: &str) -> Result<String, HarnessError> {
        fs::read_to_string(format!("/proc/{}/{name}", self.pid()))
            .map_err(HarnessError::io(format!("read {name} of {}", self.name())))
    }
}
