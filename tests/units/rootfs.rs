//! A Debian root file system, made once with debootstrap and kept; machines lay their changes over it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::error::HarnessError;
use harness::peers::cache_directory;
use harness::program::run_to_end;

/// What the machines need besides Debian's minimum. A change makes a new file system.
const PACKAGES: &str =
    "systemd,systemd-sysv,dbus,iproute2,procps,curl,ca-certificates,rpm,util-linux";

const SUITE: &str = "bookworm";

/// The directory of the file system, from the cache or made.
///
/// # Errors
/// When it cannot be made: no root, no debootstrap, no mirror.
pub(crate) fn directory() -> Result<PathBuf, HarnessError> {
    let cache = cache_directory()?.join("rootfs");
    let root = cache.join(format!("{SUITE}-{}", PACKAGES.replace(',', "_")));
    fs::create_dir_all(&cache).map_err(HarnessError::io("make the cache"))?;
    let lock = File::create(cache.join("lock")).map_err(HarnessError::io("make a lock"))?;
    lock.lock().map_err(HarnessError::io("lock the cache"))?;
    if !root.is_dir() {
        let fresh = cache.join("fresh");
        if fresh.exists() {
            fs::remove_dir_all(&fresh).map_err(HarnessError::io("remove an unfinished one"))?;
        }
        make(&fresh)?;
        fs::rename(&fresh, &root).map_err(HarnessError::io("move it into the cache"))?;
    }
    Ok(root)
}

fn make(fresh: &Path) -> Result<(), HarnessError> {
    eprintln!("making a Debian root file system: some minutes, the first time only …");
    let mut command = Command::new("debootstrap");
    command.arg("--variant=minbase").arg(format!("--include={PACKAGES}")).arg(SUITE).arg(fresh);
    command.arg(mirror()?).stdout(std::process::Stdio::null());
    let status = run_to_end("debootstrap", command).map_err(|_| HarnessError::Missing {
        what: "debootstrap does not run".to_owned(),
        fix: "apt-get install debootstrap, and be root".to_owned(),
    })?;
    if !status.success() {
        return Err(HarnessError::Failed {
            command: "debootstrap".to_owned(),
            status: status.to_string(),
            output: "see above".to_owned(),
        });
    }
    // Each machine makes an id of its own at its first boot.
    fs::write(fresh.join("etc/machine-id"), "").map_err(HarnessError::io("empty machine-id"))
}

/// Where this machine has its own packages from.
fn mirror() -> Result<String, HarnessError> {
    let lists = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];
    let texts = lists.iter().filter_map(|list| fs::read_to_string(list).ok());
    for text in texts {
        let named = text.lines().find_map(|line| {
            line.strip_prefix("URIs:")
                .or_else(|| line.strip_prefix("deb "))?
                .split_whitespace()
                .next()
        });
        if let Some(mirror) = named {
            return Ok(mirror.to_owned());
        }
    }
    Err(HarnessError::Missing {
        what: "apt's sources name no mirror".to_owned(),
        fix: "these tests run on Debian".to_owned(),
    })
}
