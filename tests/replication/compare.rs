//! Equal pinsets and equal heads, down to the CIDs: what Go's own tools and ours say.

use std::time::Duration;

use harness::cluster::{Cluster, Pinset};
use harness::error::HarnessError;
use harness::wait;

/// Rebroadcasts come each 3 s at the hastened Go peers and each minute at ours.
pub(super) const CONVERGE_MAX: Duration = Duration::from_secs(180);

/// Waits until all have one pinset, then stops Go's peers and compares heads and exported states.
/// Go's peers run again afterwards.
pub(super) fn all_agree(cluster: &mut Cluster) -> Result<Pinset, HarnessError> {
    let pinset = cluster.converge(CONVERGE_MAX)?;
    let ours = our_heads(cluster)?;
    for peer in &mut cluster.go {
        peer.stop()?;
    }
    for peer in &cluster.go {
        let home = peer.home().expect("it is stopped");
        assert_eq!(home.heads()?, ours, "heads of Go's peer, then ours");
        let exported = home.export()?;
        assert_eq!(exported.len(), pinset.len(), "records that Go exports");
        if let Some(rust) = cluster.rust.first() {
            assert_eq!(exported, exported_by(rust)?, "Go's exported state, then ours");
        }
    }
    for peer in &mut cluster.go {
        peer.start()?;
    }
    Ok(pinset)
}

/// The heads of all our peers, once they are the same.
fn our_heads(cluster: &Cluster) -> Result<Vec<String>, HarnessError> {
    wait::until("equal heads of our peers", CONVERGE_MAX, || {
        let heads: Result<Vec<_>, _> = cluster.rust.iter().map(|peer| peer.heads()).collect();
        let heads = heads.ok()?;
        let (first, others) = heads.split_first()?;
        others.iter().all(|other| other == first).then(|| first.clone())
    })
}

/// What `clusterdctl state export` says, sorted by line.
fn exported_by(peer: &harness::cluster::RustPeer) -> Result<Vec<String>, HarnessError> {
    let mut command = peer.stack.clusterdctl()?;
    let output = command
        .args(["state", "export"])
        .output()
        .map_err(HarnessError::io("run clusterdctl state export"))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    Ok(lines)
}
