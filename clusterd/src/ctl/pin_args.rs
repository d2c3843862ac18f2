//! Options of the commands that pin, with the names that Go's ipfs-cluster-ctl has for them.

use std::collections::BTreeMap;
use std::time::Duration;

use common::api::options::PinOptions;
use common::api::time::WireTime;
use common::ids::{Cid, PeerId};
use common::pin::{PinMode, Replication};
use multiaddr::Multiaddr;

use super::args::duration;
use super::failure::Failure;

/// How long, and for how many peers, a command waits.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Waiting")]
pub(super) struct WaitArgs {
    /// Return when enough peers are done
    #[arg(short, long)]
    pub(super) wait: bool,
    /// So many peers are enough [default: the pin's replication minimum]
    #[arg(long, visible_alias = "wl", value_name = "PEERS", requires = "wait")]
    pub(super) wait_limit: Option<usize>,
    /// Stop waiting after so long; the pin goes on
    #[arg(long, visible_alias = "wt", value_name = "DURATION", requires = "wait")]
    #[arg(value_parser = duration)]
    pub(super) wait_timeout: Option<Duration>,
    /// Do not ask for the status afterwards
    #[arg(long, visible_alias = "ns")]
    pub(super) no_status: bool,
}

/// What may be said about a new pin.
#[derive(Debug, clap::Args)]
pub(super) struct OptionArgs {
    /// Peers that shall hold it: a number, or everywhere
    #[arg(short, long, value_name = "N", value_parser = factor, allow_hyphen_values = true)]
    #[arg(conflicts_with_all = ["replication_min", "replication_max"])]
    replication: Option<i32>,
    /// Fewest peers that make it pinned
    #[arg(long, visible_alias = "rmin", value_name = "N", value_parser = factor)]
    #[arg(allow_hyphen_values = true, requires = "replication_max")]
    replication_min: Option<i32>,
    /// Most peers that hold it
    #[arg(long, visible_alias = "rmax", value_name = "N", value_parser = factor)]
    #[arg(allow_hyphen_values = true, requires = "replication_min")]
    replication_max: Option<i32>,
    /// Peers to prefer (comma list of peer ids)
    #[arg(long, visible_alias = "allocs", value_name = "PEERS", value_delimiter = ',')]
    allocations: Vec<PeerId>,
    /// Name of the pin
    #[arg(short, long)]
    name: Option<String>,
    /// The whole DAG, or its one block
    #[arg(long, default_value = "recursive", value_parser = mode)]
    mode: PinMode,
    /// Unpin it by itself after so long
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "expire_at")]
    expire_in: Option<Duration>,
    /// Unpin it by itself at this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = expiry)]
    expire_at: Option<u64>,
    /// A pair to keep with the pin; may be given again
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// Addresses of nodes that have the content (comma list, each with /p2p/…)
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',')]
    origins: Vec<Multiaddr>,
}

#[derive(Debug, clap::Args)]
pub(super) struct PinAddArgs {
    /// CIDs or paths (/ipfs/…, /ipns/…)
    #[arg(value_name = "CID|PATH", required = true)]
    pub(super) targets: Vec<String>,
    #[command(flatten)]
    pub(super) options: OptionArgs,
    #[command(flatten)]
    pub(super) wait: WaitArgs,
}

impl OptionArgs {
    /// What is asked for. `now` is in seconds since 1970.
    pub(super) fn options(&self, now: u64) -> Result<PinOptions, Failure> {
        let (min, max) = match self.replication {
            Some(both) => (both, both),
            None => (self.replication_min.unwrap_or(0), self.replication_max.unwrap_or(0)),
        };
        let replication = Replication::from_factors(min, max)
            .map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(PinOptions {
            replication,
            name: self.name.clone().unwrap_or_default(),
            mode: self.mode,
            user_allocations: self.allocations.clone(),
            expires_at: after(self.expire_in, now).or(self.expire_at),
            metadata: BTreeMap::from_iter(self.metadata.iter().cloned()),
            update_from: None,
            origins: self.origins.clone(),
        })
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct PinRmArgs {
    /// CIDs or paths (/ipfs/…, /ipns/…)
    #[arg(value_name = "CID|PATH", required = true)]
    pub(super) targets: Vec<String>,
    #[command(flatten)]
    pub(super) wait: WaitArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct PinUpdateArgs {
    /// The pin that is there
    #[arg(value_name = "FROM")]
    pub(super) from: Cid,
    /// What to pin
    #[arg(value_name = "TO")]
    pub(super) to: String,
    /// Name of the new pin [default: that of the old one]
    #[arg(short, long)]
    name: Option<String>,
    /// Unpin the new one by itself after so long
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    expire_in: Option<Duration>,
    /// Unpin FROM when TO is pinned; implies --wait
    #[arg(long)]
    pub(super) unpin: bool,
    #[command(flatten)]
    pub(super) wait: WaitArgs,
}

impl PinUpdateArgs {
    /// What is asked for. `now` is in seconds since 1970.
    pub(super) fn options(&self, now: u64) -> PinOptions {
        PinOptions {
            name: self.name.clone().unwrap_or_default(),
            expires_at: after(self.expire_in, now),
            update_from: Some(self.from),
            ..PinOptions::default()
        }
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct PinLsArgs {
    /// CIDs to show; without any, all records are listed
    #[arg(value_name = "CID", value_parser = super::args::cid)]
    pub(super) cids: Vec<String>,
    /// Only records of these types (comma list): all, pin, meta-pin, clusterdag-pin, shard-pin
    #[arg(long, value_name = "TYPES", default_value = "all", conflicts_with = "cids")]
    pub(super) filter: String,
}

fn after(wait: Option<Duration>, now: u64) -> Option<u64> {
    wait.map(|wait| now.saturating_add(wait.as_secs().max(1)))
}

fn factor(text: &str) -> Result<i32, String> {
    if text == "everywhere" {
        return Ok(-1);
    }
    text.parse().map_err(|_| "give a number, or everywhere".to_owned())
}

fn mode(text: &str) -> Result<PinMode, String> {
    [PinMode::Recursive, PinMode::Direct]
        .into_iter()
        .find(|mode| mode.as_str() == text)
        .ok_or_else(|| "give recursive or direct".to_owned())
}

fn expiry(text: &str) -> Result<u64, String> {
    let time = WireTime::parse(text).map_err(|e| format!("{e}; write 2027-01-31T12:00:00Z"))?;
    time.seconds()
        .and_then(|seconds| u64::try_from(seconds).ok())
        .ok_or_else(|| "it lies before 1970".to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::args::{Args, Command, PinCommand};
    use clap::Parser;

    const CID: &str = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPBdX";

    fn add(words: &[&str]) -> Result<PinAddArgs, clap::Error> {
        let words = ["clusterdctl", "pin", "add"].iter().chain(words);
        let command = Args::try_parse_from(words)?.command;
        let Command::Pin { command: PinCommand::Add(args) } = command else {
            panic!("read as {command:?}")
        };
        Ok(args)
    }

    #[test]
    fn a_command_line_of_gos_ctl_is_taken() {
        let words = [
            "--rmin",
            "1",
            "--rmax",
            "3",
            "-n",
            "x",
            "--expire-in",
            "1h",
            "--metadata",
            "a=b=c",
            "--wait",
            "--wt",
            "10s",
            "--wl",
            "2",
            CID,
        ];
        let options = add(&words).unwrap().options.options(1_000).unwrap();
        assert_eq!(options.replication, Replication::from_factors(1, 3).unwrap());
        assert_eq!((options.name.as_str(), options.expires_at), ("x", Some(4_600)));
        assert_eq!(options.metadata["a"], "b=c");
    }

    #[test]
    fn everywhere_is_minus_one() {
        for word in ["-1", "everywhere"] {
            let options = add(&["-r", word, CID]).unwrap().options.options(0).unwrap();
            assert_eq!(options.replication, Some(Replication::Everywhere));
        }
        assert!(add(&["-r", "-2", CID]).unwrap().options.options(0).is_err());
    }

    #[test]
    fn wrong_words_are_refused() {
        for words in [
            &["--mode", "deep", CID][..],
            &["--rmin", "2", CID],
            &["--metadata", "=x", CID],
            &["--expire-in", "1d", CID],
            &["--expire-at", "tomorrow", CID],
            &["--wait-limit", "2", CID],
            &["--origins", "example.org", CID],
            &[],
        ] {
            assert!(add(words).is_err(), "{words:?}");
        }
    }
}
