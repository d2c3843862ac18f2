//! The command line of `peers` and `repin`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum PeersCommand {
    /// List all peers
    Ls,
    /// Forget a peer that is gone for good
    ///
    /// It must be stopped. Where re-allocation is switched on its pins go to other peers; else see `repin`.
    Rm(PeerArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct PeerArgs {
    /// Id of the peer, as `peers ls` shows it
    #[arg(value_name = "PEER", value_parser = peer)]
    pub(super) peer: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct RepinArgs {
    #[command(flatten)]
    pub(super) of: PeerArgs,
    /// Show what would move, and change nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
}

/// Checks the id of a peer and gives it as the cluster writes it.
fn peer(text: &str) -> Result<String, String> {
    let id = text.parse::<common::ids::PeerId>();
    id.map(|peer| peer.to_string()).map_err(|error| error.to_string())
}
