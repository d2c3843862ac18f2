//! Every method of the RPC between peers: at once what the server dispatches on and its documentation.

use std::fmt;

/// How a method is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One argument, one answer. The caller keeps its side open until the answer is there.
    Unary,
    /// Any number of arguments until the caller ends its side, and any number of answers.
    Streaming,
}

/// Who may call a method. Source: `rpc_policy.go` of Go ipfs-cluster 1.1.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Whoever knows the cluster's secret.
    Open,
    /// Peers that we trust.
    Trusted,
}

/// One method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Which group it belongs to.
    pub service: &'static str,
    /// Its name there.
    pub method: &'static str,
    /// How it is called.
    pub shape: Shape,
    /// Who may call it.
    pub policy: Policy,
}

/// Declares the methods once: the enum, and the route of each.
macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident = $service:literal $method:literal $shape:ident $policy:ident;)+) => {
        /// A method that we serve. Go peers serve all but those of `Composite`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Method { $($(#[$doc])* $name),+ }

        impl Method {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its names and rules.
            #[must_use]
            pub fn route(self) -> Route {
                match self {
                    $(Self::$name => Route {
                        service: $service,
                        method: $method,
                        shape: Shape::$shape,
                        policy: Policy::$policy,
                    }),+
                }
            }
        }
    };
}

methods! {
    /// Who the peer is: nothing in, [`IdInfo`](common::api::peers::IdInfo) out. Asked by `peers ls`.
    ClusterIdStream = "Cluster" "IDStream" Streaming Open;
    /// As [`Method::ClusterIdStream`]. Asked of a peer that joins.
    ClusterId = "Cluster" "ID" Unary Open;
    /// A peer joins: its id in, and what it says of itself out, asked over the same connection.
    ClusterPeerAdd = "Cluster" "PeerAdd" Unary Open;
    /// [`VersionInfo`](common::api::peers::VersionInfo) out.
    ClusterVersion = "Cluster" "Version" Unary Open;
    /// All members as the peer sees them: [`IdInfo`](common::api::peers::IdInfo)s out.
    ClusterPeers = "Cluster" "Peers" Streaming Trusted;
    /// Takes a peer out of the cluster: its id in.
    ClusterPeerRemove = "Cluster" "PeerRemove" Unary Trusted;
    /// Tries all failed pins of the peer again: [`PeerPin`](super::types::PeerPin)s out, of those alone.
    ClusterRecoverAllLocal = "Cluster" "RecoverAllLocal" Streaming Trusted;
    /// As [`Method::PinTrackerRecover`].
    ClusterRecoverLocal = "Cluster" "RecoverLocal" Unary Trusted;
    /// Collects the garbage of the peer's Kubo: [`RepoGc`](common::api::repo::RepoGc) out.
    ClusterRepoGcLocal = "Cluster" "RepoGCLocal" Unary Trusted;
    /// The state of one pin at the peer: CID in, [`PeerPin`](super::types::PeerPin) out.
    PinTrackerStatus = "PinTracker" "Status" Unary Trusted;
    /// The state of all pins at the peer: one [`StatusFilter`](common::status::StatusFilter) or none
    /// in, [`PeerPin`](super::types::PeerPin)s out.
    PinTrackerStatusAll = "PinTracker" "StatusAll" Streaming Trusted;
    /// Tries one pin again: CID in, [`PeerPin`](super::types::PeerPin) out.
    PinTrackerRecover = "PinTracker" "Recover" Unary Trusted;
    /// Figures of the peer's Kubo: [`IpfsRepoStat`](super::types::IpfsRepoStat) out.
    IpfsConnectorRepoStat = "IPFSConnector" "RepoStat" Unary Trusted;
    /// Whom the peer's Kubo is connected to: peer ids out.
    IpfsConnectorSwarmPeers = "IPFSConnector" "SwarmPeers" Unary Trusted;
    /// Puts blocks into the peer's Kubo: [`BlockPut`](super::types::BlockPut)s in.
    IpfsConnectorBlockStream = "IPFSConnector" "BlockStream" Streaming Trusted;
    /// Writes a record as it is: [`Pin`](common::pin::Pin) in.
    ConsensusLogPin = "Consensus" "LogPin" Unary Trusted;
    /// Deletes a record: [`Pin`](common::pin::Pin) in.
    ConsensusLogUnpin = "Consensus" "LogUnpin" Unary Trusted;
    /// Takes a peer in: its id in.
    ConsensusAddPeer = "Consensus" "AddPeer" Unary Trusted;
    /// As [`Method::ClusterPeerRemove`].
    ConsensusRmPeer = "Consensus" "RmPeer" Unary Trusted;
    /// Ours: the newest blocks of the replicated history, [`Heads`](super::types::Heads) out.
    CompositeHeads = "Composite" "Heads" Unary Trusted;
    /// Ours: how pins stand at the peer: [`Asked`](super::types::Asked) in,
    /// [`Reports`](super::types::Reports) out.
    CompositeStates = "Composite" "States" Unary Open;
    /// Ours: what is new of the peer's pins, beginning with all that it shall hold and does not:
    /// [`Reports`](super::types::Reports) out without end, empty ones as signs of life.
    CompositeWatch = "Composite" "Watch" Streaming Open;
    /// Ours: figures of the peer's Kubo with the number of its blocks, which takes a large one long:
    /// [`CountedRepo`](super::types::CountedRepo) out.
    CompositeRepoStat = "Composite" "RepoStat" Unary Trusted;
    /// Ours: what the peer has for an IPFS daemon, with all that is below it:
    /// [`Query`](common::api::tree::Query) in, [`Beside`](common::api::tree::Beside) out.
    CompositeBelow = "Composite" "Below" Unary Trusted;
}

/// Methods that Go peers have for themselves alone; it is refused to call them.
const CLOSED: [(&str, &[&str]); 5] = [
    (
        "Cluster",
        &[
            "Alerts",
            "BandwidthByProtocol",
            "BlockAllocate",
            "ConnectGraph",
            "IPFSID",
            "Join",
            "PeersWithFilter",
            "Pin",
            "PinGet",
            "PinPath",
            "Pins",
            "Recover",
            "RecoverAll",
            "RepoGC",
            "SendInformerMetrics",
            "SendInformersMetrics",
            "Status",
            "StatusAll",
            "StatusAllLocal",
            "StatusLocal",
            "Unpin",
            "UnpinPath",
        ],
    ),
    ("PinTracker", &["PinQueueSize", "RecoverAll", "Track", "Untrack"]),
    ("IPFSConnector", &["BlockGet", "ConfigKey", "Pin", "PinLs", "PinLsCid", "Resolve", "Unpin"]),
    ("Consensus", &["Peers"]),
    ("PeerMonitor", &["LatestMetrics", "MetricNames"]),
];

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A method that is served.
    Served(Method),
    /// A method that nobody may call from outside.
    Closed,
    /// No method of a group that there is.
    NoMethod,
    /// No group.
    NoService,
}

impl Method {
    /// Looks a method up by its names.
    #[must_use]
    pub fn named(service: &str, method: &str) -> Named {
        let is_of = |route: &Route| route.service == service;
        let served = Self::ALL.iter().copied();
        let mut served = served.filter(|served| is_of(&served.route())).peekable();
        let closed =
            CLOSED.iter().find(|(closed, _)| *closed == service).map(|(_, methods)| methods);
        if served.peek().is_none() && closed.is_none() {
            return Named::NoService;
        }
        if let Some(found) = served.find(|served| served.route().method == method) {
            return Named::Served(found);
        }
        if closed.is_some_and(|methods| methods.contains(&method)) {
            Named::Closed
        } else {
            Named::NoMethod
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let route = self.route();
        write!(f, "{}.{}", route.service, route.method)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_name_stands_for_one_thing() {
        let closed = CLOSED.iter().flat_map(|(service, methods)| {
            methods.iter().map(move |method| format!("{service}.{method}"))
        });
        let names: Vec<String> = Method::ALL.iter().map(Method::to_string).chain(closed).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }

    #[test]
    fn names_are_looked_up() {
        for method in Method::ALL {
            let route = method.route();
            assert_eq!(Method::named(route.service, route.method), Named::Served(*method));
        }
        assert_eq!(Method::named("Cluster", "Pins"), Named::Closed);
        assert_eq!(Method::named("PeerMonitor", "MetricNames"), Named::Closed);
        assert_eq!(Method::named("PeerMonitor", "Nope"), Named::NoMethod);
        assert_eq!(Method::named("Cluster", "id"), Named::NoMethod);
        assert_eq!(Method::named("Composite", "ID"), Named::NoMethod);
        assert_eq!(Method::named("", ""), Named::NoService);
    }
}
