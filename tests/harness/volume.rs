//! A state directory on a full disk: a small file system for root, a file size limit for others.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::HarnessError;

/// The size of the small file system: room for a store's journal and some thousand pins.
const VOLUME_BYTES: u64 = 48 << 20;

/// A mounted file system with room for some thousand pins; unmounted when dropped.
#[derive(Debug)]
pub struct Volume {
    path: PathBuf,
}

/// Whether this process may mount.
#[must_use]
pub fn may_mount() -> bool {
    nix::unistd::geteuid().is_root()
}

impl Volume {
    /// Mounts it at `path`, which is made.
    ///
    /// # Errors
    /// When it cannot be mounted, as without root's rights.
    pub fn mount(path: &Path) -> Result<Self, HarnessError> {
        fs::create_dir_all(path).map_err(HarnessError::io("make a mount point"))?;
        let size = format!("size={VOLUME_BYTES}");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(path))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Takes all the room that is left, to the last byte.
    ///
    /// # Errors
    /// When the file that takes it cannot be made.
    pub fn fill(&self) -> Result<(), HarnessError> {
        let mut filler = File::create(self.filler()).map_err(HarnessError::io("make a filler"))?;
        let block = vec![0_u8; 1 << 16];
        while filler.write_all(&block).is_ok() {}
        Ok(())
    }

    /// Gives the room back.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn free(&self) -> Result<(), HarnessError> {
        fs::remove_file(self.filler()).map_err(HarnessError::io("remove the filler"))
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Lazily: a daemon that a failed test leaves behind must not keep it.
        drop(run(Command::new("umount").arg("--lazy").arg(&self.path)));
    }
}

/// A shell line that runs the program it is given with SIGXFSZ ignored: a write past the limit
/// then fails with an error, as on a full disk, instead of ending the program.
pub const SURVIVE_FILE_LIMIT: [&str; 4] = ["sh", "-c", r#"trap "" XFSZ; exec "$0" "$@""#, "env"];

/// Limits the size of the files that a running process may write; `None` lifts the limit.
///
/// # Errors
/// When `prlimit` is missing or refuses.
pub fn limit_files(pid: u32, bytes: Option<u64>) -> Result<(), HarnessError> {
    let limit = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
    // Only the soft limit: it can be raised again.
    run(Command::new("prlimit").args(["--pid", &pid.to_string(), &format!("--fsize={limit}:")]))
}

fn run(command: &mut Command) -> Result<(), HarnessError> {
    let name = format!("{command:?}");
    let output = command.output().map_err(HarnessError::io(format!("run {name}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(HarnessError::Failed {
        command: name,
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
