//! The API of clusterd: every verb with its method, path and scope, and its shapes.
//!
//! The control verbs have the shape of the ipfs-cluster REST API, so that `ipfs-cluster-ctl` is a
//! client. The proxy verbs are ours and carry what the Kubo RPC needs.

pub mod add;
#[cfg(feature = "io")]
pub mod call;
#[cfg(feature = "io")]
pub mod client;
pub mod composite;
pub mod error;
pub mod health;
pub mod options;
pub mod peers;
pub mod pins;
pub mod proxy;
#[cfg(feature = "io")]
pub mod reply;
pub mod repo;
pub mod time;
pub mod tree;

/// Who may call a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Both sockets.
    Proxy,
    /// The control socket alone.
    Control,
}

/// One verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// HTTP method.
    pub method: &'static str,
    /// Path; `{name}` stands for one segment, `{*name}` for the rest.
    pub path: &'static str,
    /// Who may call it.
    pub scope: Scope,
}

/// Declares the verbs once: a constant each, and the table of all.
macro_rules! routes {
    ($($(#[$doc:meta])* $name:ident = $method:literal $path:literal $scope:ident;)+) => {
        $($(#[$doc])* pub const $name: Route =
            Route { method: $method, path: $path, scope: Scope::$scope };)+
        /// Every verb of clusterd.
        pub const ROUTES: &[Route] = &[$($name),+];
    };
}

routes! {
    /// Pins what a Kubo client asked for: [`proxy::PinAdd`] in, lines of [`proxy::PinAddEvent`] out.
    PROXY_PIN_ADD = "POST" "/proxy/pin/add" Proxy;
    /// Unpins: [`proxy::PinRm`] in, [`proxy::Pins`] out.
    PROXY_PIN_RM = "POST" "/proxy/pin/rm" Proxy;
    /// Replaces a pin: [`proxy::PinUpdate`] in, [`proxy::Pins`] out.
    PROXY_PIN_UPDATE = "POST" "/proxy/pin/update" Proxy;
    /// Lists what is pinned: [`proxy::PinLs`] as query in, compact lines out (see [`proxy::PinLine`]).
    PROXY_PIN_LS = "GET" "/proxy/pin/ls" Proxy;
    /// Looks pins up: [`proxy::PinLookup`] in, lines of [`proxy::PinLookupEvent`] out.
    PROXY_PIN_LOOKUP = "POST" "/proxy/pin/lookup" Proxy;
    /// Whether this peer changes pins at all: nothing in, an error where it only follows others.
    PROXY_PIN_ALLOWED = "GET" "/proxy/pin/allowed" Proxy;
    /// Sums the repositories: [`proxy::RepoStatQuery`] as query in, [`proxy::RepoStat`] out.
    PROXY_REPO_STAT = "GET" "/proxy/repo/stat" Proxy;
    /// Collects garbage on every peer: nothing in, lines of [`proxy::RepoGcEvent`] out.
    PROXY_REPO_GC = "POST" "/proxy/repo/gc" Proxy;
    /// Kubo has just been given blocks without a pin: nothing in, nothing out.
    PROXY_UNPINNED = "POST" "/proxy/unpinned" Proxy;
    /// This cluster with all below it: [`tree::Query`] as query in, [`tree::Tree`] out.
    TREE = "GET" "/composite/tree" Proxy;

    /// This peer: [`peers::IdInfo`] out.
    ID = "GET" "/id" Control;
    /// The program's version: [`peers::VersionInfo`] out.
    VERSION = "GET" "/version" Control;
    /// All peers: lines of [`peers::IdInfo`] out.
    PEERS = "GET" "/peers" Control;
    /// Forgets a peer that is gone: nothing out.
    PEER_RM = "DELETE" "/peers/{peer}" Control;
    /// All records of the pinset: query `filter` (types), lines of [`pins::PinJson`] out.
    ALLOCATIONS = "GET" "/allocations" Control;
    /// One record: [`pins::PinJson`] out.
    ALLOCATION = "GET" "/allocations/{cid}" Control;
    /// The state of all pins: query `filter` (statuses), `cids`, `local`, lines of
    /// [`pins::GlobalPinInfo`] out.
    STATUS_ALL = "GET" "/pins" Control;
    /// The state of one pin: [`pins::GlobalPinInfo`] out, for an unknown CID as well.
    STATUS = "GET" "/pins/{cid}" Control;
    /// Pins a CID: [`options::PinOptions`] as query in, [`pins::PinJson`] out.
    PIN = "POST" "/pins/{cid}" Control;
    /// Unpins a CID: the record that was, [`pins::PinJson`], out.
    UNPIN = "DELETE" "/pins/{cid}" Control;
    /// Pins what a path leads to, as [`PIN`] does.
    PIN_PATH = "POST" "/pins/{keytype}/{*path}" Control;
    /// Unpins what a path leads to, as [`UNPIN`] does.
    UNPIN_PATH = "DELETE" "/pins/{keytype}/{*path}" Control;
    /// Adds files, directories or a CAR file and pins them: [`add::AddOptions`] as query, a multipart
    /// form in, lines of [`add::AddedOutput`] out; a late failure is the trailer `X-Stream-Error`.
    ADD = "POST" "/add" Control;
    /// Tries one pin again now: [`pins::GlobalPinInfo`] out.
    RECOVER = "POST" "/pins/{cid}/recover" Control;
    /// Tries all failed pins again now: lines of [`pins::GlobalPinInfo`] out.
    RECOVER_ALL = "POST" "/pins/recover" Control;
    /// Collects garbage on every peer: [`repo::GlobalRepoGc`] out.
    REPO_GC = "POST" "/ipfs/gc" Control;
    /// Takes records in: lines of [`pins::PinJson`] in, lines of [`composite::ImportEvent`] out.
    IMPORT = "POST" "/composite/import" Control;
    /// Takes in what the local Kubo has pinned: query `dry_run`, lines of
    /// [`composite::AdoptEvent`] out.
    ADOPT = "POST" "/composite/adopt" Control;
    /// Gives the pins of a peer to others: query `dry_run`, lines of [`composite::RepinEvent`] out.
    REPIN = "POST" "/composite/repin/{peer}" Control;
    /// Counts and health: [`composite::Summary`] out.
    SUMMARY = "GET" "/composite/summary" Control;
    /// How far the replicated history is: [`composite::History`] out.
    HISTORY = "GET" "/composite/heads" Control;

    /// Whether the API answers: nothing out.
    HEALTH = "GET" "/health" Control;
    /// Who is connected to whom: [`health::ConnectGraph`] out; who did not answer in time is named
    /// in [`health::MISSING`].
    GRAPH = "GET" "/health/graph" Control;
    /// Metrics that ran out, the newest first: a list of [`health::AlertJson`] out.
    ALERTS = "GET" "/health/alerts" Control;
    /// Bytes by protocol: a map from protocols to [`health::Bandwidth`] out.
    BANDWIDTH = "GET" "/health/bandwidth" Control;
    /// The names of all metrics: a list of texts out.
    METRIC_NAMES = "GET" "/monitor/metrics" Control;
    /// The valid metrics of this name that the members told last: a list of [`health::MetricJson`] out.
    METRICS = "GET" "/monitor/metrics/{name}" Control;
    /// How the cluster looks from here: [`health::Health`] out.
    PEERS_HEALTH = "GET" "/composite/health" Control;
    /// Figures for Prometheus: text out, in the exposition format 0.0.4.
    PROMETHEUS = "GET" "/metrics" Control;
}
