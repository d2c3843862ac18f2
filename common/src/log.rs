//! The log: the journal when it is there, else lines on standard error; and the field names.
//!
//! Messages are constant; facts go in fields, of these names only: `request_id`, `cid`, `peer`,
//! `endpoint`, `outcome`, `error`, `attempt`, `phase`, `head`, `height`, `duration_ms`, `bytes`,
//! `path`, `address`, `count`, `ring`. In the journal they are `F_CID=…` and so on.

use std::os::unix::fs::MetadataExt;

use serde::Deserialize;
use tracing_subscriber::filter::{LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

use crate::messages;

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

/// Changes the level of a log that runs already.
#[derive(Debug, Clone)]
pub struct Volume(reload::Handle<Targets, Registry>);

impl Volume {
    /// From now on messages of this level and graver ones are logged.
    pub fn set(&self, level: Level) {
        // The log ends with the process, so it is there.
        drop(self.0.reload(filter(level)));
    }
}

/// Starts logging, once in a program. Where the journal cannot be reached, text is used.
pub fn init(format: Format, level: Level) -> Volume {
    let (filter, volume) = reload::Layer::new(filter(level));
    let registry = tracing_subscriber::registry().with(filter);
    let text = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    match (format, journal(format)) {
        (Format::Auto, Some(journal)) => registry.with(journal).init(),
        (Format::Json, _) => registry.with(text.json().flatten_event(true)).init(),
        (Format::Auto | Format::Text, _) => registry.with(text.with_ansi(false)).init(),
    }
    Volume(volume)
}

/// Says on standard error, before the log is open, what keeps a daemon from running. The journal
/// takes each line as an error.
pub fn complain(error: &dyn std::error::Error) {
    use std::io::Write;
    // Source: sd-daemon(3), SD_ERR.
    let mark = if stderr_is_journal() { "<3>" } else { "" };
    let lines: String = error.to_string().lines().map(|line| format!("{mark}{line}\n")).collect();
    // Nothing is left to do when nobody can read it.
    drop(std::io::stderr().write_all(lines.as_bytes()));
}

fn filter(level: Level) -> Targets {
    let filter = Targets::new().with_default(level.filter());
    if level < Level::Debug {
        return filter.with_targets(LIBRARIES.map(|library| (library, LevelFilter::OFF)));
    }
    filter
}

/// The way to the journal, if standard error leads there: one for all lines that have no id, and one
/// for each id, as an id is the same on all lines that go the same way.
fn journal<S>(format: Format) -> Option<Vec<Box<dyn Layer<S> + Send + Sync>>>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    if format != Format::Auto || !stderr_is_journal() {
        return None;
    }
    let plain = way()?.with_filter(filter_fn(|event| !messages::has_id(event.name())));
    let mut ways = vec![plain.boxed()];
    for (name, id) in messages::IDS {
        let marked = way()?.with_custom_fields([("MESSAGE_ID", id)]);
        ways.push(marked.with_filter(filter_fn(move |event| event.name() == name)).boxed());
    }
    Some(ways)
}

fn way() -> Option<tracing_journald::Layer> {
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
