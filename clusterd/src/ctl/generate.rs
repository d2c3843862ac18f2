//! `clusterdctl generate`: man pages and completions, for the packages.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::CommandFactory;
use clap::builder::Resettable;
use clap_complete::Shell;
use clap_mangen::Man;

use super::args::{Args, GenerateCommand};
use super::failure::{Failure, code};

/// What follows the generated part of clusterdctl(1).
const PAGE_END: &str = include_str!("../../../packaging/man/clusterdctl.end");

pub(super) fn generate(command: &GenerateCommand) -> Result<u8, Failure> {
    let (dir, written) = match command {
        GenerateCommand::Man { dir } => (dir, man(dir)),
        GenerateCommand::Completions { dir } => (dir, completions(dir)),
    };
    let attempt = "write to";
    written.map_err(|source| Failure::File { attempt, path: dir.clone(), source })?;
    Ok(code::OK)
}

/// One page for the program, one for each command.
fn man(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut program = Args::command().disable_help_subcommand(true);
    program.build();
    page(&program, true, dir)
}

fn page(command: &clap::Command, top: bool, dir: &Path) -> io::Result<()> {
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        page(inner, false, dir)?;
    }
    // The exit codes have a section of their own, laid out as a list.
    let command = command.clone().after_long_help(Resettable::Reset);
    let man = Man::new(command).manual("Composite");
    let mut file = fs::File::create(dir.join(man.get_filename()))?;
    man.render(&mut file)?;
    if top {
        file.write_all(PAGE_END.as_bytes())?;
    } else {
        file.write_all(b".SH SEE ALSO\n.BR clusterdctl (1)\n")?;
    }
    file.flush()
}

fn completions(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Args::command(), "clusterdctl", dir)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::args::EXIT_CODES;

    #[test]
    fn every_command_has_its_page() {
        let dir = tempfile::tempdir().unwrap();
        man(dir.path()).unwrap();
        for page in ["clusterdctl", "clusterdctl-pin-add", "clusterdctl-state-import"] {
            let text = fs::read_to_string(dir.path().join(format!("{page}.1"))).unwrap();
            assert!(text.contains(".TH") && text.contains(".SH SEE ALSO"), "{page}");
        }
        assert!(!dir.path().join("clusterdctl-generate.1").exists());
    }

    #[test]
    fn completions_know_the_commands_of_each_shell() {
        let dir = tempfile::tempdir().unwrap();
        completions(dir.path()).unwrap();
        for file in ["clusterdctl.bash", "_clusterdctl", "clusterdctl.fish"] {
            assert!(fs::read_to_string(dir.path().join(file)).unwrap().contains("adopt"), "{file}");
        }
    }

    #[test]
    fn the_man_page_lists_the_exit_codes_of_the_help() {
        let codes: Vec<&str> = EXIT_CODES.lines().skip(1).collect();
        assert_eq!(codes.len(), 9);
        for line in codes {
            let code = line.split_whitespace().next().unwrap();
            assert!(PAGE_END.contains(&format!(".TP\n.B {code}\n")), "{code}");
        }
    }
}
