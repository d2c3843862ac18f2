//! Finds the real Kubo and Go ipfs-cluster, or builds them from their pinned modules.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::HarnessError;
use crate::program::run_to_end;

/// A Go program that tests run against. Its `go.mod` under `tests/peers` pins the version.
#[derive(Debug)]
struct Peer {
    binary: &'static str,
    package: &'static str,
    version_args: &'static [&'static str],
    go_mod: &'static str,
    go_sum: &'static str,
}

const KUBO: Peer = Peer {
    binary: "ipfs",
    package: "github.com/ipfs/kubo/cmd/ipfs",
    version_args: &["version", "--number"],
    go_mod: include_str!("../peers/kubo/go.mod"),
    go_sum: include_str!("../peers/kubo/go.sum"),
};

const CLUSTER_SERVICE: Peer = Peer {
    binary: "ipfs-cluster-service",
    package: "github.com/ipfs-cluster/ipfs-cluster/cmd/ipfs-cluster-service",
    version_args: &["--version"],
    go_mod: include_str!("../peers/ipfs-cluster/go.mod"),
    go_sum: include_str!("../peers/ipfs-cluster/go.sum"),
};

const CLUSTER_CTL: Peer = Peer {
    binary: "ipfs-cluster-ctl",
    package: "github.com/ipfs-cluster/ipfs-cluster/cmd/ipfs-cluster-ctl",
    ..CLUSTER_SERVICE
};

/// The `ipfs` program: `$IPFS_BIN`, else one of the pinned minor version in `PATH`, else built.
///
/// # Errors
/// When `$IPFS_BIN` does not run, or nothing is found and it cannot be built.
pub fn kubo() -> Result<PathBuf, HarnessError> {
    if let Some(named) = std::env::var_os("IPFS_BIN").filter(|name| !name.is_empty()) {
        // Made absolute, as commands run in other directories; a bare name is looked up in PATH.
        let named = PathBuf::from(named);
        let binary = named.canonicalize().unwrap_or(named);
        return match KUBO.version_of(&binary) {
            Some(_) => Ok(binary),
            None => Err(HarnessError::Missing {
                what: format!("$IPFS_BIN ({}) does not run", binary.display()),
                fix: "let IPFS_BIN name an `ipfs` program that runs, or unset it".to_owned(),
            }),
        };
    }
    let pinned = KUBO.pinned_version();
    // A patch release may differ: the contract between clients and Kubo changes with minor ones.
    let minor = pinned.rsplit_once('.').map_or(pinned, |(minor, _)| minor);
    let in_path = Path::new(KUBO.binary);
    match KUBO.version_of(in_path) {
        Some(found) if found.starts_with(&format!("{minor}.")) => Ok(in_path.to_owned()),
        Some(_) | None => KUBO.cached_or_built(),
    }
}

/// The `ipfs-cluster-service` program of Go ipfs-cluster, from the cache or built.
///
/// # Errors
/// When it cannot be built.
pub fn cluster_service() -> Result<PathBuf, HarnessError> {
    CLUSTER_SERVICE.cached_or_built()
}

/// The `ipfs-cluster-ctl` program of Go ipfs-cluster, from the cache or built.
///
/// # Errors
/// When it cannot be built.
pub fn cluster_ctl() -> Result<PathBuf, HarnessError> {
    CLUSTER_CTL.cached_or_built()
}

impl Peer {
    /// The version that `go.mod` requires, without the `v`.
    fn pinned_version(&self) -> &'static str {
        let required = self.go_mod.lines().find_map(|line| line.strip_prefix("require "));
        required.and_then(|line| line.rsplit_once(" v")).map_or("", |(_, version)| version.trim())
    }

    /// What a binary says its version is; `None` when it does not run.
    fn version_of(&self, binary: &Path) -> Option<String> {
        let output =
            Command::new(binary).args(self.version_args).stderr(Stdio::null()).output().ok()?;
        let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
        text.split_whitespace().last().map(str::to_owned)
    }

    fn cached_or_built(&self) -> Result<PathBuf, HarnessError> {
        let cache = cache_directory()?;
        let binary = cache.join("bin").join(self.binary);
        let is_right = || self.version_of(&binary).is_some_and(|v| v == self.pinned_version());
        if is_right() {
            return Ok(binary);
        }
        fs::create_dir_all(cache.join("bin")).map_err(HarnessError::io("make the cache"))?;
        // Several test processes may find it missing at once; the first one builds.
        let lock = File::create(cache.join(format!("{}.lock", self.binary)))
            .map_err(HarnessError::io("make a build lock"))?;
        lock.lock().map_err(HarnessError::io("lock the build"))?;
        if !is_right() {
            self.build(&cache, &binary)?;
        }
        Ok(binary)
    }

    /// Builds in a copy of the module, so that the work tree stays clean.
    fn build(&self, cache: &Path, binary: &Path) -> Result<(), HarnessError> {
        let (name, version) = (self.binary, self.pinned_version());
        eprintln!("building {name} {version} with Go: some minutes, the first time only …");
        let module = cache.join(format!("build-{name}"));
        fs::create_dir_all(&module).map_err(HarnessError::io("make a build directory"))?;
        for (file, text) in [("go.mod", self.go_mod), ("go.sum", self.go_sum)] {
            fs::write(module.join(file), text)
                .map_err(HarnessError::io(format!("write {file}")))?;
        }
        let fresh = module.join(name);
        let mut go = Command::new("go");
        go.args(["build", "-mod=mod", "-buildvcs=false", "-o"]);
        go.args([&fresh, Path::new(self.package)]).current_dir(&module);
        let status = run_to_end("go build", go).map_err(|_| HarnessError::Missing {
            what: format!("Go is missing, and {name} {version} must be built"),
            fix: "install Go 1.26 or newer (https://go.dev/dl); for Kubo it also helps to put \
                  `ipfs` 0.42 into PATH or to name it in IPFS_BIN"
                .to_owned(),
        })?;
        if !status.success() {
            return Err(HarnessError::Failed {
                command: format!("go build {}", self.package),
                status: status.to_string(),
                output: "see above".to_owned(),
            });
        }
        fs::rename(&fresh, binary).map_err(HarnessError::io("move the binary into the cache"))?;
        fs::remove_dir_all(&module).map_err(HarnessError::io("remove the build directory"))
    }
}

/// `$HOME/.cache/composite`, where what is built or installed for tests is kept.
///
/// # Errors
/// When `HOME` is not set.
pub fn cache_directory() -> Result<PathBuf, HarnessError> {
    match std::env::var_os("HOME") {
        Some(home) => Ok(PathBuf::from(home).join(".cache/composite")),
        None => Err(HarnessError::Missing {
            what: "the variable HOME is not set".to_owned(),
            fix: "set it: built programs are kept in $HOME/.cache/composite".to_owned(),
        }),
    }
}
