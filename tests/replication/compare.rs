//! Equal pinsets and equal heads, down to the CIDs: what Go's own tools and ours say.

use std::time::Duration;

use harness::cluster::{self, Cluster, GoPeer, Pinset};
use harness::error::HarnessError;
use harness::wait;

use super::work::Work;

/// Heads are announced again each 3 s.
pub(super) const CONVERGE_MAX: Duration = Duration::from_secs(180);

/// Go's peers are stopped to read their heads, and may be in the middle of a block then. One may also keep a
/// head that another block has superseded until it writes itself (issue 357 of go-ds-crdt): where heads
/// differ, Go's peers write before the next look.
const LOOKS_MAX: usize = 3;

/// Waits until all have one pinset, then stops Go's peers and compares heads and exported states.
/// Go's peers run again afterwards.
pub(super) fn all_agree(cluster: &mut Cluster, work: &mut Work) -> Result<Pinset, HarnessError> {
    for look in 1.. {
        let pinset = quiet(cluster, work)?;
        let ours = our_heads(cluster)?;
        for peer in &mut cluster.go {
            peer.stop()?;
        }
        let mut same = true;
        for peer in &cluster.go {
            let heads = peer.home().expect("it is stopped").heads()?;
            same &= ours.is_empty() || heads == ours;
            assert!(same || look < LOOKS_MAX, "heads of Go's peer {heads:?}, ours {ours:?}");
        }
        if same {
            compare_exports(cluster, &pinset)?;
        }
        for peer in &mut cluster.go {
            peer.start()?;
        }
        if same {
            return Ok(pinset);
        }
        for control in cluster.go.iter().filter_map(GoPeer::control) {
            work.mark(&control)?;
        }
    }
    unreachable!("a look that differs is the last one")
}

/// The pinset that all have, once Go's peers have nothing left to do: they take one announcement after
/// the other, so one that shows the newest pin is done with what came before.
fn quiet(cluster: &Cluster, work: &mut Work) -> Result<Pinset, HarnessError> {
    cluster.converge(CONVERGE_MAX)?;
    let first = &cluster.controls()[0];
    let marker = work.mark(first)?;
    wait::until("the newest pin at all peers", CONVERGE_MAX, || {
        let has = |control| cluster::pinset(control).is_ok_and(|pins| pins.contains_key(&marker));
        cluster.controls().iter().all(has).then_some(())
    })?;
    cluster.converge(CONVERGE_MAX)
}

fn compare_exports(cluster: &Cluster, pinset: &Pinset) -> Result<(), HarnessError> {
    for peer in &cluster.go {
        let exported = peer.home().expect("it is stopped").export()?;
        assert_eq!(exported.len(), pinset.len(), "records that Go exports");
        if let Some(rust) = cluster.rust.first() {
            assert_eq!(exported, exported_by(rust)?, "Go's exported state, then ours");
        }
    }
    Ok(())
}

/// The heads of all our peers, once they are the same; none where there are none of ours.
fn our_heads(cluster: &Cluster) -> Result<Vec<String>, HarnessError> {
    wait::until("equal heads of our peers", CONVERGE_MAX, || {
        let heads: Result<Vec<_>, _> = cluster.rust.iter().map(|peer| peer.heads()).collect();
        let heads = heads.ok()?;
        let Some((first, others)) = heads.split_first() else { return Some(Vec::new()) };
        others.iter().all(|other| other == first).then(|| first.clone())
    })
}

/// What `clusterdctl state export` says, sorted by line.
fn exported_by(peer: &cluster::RustPeer) -> Result<Vec<String>, HarnessError> {
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
