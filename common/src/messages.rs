//! Log lines that need an operator: each has an id in the journal, and an explanation in the catalog.
//!
//! A line is given its id by the name of its event: `tracing::error!(name: messages::UNSTORABLE, …)`.
//! `journalctl -x` shows the explanation from `systemd/composite.catalog`.

/// A daemon ends, or does not start.
pub const CANNOT_START: &str = "daemon-cannot-run";
/// clusterd cannot write its state and refuses changes.
pub const UNSTORABLE: &str = "changes-refused";
/// clusterd cannot tidy its store up: it grows.
pub const UNTIDY: &str = "store-untidy";
/// Kubo does not answer.
pub const KUBO_AWAY: &str = "kubo-away";
/// Kubo holds a pin that the cluster does not know.
pub const STRAY_PIN: &str = "stray-pin";
/// The limit of open files is too low for the configured connections.
pub const FEW_DESCRIPTORS: &str = "few-descriptors";
/// A reload was refused, as the configuration has faults.
pub const NOT_RELOADED: &str = "not-reloaded";
/// A member fell silent.
pub const PEER_SILENT: &str = "peer-silent";
/// Kubo has no space left beyond the reserve.
pub const NO_SPACE: &str = "no-space";
/// This cluster is its own sub-cluster.
pub const RING: &str = "cluster-ring";
/// The IPFS daemon is the proxy of a Go ipfs-cluster.
pub const GO_BELOW: &str = "go-cluster-below";
/// Proxyds stand in a ring, each with the next for its Kubo.
pub const PROXY_RING: &str = "proxyd-ring";

/// The name of each such event and its id, 128 bits in hexadecimal digits. An id never changes its meaning.
/// Source: systemd.journal-fields(7), `MESSAGE_ID`.
pub const IDS: [(&str, &str); 12] = [
    (CANNOT_START, "6513270e269e0d37f2a74de452e6b438"),
    (UNSTORABLE, "d23f0824128b2f330c5c7fd0a6a3a450"),
    (UNTIDY, "9531985d5d9dc9f81818e811892f902b"),
    (KUBO_AWAY, "36f675cc81e74ef5e8e25d940ed90475"),
    (STRAY_PIN, "6b0d549b6f03675a1600a35a099950d8"),
    (FEW_DESCRIPTORS, "8d116ece1738f7d93d9c172411e20b8f"),
    (NOT_RELOADED, "90c192cfd3ac94af0f21ddb66cad4a26"),
    (PEER_SILENT, "bb1c2f09c2be1610bbf278bcba62c065"),
    (NO_SPACE, "5c0e4b1f7d2a4f0f9a6ad5b8c3e17f42"),
    (RING, "af32b319b80f8f062c1b2ebf9fee6521"),
    (GO_BELOW, "12f8f550c960c1b6eea9b31049cfacb2"),
    (PROXY_RING, "5d2f5c5b4683a2b091daf7e9594cbbc8"),
];

/// Whether an event of this name has an id.
#[must_use]
pub fn has_id(name: &str) -> bool {
    IDS.iter().any(|(known, _)| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CATALOG: &str = include_str!("../../systemd/composite.catalog");

    #[test]
    fn every_id_is_explained_in_the_catalog_and_no_other_one() {
        let explained: Vec<&str> =
            CATALOG.lines().filter_map(|line| line.strip_prefix("-- ")).collect();
        assert_eq!(explained, IDS.map(|(_, id)| id));
        for (at, (name, id)) in IDS.iter().enumerate() {
            assert_eq!(id.len(), 32, "{name}");
            assert!(IDS[..at].iter().all(|(other, used)| other != name && used != id), "{name}");
        }
    }
}
