//! One run's figures, as they are written to `newest.json` and read back for README's table.

use std::fs;
use std::path::Path;
use std::process::Command;

use harness::error::HarnessError;
use serde::{Deserialize, Serialize};

use crate::BenchError;
use crate::figure::Figure;

/// All figures of one run on one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    /// Where and with what; figures of other runs compare with these by ratio only.
    pub(crate) setting: Setting,
    /// In the order of the rows.
    pub(crate) figures: Vec<Figure>,
}

/// The machine and the programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setting {
    /// Day, UTC.
    pub(crate) date: String,
    /// The commit that was measured.
    pub(crate) commit: String,
    /// Processor.
    pub(crate) processor: String,
    /// How many processors.
    pub(crate) processors: usize,
    /// Kernel.
    pub(crate) kernel: String,
    /// Load average of the minute before the run: what else the machine had to do.
    pub(crate) load_before: String,
    /// The other programs' versions.
    pub(crate) peers: Vec<String>,
    /// Small sizes: for a look whether all works, not for figures.
    pub(crate) quick: bool,
}

impl Setting {
    /// Asks the machine.
    pub(crate) fn of_this_machine(peers: Vec<String>, quick: bool) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu_info.lines().find_map(|line| line.strip_prefix("model name"));
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            date: first_line("date", &["-u", "+%F"]),
            commit: first_line("git", &["-C", crate::ROOT, "rev-parse", "--short", "HEAD"]),
            processor: model
                .map_or("", |model| model.trim_start_matches([':', ' ', '\t']))
                .to_owned(),
            processors,
            kernel: first_line("uname", &["-r"]),
            load_before: load.split(' ').next().unwrap_or_default().to_owned(),
            peers,
            quick,
        }
    }
}

/// The first line that a command says, on either output; empty when there is none.
pub(crate) fn first_line(program: &str, args: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(args).output() else {
        return String::new();
    };
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().trim().to_owned()
}

impl Report {
    /// Reads a file that [`Report::write`] wrote.
    ///
    /// # Errors
    /// When it is missing or has another form.
    pub(crate) fn read(path: &Path) -> Result<Self, BenchError> {
        let text = fs::read_to_string(path)
            .map_err(HarnessError::io(format!("read {}", path.display())))?;
        serde_json::from_str(&text)
            .map_err(|source| BenchError::Figures { path: path.display().to_string(), source })
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<(), BenchError> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|source| BenchError::Figures { path: path.display().to_string(), source })?;
        fs::write(path, text + "\n")
            .map_err(HarnessError::io(format!("write {}", path.display())))?;
        Ok(())
    }
}
