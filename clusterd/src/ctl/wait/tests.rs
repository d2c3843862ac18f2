//! When a wait ends, and how.

use super::*;

fn info(statuses: &[PinStatus]) -> GlobalPinInfo {
    let peers = [
        "12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt",
        "12D3KooWSUmugQVfogFSJyTSqNpXmGmreFgPncRsbcuQyASKoN6G",
        "12D3KooWK37HMqAobH9j4M89y19H8fqM2CKabti15MxgndKdkeXh",
    ];
    let peer_map = peers.iter().zip(statuses).map(|(peer, status)| {
        let text = format!(r#"{{"peername":"p","status":"{}","error":"why"}}"#, status.as_str());
        (peer.parse().unwrap(), serde_json::from_str(&text).unwrap())
    });
    GlobalPinInfo {
        cid: "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPBdX".parse().unwrap(),
        name: String::new(),
        allocations: Vec::new(),
        origins: Vec::new(),
        created: common::api::time::WireTime::NONE,
        metadata: None,
        peer_map: peer_map.collect(),
    }
}

#[test]
fn a_pin_everywhere_needs_every_peer_that_can_be_asked() {
    use PinStatus::{ClusterError, Pinned, Pinning};
    let goal = Goal::Pinned(None);
    assert_eq!(judge(goal, &info(&[Pinned, Pinning])), Verdict::Open);
    assert_eq!(judge(goal, &info(&[Pinned, Pinned])), Verdict::Reached);
    assert_eq!(judge(goal, &info(&[Pinned, ClusterError])), Verdict::Reached);
    assert_eq!(judge(goal, &info(&[])), Verdict::Open);
}

#[test]
fn a_pin_fails_only_when_too_few_peers_are_left() {
    use PinStatus::{PinError, PinQueued, Pinned, Remote};
    let failed = Verdict::Failed("p: why".to_owned());
    assert_eq!(judge(Goal::Pinned(Some(1)), &info(&[PinError, PinQueued, Remote])), Verdict::Open);
    assert_eq!(judge(Goal::Pinned(Some(2)), &info(&[PinError, PinQueued, Remote])), failed);
    assert_eq!(judge(Goal::Pinned(Some(1)), &info(&[PinError, Pinned])), Verdict::Reached);
    assert_eq!(judge(Goal::Pinned(None), &info(&[PinError, Pinned])), failed);
}

#[test]
fn what_is_not_in_the_pinset_is_not_waited_for() {
    use PinStatus::{Pinned, UnpinError, Unpinned, Unpinning};
    assert!(matches!(judge(Goal::Pinned(None), &info(&[Unpinned])), Verdict::Failed(_)));
    assert_eq!(judge(Goal::Unpinned, &info(&[Unpinned])), Verdict::Reached);
    assert_eq!(judge(Goal::Unpinned, &info(&[Unpinned, Unpinning])), Verdict::Open);
    assert_eq!(judge(Goal::Unpinned, &info(&[Unpinned, Pinned])), Verdict::Open);
    assert!(matches!(judge(Goal::Unpinned, &info(&[UnpinError])), Verdict::Failed(_)));
}
