//! The log: the journal when it is there, else lines on standard error; and the field names.
//!
//! Messages are constant; facts go in fields, of these names only: `request_id`, `cid`, `peer`,
//! `endpoint`, `outcome`, `error`, `attempt`, `phase`, `head`, `height`, `duration_ms`, `bytes`,
//! `path`, `address`, `count`. In the journal they are `F_CID=…` and so on.

use std::os::unix::fs::MetadataExt;

use serde::Deserialize;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Where log lines go, and in which form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The journal if standard error is connected to it, else text.
    #[default]
    Auto,
    /// Text lines on standard error.
    Text,
    /// One JSON object a line on standard error.
    Json,
}

/// The least grave message that is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// An operator must act.
    Error,
    /// Degraded, and healing.
    Warn,
    /// A pin, a peer or the daemon changed.
    #[default]
    Info,
    /// Each request.
    Debug,
}

impl Level {
    fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
        }
    }
}

/// Libraries whose failures come back as errors, which we tell in words of our own.
const LIBRARIES: [&str; 7] =
    ["fjall", "lsm_tree", "libp2p", "multistream_select", "yamux", "hickory", "netlink"];

/// Starts logging, once in a program. Where the journal cannot be reached, text is used.
pub fn init(format: Format, level: Level) {
    let mut filter = Targets::new().with_default(level.filter());
    if level < Level::Debug {
        filter = filter.with_targets(LIBRARIES.map(|library| (library, LevelFilter::OFF)));
    }
    let registry = tracing_subscriber::registry().with(filter);
    let text = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    match (format, journal(format)) {
        (Format::Auto, Some(journal)) => registry.with(journal).init(),
        (Format::Json, _) => registry.with(text.json().flatten_event(true)).init(),
        (Format::Auto | Format::Text, _) => registry.with(text.with_ansi(false)).init(),
    }
}

fn journal(format: Format) -> Option<tracing_journald::Layer> {
    if format != Format::Auto || !stderr_is_journal() {
        return None;
    }
    let priorities = tracing_journald::PriorityMappings {
        // The default maps info to "notice"; ours keeps the words of both sides the same.
        info: tracing_journald::Priority::Informational,
        ..tracing_journald::PriorityMappings::new()
    };
    tracing_journald::layer().ok().map(|layer| layer.with_priority_mappings(priorities))
}

/// Whether systemd connected our standard error to the journal. Source: systemd.exec(5), JOURNAL_STREAM.
fn stderr_is_journal() -> bool {
    let Some(stream) = std::env::var("JOURNAL_STREAM").ok() else {
        return false;
    };
    let Ok(stderr) = std::fs::metadata("/proc/self/fd/2") else {
        return false;
    };
    stream == format!("{}:{}", stderr.dev(), stderr.ino())
}
