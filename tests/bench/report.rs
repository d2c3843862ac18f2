//! Figures, as they are written to `newest.json` and read back for README's table.

use std::fs;
use std::path::Path;
use std::process::Command;

use harness::error::HarnessError;
use serde::{Deserialize, Serialize};

use crate::BenchError;
use crate::figure::Figure;
use crate::rows::Row;

/// The figures of all rows, each measured in one go on one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    /// Where and with what; figures of other machines compare with these by ratio only.
    pub(crate) setting: Setting,
    /// In the order of [`Row`].
    pub(crate) rows: Vec<RowReport>,
}

/// The figures of one row, all of whose sides were measured side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RowReport {
    /// Which.
    pub(crate) row: Row,
    /// The commit that was measured.
    pub(crate) commit: String,
    /// Load average of the minute before: what else the machine had to do.
    pub(crate) load_before: String,
    /// What was found.
    pub(crate) figures: Vec<Figure>,
}

impl RowReport {
    /// Measures a row; `measure` is told the load of the minute before.
    ///
    /// # Errors
    /// Those of `measure`.
    pub(crate) fn now(
        row: Row,
        measure: impl FnOnce(&str) -> Result<Vec<Figure>, BenchError>,
    ) -> Result<Self, BenchError> {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load_before = load.split(' ').next().unwrap_or_default().to_owned();
        let commit = first_line("git", &["-C", crate::ROOT, "rev-parse", "--short", "HEAD"]);
        let figures = measure(&load_before)?;
        Ok(Self { row, commit, load_before, figures })
    }
}

/// The machine and the programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setting {
    /// Day, UTC.
    pub(crate) date: String,
    /// Processor.
    pub(crate) processor: String,
    /// How many processors.
    pub(crate) processors: usize,
    /// Kernel.
    pub(crate) kernel: String,
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
        Self {
            date: first_line("date", &["-u", "+%F"]),
            processor: model
                .map_or("", |model| model.trim_start_matches([':', ' ', '\t']))
                .to_owned(),
            processors,
            kernel: first_line("uname", &["-r"]),
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
    /// A report to measure into: the one in `file`, or an empty one where there is none, or where it
    /// was made elsewhere.
    ///
    /// # Errors
    /// When the file has another form.
    pub(crate) fn begin(setting: Setting, file: Option<&Path>) -> Result<Self, BenchError> {
        let old = file.filter(|file| file.exists()).map(Self::read).transpose()?;
        let same = old
            .filter(|old| Setting { date: setting.date.clone(), ..old.setting.clone() } == setting);
        let rows = same.map(|old| old.rows).unwrap_or_default();
        Ok(Self { setting, rows })
    }

    /// Puts a row in place of the one that was measured before.
    pub(crate) fn replace(&mut self, row: RowReport) {
        self.rows.retain(|old| old.row != row.row);
        self.rows.push(row);
        self.rows.sort_by_key(|row| row.row);
    }

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
