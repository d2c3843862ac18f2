//! `proxyd.toml`: raw values, then checked ones; every mistake is reported at once.

use std::collections::BTreeSet;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::config::{ConfigError, Faults};
use common::log;
use common::units::Seconds;
use serde::Deserialize;
use toml::Spanned;

use crate::guard::users::Users;
use crate::upstream::address::{self, Address};

/// Where the configuration is looked for when no file is named.
pub const DEFAULT_FILE: &str = "/etc/proxyd/proxyd.toml";
/// More threads than this help nobody: one moves gigabytes a second.
const THREADS_MAX: u16 = 64;

/// What to do where Kubo's address is proxyd's own.
pub const NOT_OWN: &str = "give the API address of the Kubo beside it, which is /ip4/127.0.0.1/tcp/5001 by default, or of another proxyd";

/// The checked configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where clients are awaited.
    pub listen: Vec<Address>,
    /// Who may use the Unix listeners.
    pub unix_users: Users,
    /// Kubo's RPC.
    pub ipfs: Address,
    /// clusterd's proxy socket.
    pub cluster: PathBuf,
    /// When a pin is answered.
    pub wait: Wait,
    /// Headers of Kubo that are repeated on answers of our own.
    pub extract_headers_extra: Vec<String>,
    /// Connections at a time; when all are taken, the one idle longest makes room.
    pub connections_max: usize,
    /// A connection to Kubo that takes longer is given up.
    pub connect_time_max: Duration,
    /// So long a stopping proxyd waits for requests under way.
    pub drain: Duration,
    /// Threads that serve.
    pub threads: u16,
    /// TLS on the TCP listeners.
    pub tls: Option<TlsFiles>,
    /// Form of the log.
    pub log_format: log::Format,
    /// Least grave message logged.
    pub log_level: log::Level,
}

/// When a pin is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// When enough peers hold it, as Kubo does.
    #[default]
    Pinned,
    /// When it is durable in the pinset, as Go's proxy does.
    Accepted,
}

/// Certificate chain and key, PEM: paths, or names of the unit's credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain.
    pub cert: PathBuf,
    /// The key.
    pub key: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![Address::local(9095)],
            unix_users: Users::default(),
            ipfs: Address::local(5001),
            cluster: "/run/clusterd/proxy.sock".into(),
            wait: Wait::default(),
            extract_headers_extra: Vec::new(),
            connections_max: 4096,
            connect_time_max: Duration::from_secs(5),
            drain: Duration::from_secs(10),
            threads: 1,
            tls: None,
            log_format: log::Format::default(),
            log_level: log::Level::default(),
        }
    }
}

impl Config {
    /// Loads the file; see [`common::config::load`].
    ///
    /// # Errors
    /// [`ConfigError`] when it cannot be read or has mistakes.
    pub fn load(given: Option<&Path>) -> Result<Self, ConfigError> {
        common::config::load(given, Path::new(DEFAULT_FILE), check)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    listen: Option<Vec<Spanned<String>>>,
    unix_uids: BTreeSet<u32>,
    ipfs: Option<Spanned<String>>,
    cluster: Option<PathBuf>,
    wait: Wait,
    extract_headers_extra: Vec<Spanned<String>>,
    connections_max: Option<NonZeroU16>,
    connect_timeout: Option<Seconds>,
    drain: Option<Seconds>,
    threads: Option<Spanned<NonZeroU16>>,
    tls: Option<Spanned<RawTls>>,
    log: RawLog,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawTls {
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLog {
    format: log::Format,
    level: log::Level,
}

fn check(raw: Raw, faults: &mut Faults) -> Option<Config> {
    let default = Config::default();
    let listen: Option<Vec<Address>> =
        raw.listen.map(|all| all.iter().filter_map(|a| address(a, faults)).collect());
    let ipfs = raw.ipfs.and_then(|text| ipfs(&text, listen.as_deref(), faults));
    let extract_headers_extra =
        raw.extract_headers_extra.iter().filter_map(|name| header_name(name, faults)).collect();
    Some(Config {
        listen: listen.unwrap_or(default.listen),
        unix_users: Users::new(raw.unix_uids),
        ipfs: ipfs.unwrap_or(default.ipfs),
        cluster: raw.cluster.unwrap_or(default.cluster),
        wait: raw.wait,
        extract_headers_extra,
        connections_max: raw.connections_max.map_or(default.connections_max, |n| n.get().into()),
        connect_time_max: raw.connect_timeout.map_or(default.connect_time_max, |s| s.0),
        drain: raw.drain.map_or(default.drain, |s| s.0),
        threads: raw.threads.map_or(default.threads, |n| threads(&n, faults)),
        tls: raw.tls.and_then(|tls| tls_files(tls, faults)),
        log_format: raw.log.format,
        log_level: raw.log.level,
    })
}

fn address(text: &Spanned<String>, faults: &mut Faults) -> Option<Address> {
    let parsed = Address::parse(text.as_ref());
    if parsed.is_none() {
        let words = format!("{:?} is no address of TCP or a Unix socket", text.as_ref());
        faults.add(text.span(), words, address::FORMS);
    }
    parsed
}

/// Kubo's address, which must not be one of those in the file where proxyd itself listens. Listeners that
/// are handed over are not known yet.
fn ipfs(
    text: &Spanned<String>,
    listen: Option<&[Address]>,
    faults: &mut Faults,
) -> Option<Address> {
    let parsed = address(text, faults)?;
    if listen.unwrap_or_default().iter().any(|own| parsed.leads_to(own)) {
        faults.add(text.span(), "proxyd itself listens at this address", NOT_OWN);
    }
    Some(parsed)
}

fn header_name(name: &Spanned<String>, faults: &mut Faults) -> Option<String> {
    if hyper::header::HeaderName::try_from(name.as_ref().as_str()).is_err() {
        faults.add(
            name.span(),
            format!("{:?} is no header name", name.as_ref()),
            "use a name such as \"X-Header\"",
        );
        return None;
    }
    Some(name.as_ref().clone())
}

fn threads(number: &Spanned<NonZeroU16>, faults: &mut Faults) -> u16 {
    let threads = number.as_ref().get();
    if threads > THREADS_MAX {
        let fix = format!("use 1 to {THREADS_MAX}; 1 is right nearly always");
        faults.add(number.span(), "too many threads", fix);
    }
    threads
}

fn tls_files(tls: Spanned<RawTls>, faults: &mut Faults) -> Option<TlsFiles> {
    let span = tls.span();
    match tls.into_inner() {
        RawTls { cert: Some(cert), key: Some(key) } => Some(TlsFiles { cert, key }),
        RawTls { cert: None, key: None } => None,
        RawTls { .. } => {
            faults.add(span, "TLS needs both a certificate and a key", "set both cert and key");
            None
        }
    }
}

#[cfg(test)]
mod shipped;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        common::config::parse(Path::new("proxyd.toml"), text, check)
    }

    #[test]
    fn an_empty_file_means_the_defaults() {
        assert_eq!(parse("").unwrap(), Config::default());
    }

    #[test]
    fn every_key_is_read() {
        let config = parse(
            r#"
            listen = ["/ip4/127.0.0.1/tcp/1", "/unix/run/x.sock"]
            unix_uids = [0, 1000]
            ipfs = "/dns4/kubo/tcp/5001"
            cluster = "/run/other.sock"
            wait = "accepted"
            extract_headers_extra = ["X-One"]
            connections_max = 7
            connect_timeout = "1s"
            drain = "2s"
            threads = 2
            [tls]
            cert = "cert.pem"
            key = "key.pem"
            [log]
            format = "json"
            level = "debug"
            "#,
        )
        .unwrap();
        assert_eq!(config.listen[1], Address::Unix("/run/x.sock".into()));
        assert_eq!(config.unix_users, Users::new([0, 1000].into()));
        assert_eq!((config.wait, config.connections_max, config.threads), (Wait::Accepted, 7, 2));
        assert_eq!(config.tls.map(|tls| tls.key), Some("key.pem".into()));
        assert_eq!((config.log_format, config.log_level), (log::Format::Json, log::Level::Debug));
    }

    #[test]
    fn all_mistakes_are_shown_at_once_with_what_to_do() {
        let text = "listen = [\"127.0.0.1:1\"]\nipfs = \"x\"\nthreads = 99\n[tls]\ncert = \"c\"\n";
        let report = parse(text).unwrap_err().to_string();
        for part in ["toml:1:11", "toml:2:8", "toml:3:11", "both cert and key", "/ip4/ADDRESS"] {
            assert!(report.contains(part), "{part} is not in:\n{report}");
        }
    }

    #[test]
    fn an_own_address_is_no_kubo() {
        let own = "listen = [\"/ip4/0.0.0.0/tcp/9\"]\nipfs = \"/ip4/127.0.0.1/tcp/9\"\n";
        let report = parse(own).unwrap_err().to_string();
        assert!(report.contains("toml:2:8") && report.contains("listens at this"), "{report}");
        // Another proxyd on the usual port, while the socket unit says where this one listens.
        assert!(parse("ipfs = \"/ip4/127.0.0.1/tcp/9095\"\n").is_ok());
    }

    #[test]
    fn no_stranger_gets_in() {
        assert!(parse("[tls]\ncertificate = \"c\"\n").is_err() && parse("lisen = []\n").is_err());
    }
}
