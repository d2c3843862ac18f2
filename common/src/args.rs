//! The command line of both daemons.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

use crate::lifecycle::exit;

/// What a daemon is told on its command line; all else stands in its configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
pub struct DaemonArgs {
    /// Configuration file; without this option the default one, which may be missing.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Check the configuration, say what is wrong with it, and end.
    #[arg(long)]
    pub check: bool,
    /// Let the daemon with this process id read its configuration again, and end.
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub reload: Option<i32>,
}

/// Reads the command line of daemon `name`. Ends the program after `--help` and `--version`,
/// and with [`exit::USAGE`] when the command line is wrong.
#[must_use]
pub fn parse_or_exit<A: Parser>(
    name: &'static str,
    about: &'static str,
    version: &'static str,
) -> A {
    match read(name, about, version, std::env::args_os()) {
        Ok(args) => args,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { exit::OK };
            // Nothing is left to do when the terminal is gone.
            drop(error.print());
            std::process::exit(code);
        }
    }
}

fn read<A: Parser>(
    name: &'static str,
    about: &'static str,
    version: &'static str,
    words: impl IntoIterator<Item = OsString>,
) -> Result<A, clap::Error> {
    let command = A::command().name(name).about(about).version(version);
    A::from_arg_matches(&command.try_get_matches_from(words)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<DaemonArgs, clap::Error> {
        super::read("proxyd", "", "1", words.iter().map(OsString::from))
    }

    #[test]
    fn a_config_file_and_check_are_all_there_is() {
        let args = read(&["proxyd", "--config", "/etc/x.toml", "--check"]).unwrap();
        assert_eq!(
            args,
            DaemonArgs { config: Some("/etc/x.toml".into()), check: true, reload: None }
        );
        assert!(read(&["proxyd", "--port", "1"]).unwrap_err().use_stderr());
        assert!(!read(&["proxyd", "--version"]).unwrap_err().use_stderr());
    }
}
