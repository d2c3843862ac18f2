//! `clusterdctl check`: lets the daemons look at their configuration.
//!
//! What a key may hold is known to the daemon alone, so the installed daemon is asked.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::args::{CheckArgs, Daemon};
use super::failure::{Failure, code};
use super::render::say;

impl Daemon {
    const ALL: [Self; 2] = [Self::Clusterd, Self::Proxyd];

    fn name(self) -> &'static str {
        match self {
            Self::Clusterd => "clusterd",
            Self::Proxyd => "proxyd",
        }
    }

    /// Whose file it is: by its own name (proxyd.toml), else by that of its directory
    /// (/etc/proxyd/sub.toml), else clusterd's.
    fn of(file: &Path) -> Self {
        let begins = |part: Option<&std::ffi::OsStr>, daemon: Self| {
            part.is_some_and(|part| part.to_string_lossy().starts_with(daemon.name()))
        };
        let directory = file.parent().and_then(Path::file_name);
        Self::ALL
            .into_iter()
            .find(|daemon| begins(file.file_name(), *daemon))
            .or_else(|| Self::ALL.into_iter().find(|daemon| begins(directory, *daemon)))
            .unwrap_or(Self::Clusterd)
    }
}

/// Checks one file, or what is installed. The code is that of the first daemon that complains.
pub(super) fn check(instance: Option<&str>, args: &CheckArgs) -> Result<u8, Failure> {
    if let Some(file) = &args.file {
        let daemon = args.daemon.unwrap_or_else(|| Daemon::of(file));
        return run(daemon, program(daemon), Some(file));
    }
    let mut first = code::OK;
    for daemon in Daemon::ALL {
        let program = program(daemon);
        if daemon == Daemon::Proxyd && program.is_none() {
            say("clusterdctl: proxyd is not installed here; its configuration was not checked");
            continue;
        }
        let file =
            instance.map(|name| PathBuf::from(format!("/etc/{}/{name}.toml", daemon.name())));
        let code = run(daemon, program, file.as_deref())?;
        first = if first == code::OK { code } else { first };
    }
    Ok(first)
}

fn run(daemon: Daemon, program: Option<PathBuf>, file: Option<&Path>) -> Result<u8, Failure> {
    let name = daemon.name();
    let Some(program) = program else {
        let words = format!("{name} is not installed here, so its configuration cannot be checked");
        return Err(Failure::System {
            attempt: "check",
            source: io::Error::new(io::ErrorKind::NotFound, words),
        });
    };
    let mut command = Command::new(&program);
    command.arg("--check");
    if let Some(file) = file {
        command.arg("--config").arg(file);
    }
    let attempt = "run";
    let status =
        command.status().map_err(|source| Failure::File { attempt, path: program, source })?;
    // A daemon killed by a signal has no code.
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(code::FAILED);
    if code != code::OK {
        say(&format!("clusterdctl: {name}: the configuration has faults (see above)"));
    }
    Ok(code)
}

/// The daemon beside this program, else in the search path.
pub(super) fn program(daemon: Daemon) -> Option<PathBuf> {
    let own = std::env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent).map(Path::to_owned);
    let path = std::env::var_os("PATH").unwrap_or_default();
    beside
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|directory| directory.join(daemon.name()))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_name_or_its_directory() {
        for (file, daemon) in [
            ("/etc/proxyd/proxyd.toml", Daemon::Proxyd),
            ("/etc/proxyd/sub.toml", Daemon::Proxyd),
            ("/etc/clusterd/sub.toml", Daemon::Clusterd),
            ("/tmp/proxyd-new.toml", Daemon::Proxyd),
            ("/etc/proxyd/clusterd.toml", Daemon::Clusterd),
            ("x.toml", Daemon::Clusterd),
        ] {
            assert_eq!(Daemon::of(Path::new(file)), daemon, "{file}");
        }
    }
}
