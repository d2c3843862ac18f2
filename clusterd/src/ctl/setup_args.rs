//! The options of `init`, `invite` and `join`.

use std::path::PathBuf;

use clap::ValueHint;
use multiaddr::Multiaddr;

#[derive(Debug, clap::Args)]
pub(super) struct SetupArgs {
    /// Configuration file of a clusterd that is no unit of the package
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "instance")]
    pub(super) config: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct InviteArgs {
    #[command(flatten)]
    pub(super) setup: SetupArgs,
    /// Where others reach this peer, as /dns4/NAME/tcp/9096; may be repeated [default: its interfaces]
    #[arg(long, value_name = "MULTIADDR")]
    pub(super) address: Vec<Multiaddr>,
}

#[derive(Debug, clap::Args)]
pub(super) struct JoinArgs {
    #[command(flatten)]
    pub(super) setup: SetupArgs,
    /// Replace the secret of another cluster that this peer was in
    #[arg(long)]
    pub(super) force: bool,
}
