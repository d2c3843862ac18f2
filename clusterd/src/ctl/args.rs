//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum, ValueHint};

pub(super) use super::add_args::AddArgs;
pub(super) use super::health_args::{GraphArgs, MetricsArgs, TreeArgs};
pub(super) use super::peer_args::{PeerArgs, PeersCommand, RepinArgs};
pub(super) use super::pin_args::{PinAddArgs, PinLsArgs, PinRmArgs, PinUpdateArgs};
pub(super) use super::setup_args::{InviteArgs, JoinArgs, SetupArgs};

/// Shows and changes an IPFS cluster through the clusterd of this machine.
#[derive(Debug, Parser)]
#[command(name = "clusterdctl", version, max_term_width = 100, propagate_version = true)]
#[command(after_long_help = EXIT_CODES)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) common: CommonArgs,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Stands in the long help and in the man page.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    not done; standard error says why
  2    clusterd answered, but a pin asked for is not there or not held by enough peers
  64   the command line is wrong
  65   a record of an import, or an invitation, has a fault; standard error names it
  69   clusterd cannot be reached, or broke off
  77   no permission to use the socket
  78   `check` found a fault in a configuration
  130  broken off with Ctrl-C";

/// Options of every command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Options of every command")]
pub(super) struct CommonArgs {
    /// Write JSON for programs: one object a line for lists. Errors too are objects, on standard error
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Name of the instance, as in clusterd@NAME
    #[arg(short, long, global = true, value_name = "NAME", conflicts_with = "socket")]
    #[arg(value_parser = instance)]
    pub(super) instance: Option<String>,
    /// Control socket of clusterd [default: /run/clusterd/control.sock]
    #[arg(long, global = true, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(super) socket: Option<PathBuf>,
    /// Give up when clusterd is silent for so long (such as 30s); add, gc, import and adopt wait for ever
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration, default_value = "2m")]
    pub(super) timeout: Duration,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show this peer and its Kubo
    Id,
    /// Show counts and health of this peer
    Summary,
    /// Show the cluster from here: who is a member or silent, free space, queues, alerts
    Health,
    /// Show the same again every two seconds until Ctrl-C
    Top,
    /// Show what the members told lately
    Metrics(MetricsArgs),
    /// Show who is connected to whom: peers, their Kubos, and the lines between them
    Graph(GraphArgs),
    /// Show the clusters and Kubos below this cluster, and how far a pin is at each level
    ///
    /// The IPFS daemon of a peer may be another cluster. With a CID, the exit code is 2 unless this cluster has
    /// it pinned.
    Tree(TreeArgs),
    /// Show how far pins are, peer by peer
    ///
    /// With CIDs, the exit code is 2 unless each of them is held by enough peers.
    Status(StatusArgs),
    /// Add files or directories to the Kubo of this machine, and pin them in the cluster
    ///
    /// Each path is pinned by itself, unless --wrap puts a directory around all. The peers that are chosen
    /// beside this one fetch the content from its Kubo.
    Add(AddArgs),
    /// Pin, unpin and list pins
    Pin {
        #[command(subcommand)]
        command: PinCommand,
    },
    /// Try failed pins again now
    Recover(RecoverArgs),
    /// Save the pinset, or take records in
    State {
        #[command(subcommand)]
        command: StateCommand,
    },
    /// Take in what the Kubo of this machine has pinned already, with names
    ///
    /// From then on the cluster keeps these pins; nothing is fetched or copied before that.
    Adopt(AdoptArgs),
    /// Peers of the cluster
    Peers {
        #[command(subcommand)]
        command: PeersCommand,
    },
    /// Give the pins of a peer to others, where fewer than the minimum of holders are left without it
    ///
    /// For a peer that is gone for good, or before it is stopped. This peer moves them, one after the other,
    /// and the new holders fetch them. What the setting repin of the table replication does by itself is shown by -n.
    Repin(RepinArgs),
    /// Collect garbage in the Kubo of every peer
    Gc,
    /// Check configuration files before a restart
    ///
    /// Runs clusterd --check, or proxyd --check. Without a file the installed ones are checked.
    Check(CheckArgs),
    /// Make identity and secret of a new peer, where they are missing
    ///
    /// The packages do it at the first installation. An instance (-i NAME) needs it once, unless it joins.
    Init(SetupArgs),
    /// Print what the next machine needs to join the cluster, as text for `join`
    ///
    /// The text holds the cluster's secret: hand it over on a safe way, such as
    /// clusterdctl invite | ssh NEW sudo clusterdctl join
    Invite(InviteArgs),
    /// Join a cluster with the text of `invite` on standard input, before the first start
    ///
    /// Writes the secret and the addresses of the peers into the state directory.
    Join(JoinArgs),
    /// Show the versions of this program and of clusterd
    Version,
    /// Write man pages or shell completions
    #[command(hide = true)]
    Generate {
        #[command(subcommand)]
        command: GenerateCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum PinCommand {
    /// Pin CIDs or paths in the cluster
    ///
    /// The pin is accepted when the command returns; with --wait it returns when enough peers hold it.
    Add(PinAddArgs),
    /// Unpin CIDs or paths
    Rm(PinRmArgs),
    /// Pin something new with the options and allocations of a pin that is there
    ///
    /// Kubo then fetches only what differs. The old pin stays unless --unpin is given.
    Update(PinUpdateArgs),
    /// List the pinset, or show the records of some CIDs
    Ls(PinLsArgs),
}

#[derive(Debug, Subcommand)]
pub(super) enum StateCommand {
    /// Write all records, one JSON object a line, in the format of Go ipfs-cluster
    ///
    /// The cluster goes on working meanwhile. Counts go to standard error.
    Export(ExportArgs),
    /// Show the newest blocks of the pinset's history, and whether any is missing
    ///
    /// Peers with the same heads have the same pinset: compare with other peers, or with
    /// ipfs-cluster-service state crdt info.
    Heads,
    /// Take records in, in the format of Go ipfs-cluster
    ///
    /// Nothing is removed, and records that are there already write nothing: an import may be repeated.
    Import(ImportArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct StatusArgs {
    /// CIDs to show; without any, all pins are shown
    #[arg(value_name = "CID", value_parser = cid)]
    pub(super) cids: Vec<String>,
    /// Show only these states (comma list): error, queued, pinned, pinning, pin_error, …
    #[arg(long, value_name = "STATES")]
    pub(super) filter: Option<String>,
    /// Ask this peer alone
    #[arg(long)]
    pub(super) local: bool,
    /// Show it again every two seconds until Ctrl-C; without CIDs, only what is not pinned
    #[arg(short, long)]
    pub(super) watch: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct RecoverArgs {
    /// CIDs to try again; without any, everything that failed
    #[arg(value_name = "CID", value_parser = cid)]
    pub(super) cids: Vec<String>,
    /// The same as giving no CID
    #[arg(long, conflicts_with = "cids")]
    pub(super) all: bool,
    /// At this peer alone
    #[arg(long)]
    pub(super) local: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    /// File to write; it appears when it is complete [default: standard output]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// File to read; - for standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, default_value = "-")]
    pub(super) file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct AdoptArgs {
    /// Show what would be taken in, and change nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// Configuration file; those named proxyd… or in a directory named proxyd are proxyd's
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: Option<PathBuf>,
    /// Whose configuration FILE is, where its name does not tell
    #[arg(long, value_name = "DAEMON", requires = "file")]
    pub(super) daemon: Option<Daemon>,
}

/// The two daemons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Daemon {
    /// The keeper of the pinset.
    Clusterd,
    /// The face towards clients.
    Proxyd,
}

#[derive(Debug, Subcommand)]
pub(super) enum GenerateCommand {
    /// Man pages of clusterdctl and its commands
    Man {
        /// Directory to write to
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
    /// Completions for bash, zsh and fish
    Completions {
        /// Directory to write to
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
}

/// Checks a CID and gives it as the cluster writes it.
pub(super) fn cid(text: &str) -> Result<String, String> {
    let hint = match text.contains('/') {
        true => "; this command takes CIDs, no paths",
        false => "",
    };
    match text.parse::<common::ids::Cid>() {
        Ok(cid) => Ok(cid.to_string()),
        Err(error) => Err(format!("{error}{hint}")),
    }
}

/// Reads a duration above zero, as Go's programs take it.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let nanos = common::go_duration::parse(text).map_err(|e| format!("{e}; write 30s or 1h30m"))?;
    match u64::try_from(nanos) {
        Ok(nanos) if nanos > 0 => Ok(Duration::from_nanos(nanos)),
        _ => Err("it must be above zero".to_owned()),
    }
}

/// An instance's name becomes part of paths.
fn instance(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.');
    match !text.is_empty() && !text.starts_with('.') && text.chars().all(fits) {
        true => Ok(text.to_owned()),
        false => Err("an instance is named with letters, digits, - and _".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Args::command().debug_assert();
    }

    #[test]
    fn an_instance_cannot_lead_out_of_its_directory() {
        assert!(instance("main").is_ok());
        for bad in ["", "../x", "a/b", ".hidden"] {
            assert!(instance(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_where_a_cid_belongs_is_said_to_be_one() {
        assert!(cid("/ipfs/Qm").unwrap_err().contains("no paths"));
        assert!(duration("0s").is_err() && duration("5").is_err());
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
    }
}
