//! The end-to-end tests: real binaries, sockets, Kubo and Go ipfs-cluster. This is their map.

#![forbid(unsafe_code)]

#[cfg(test)]
mod harness_works;

/// Adding to chosen peers: through our control socket, and through Go's peers.
#[cfg(test)]
mod adding {
    mod here;
    mod peers;
    mod work;
    mod wrong;
}

/// What people type.
#[cfg(test)]
mod cli {
    mod cluster_ctl;
    mod clusterdctl;
    mod health;
    mod ipfs;
}

/// What must not happen to pins.
#[cfg(test)]
mod cluster {
    mod absent;
    mod crash;
    mod full_disk;
    mod garbage;
    mod kubo_away;
    mod restart;
    mod stop;
}

/// Clusters over clusters: a main peer's IPFS daemon is the proxy of a sub-cluster.
#[cfg(test)]
mod composite {
    mod calls;
    mod deep;
    mod go_main;
    mod go_sub;
    mod pins;
    mod place;
    mod rings;
    mod truth;
}

/// Peers that come, follow, fill up, and go away.
#[cfg(test)]
mod members {
    mod away;
    mod follower;
    mod links;
    mod look;
    mod space;
}

/// What proxyd does with bytes and sockets.
#[cfg(test)]
mod proxy {
    mod activation;
    mod streaming;
}

/// How the pinset reaches other peers, ours and Go's.
#[cfg(test)]
mod replication {
    mod compare;
    mod health;
    mod loss;
    mod migration;
    mod partition;
    mod peers;
    mod repo;
    mod seen;
    pub(crate) mod spread;
    mod work;
}

/// How the code is written and who may use whom.
#[cfg(test)]
mod rules {
    mod files;
    mod imports;
    mod source;
}
