//! Options of `clusterdctl add`, with the names that Go's ipfs-cluster-ctl has for them.

use std::path::PathBuf;

use clap::ValueHint;
use common::api::add::{AddOptions, Format, Layout};
use common::pin::PinMode;

use super::failure::Failure;
use super::pin_args::{OptionArgs, WaitArgs};

#[derive(Debug, clap::Args)]
pub(super) struct AddArgs {
    /// Files and directories; - for standard input
    #[arg(value_name = "PATH", required = true, value_hint = ValueHint::AnyPath)]
    pub(super) paths: Vec<PathBuf>,
    /// Show CIDs alone
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// Show the last CID alone: that of the path, or of the directory around all
    #[arg(short = 'Q', long, conflicts_with = "quiet")]
    pub(super) quieter: bool,
    #[command(flatten)]
    pub(super) options: OptionArgs,
    #[command(flatten)]
    import: ImportOptions,
    #[command(flatten)]
    pub(super) wait: WaitArgs,
}

/// How files become blocks.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Importing")]
struct ImportOptions {
    /// Put a directory around all paths
    #[arg(long, visible_alias = "wrap")]
    wrap_with_directory: bool,
    /// Take hidden files of directories too
    #[arg(short = 'H', long)]
    hidden: bool,
    /// Version of the CIDs: 0 or 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=1))]
    cid_version: Option<u8>,
    /// How files are cut: size-BYTES, rabin-MIN-AVG-MAX, buzhash
    #[arg(short = 's', long, value_name = "CHUNKER")]
    chunker: Option<String>,
    /// Make leaves of bare bytes [default: with CIDs of version 1]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true")]
    raw_leaves: Option<bool>,
    /// The hash of blocks, such as blake2b-256; implies version 1
    #[arg(long, value_name = "HASH")]
    hash: Option<String>,
    /// The tree that a file becomes: balanced or trickle
    #[arg(long, value_name = "LAYOUT", default_value = "balanced", value_parser = layout)]
    layout: Layout,
    /// What is added: unixfs (files and directories), or car (one CAR file)
    #[arg(long, value_name = "FORMAT", default_value = "unixfs", value_parser = format)]
    format: Format,
    /// Put the blocks into the Kubo of this machine, and pin nothing
    #[arg(long)]
    no_pin: bool,
}

impl AddArgs {
    /// Whether hidden files in directories are taken.
    pub(super) fn hidden(&self) -> bool {
        self.import.hidden
    }

    /// What is asked for. `now` is in seconds since 1970.
    pub(super) fn asked(&self, now: u64) -> Result<AddOptions, Failure> {
        let import = &self.import;
        let standard = AddOptions::default();
        let hash = import.hash.clone().unwrap_or_else(|| standard.hash.clone());
        let cid_version = import.cid_version.unwrap_or(u8::from(hash != standard.hash));
        if import.format == Format::Car && (self.paths.len() > 1 || import.wrap_with_directory) {
            let words = "a CAR file is added alone, and cannot be wrapped";
            return Err(Failure::Usage(words.to_owned()));
        }
        let pin = self.options.options(now)?;
        if pin.mode == PinMode::Direct {
            return Err(Failure::Usage("what is added is pinned recursively".to_owned()));
        }
        Ok(AddOptions {
            pin,
            local: true,
            wrap: import.wrap_with_directory,
            no_pin: import.no_pin,
            format: import.format,
            layout: import.layout,
            chunker: import.chunker.clone().unwrap_or(standard.chunker),
            raw_leaves: import.raw_leaves.unwrap_or(cid_version > 0),
            cid_version,
            hash,
            progress: false,
            stream: true,
            no_copy: false,
        })
    }
}

fn layout(text: &str) -> Result<Layout, String> {
    match text {
        "balanced" => Ok(Layout::Balanced),
        "trickle" => Ok(Layout::Trickle),
        _ => Err("give balanced or trickle".to_owned()),
    }
}

fn format(text: &str) -> Result<Format, String> {
    match text {
        "unixfs" => Ok(Format::Unixfs),
        "car" => Ok(Format::Car),
        _ => Err("give unixfs or car".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::args::{Args, Command};
    use clap::Parser;

    fn add(words: &[&str]) -> Result<AddArgs, clap::Error> {
        let command = Args::try_parse_from(["clusterdctl", "add"].iter().chain(words))?.command;
        let Command::Add(args) = command else { panic!("read as {command:?}") };
        Ok(args)
    }

    #[test]
    fn what_is_left_out_is_as_in_go() {
        let standard = AddOptions { local: true, ..AddOptions::default() };
        assert_eq!(add(&["x"]).unwrap().asked(0).unwrap(), standard);
        let asked = add(&["--hash", "blake2b-256", "x"]).unwrap().asked(0).unwrap();
        assert_eq!((asked.cid_version, asked.raw_leaves), (1, true));
        let asked = add(&["--cid-version", "1", "--raw-leaves=false", "x"]).unwrap().asked(0);
        assert!(!asked.unwrap().raw_leaves);
    }

    #[test]
    fn wrong_words_are_refused() {
        for words in [
            &[][..],
            &["--cid-version", "2", "x"],
            &["--layout", "flat", "x"],
            &["--format", "zip", "x"],
            &["-q", "-Q", "x"],
        ] {
            assert!(add(words).is_err(), "{words:?}");
        }
        assert!(add(&["--mode", "direct", "x"]).unwrap().asked(0).is_err());
        assert!(add(&["--format", "car", "x", "y"]).unwrap().asked(0).is_err());
        assert!(add(&["--format", "car", "--wrap", "x"]).unwrap().asked(0).is_err());
    }
}
