//! The table of all figures: name, kind and what it tells.

/// Whether a figure only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only grows, from 0 at the start of the daemon.
    Counter,
}

impl Kind {
    /// The word of the format.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }
}

/// One kind of figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// One line.
    pub(super) help: &'static str,
}

/// Declares the families once: a constant each, and the table of all.
macro_rules! families {
    ($($constant:ident = $kind:ident $name:literal $help:literal;)+) => {
        $(pub(super) const $constant: Family =
            Family { name: $name, kind: Kind::$kind, help: $help };)+
        /// Every family, in the order of the page.
        #[cfg(test)]
        pub(super) const ALL: &[Family] = &[$($constant),+];
    };
}

families! {
    INFO = Gauge "clusterd_info" "This peer: its id, its name and the version of the program; always 1.";
    PINS = Gauge "clusterd_pins" "Records of the pinset.";
    UNSETTLED = Gauge "clusterd_pins_unsettled" "Pins that are not as wanted at this peer, by status.";
    RUNNING = Gauge "clusterd_operations_running" "Pins and unpins that Kubo works on now.";
    WAITING = Gauge "clusterd_operations_waiting" "Pins and unpins that wait for their turn or their next attempt.";
    FAILED = Counter "clusterd_changes_refused_total" "Batches of changes that could not be stored, and were refused.";
    NODE = Gauge "clusterd_node_up" "1 when the keeper of the pinset answered for this page; figures of its own are missing at 0.";
    MEMBERS = Gauge "clusterd_members" "Peers whose ping is valid, this one among them.";
    MEMBER = Gauge "clusterd_peer_member" "1 for each peer whose ping is valid, 0 for one that fell silent within a day.";
    PING_AGE = Gauge "clusterd_peer_ping_age_seconds" "Since the newest ping of a peer came.";
    SILENT = Gauge "clusterd_peer_silent_seconds" "Since the newest ping of a peer ran out; 0 while it is valid.";
    FREESPACE = Gauge "clusterd_peer_freespace_bytes" "Bytes that the Kubo of a peer may still take, as it told.";
    PINQUEUE = Gauge "clusterd_peer_pinqueue" "Pins that wait at a peer, as it told.";
    ALERTS = Counter "clusterd_alerts_total" "Metrics of peers that ran out without a newer one.";
    RUN_OUT = Gauge "clusterd_metrics_run_out" "Metrics of peers that ran out and were not renewed yet.";
    IPFS = Gauge "clusterd_ipfs_up" "1 when Kubo answered just now.";
    AWAY = Gauge "clusterd_ipfs_away_seconds" "Since the tracker stopped to wait for Kubo; 0 while it works.";
    HEADS = Gauge "clusterd_heads" "Blocks of the history that no other builds on.";
    FETCHING = Gauge "clusterd_blocks_fetching" "Blocks of the history that are being fetched.";
    MISSING = Gauge "clusterd_blocks_missing" "Blocks of the history that nobody could give so far.";
    CONNECTIONS = Gauge "clusterd_connected_peers" "Peers with a connection.";
    HEADS_REFUSED = Counter "clusterd_heads_refused_total" "Announcements of heads by peers that are not trusted.";
    CALLS_REFUSED = Counter "clusterd_calls_refused_total" "Calls of peers that had too many open.";
    BYTES = Counter "clusterd_network_bytes_total" "Bytes from and to peers, by protocol.";
    STORED = Gauge "clusterd_store_bytes" "Bytes of the database: tables, and journals, which are set aside 64 MiB at a time.";
    CPU = Counter "process_cpu_seconds_total" "Time of the processor that the daemon took.";
    MEMORY = Gauge "process_resident_memory_bytes" "Memory that the daemon holds.";
    FILES = Gauge "process_open_fds" "Files and sockets that the daemon has open.";
    FILES_MAX = Gauge "process_max_fds" "Most files and sockets that it may open.";
    START = Gauge "process_start_time_seconds" "When the daemon started, in seconds since 1970.";
}
