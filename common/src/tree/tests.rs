//! Health, text and picture of trees that are made up.

use std::collections::BTreeMap;

use super::*;
use crate::api::pins::PinProgress;
use crate::api::tree::{ClusterPin, PeerPinState};
use crate::ids::PeerId;
use crate::status::PinStatus;

const PEER: &str = "12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha";

fn peer(name: &str, daemon: Daemon) -> TreePeer {
    TreePeer {
        peer: PEER.parse::<PeerId>().unwrap(),
        name: name.to_owned(),
        is_member: true,
        free: Some(5 << 30),
        unsettled: BTreeMap::new(),
        pin: None,
        daemon: Some(daemon),
    }
}

fn kubo() -> Daemon {
    Daemon::Kubo { id: PEER.to_owned() }
}

fn unknown(error: &str) -> Daemon {
    Daemon::Unknown { error: error.to_owned() }
}

fn sub(tree: Tree) -> Daemon {
    Daemon::Cluster { tree: Box::new(tree) }
}

fn tree(number: u8, name: &str, peers: Vec<TreePeer>) -> Tree {
    Tree {
        id: format!("{number:032x}").parse().unwrap(),
        name: name.to_owned(),
        is_above: false,
        replication_min: -1,
        replication_max: -1,
        pins: 1,
        free: Some(7 << 40),
        refuses: String::new(),
        pin: None,
        peers,
    }
}

fn pinned(status: PinStatus, error: &str, nodes: u64) -> Option<PeerPinState> {
    let progress = (nodes > 0).then_some(PinProgress { nodes, bytes: 3 << 20 });
    Some(PeerPinState { status, error: error.to_owned(), progress })
}

fn held(held: u64, needed: u64) -> Option<ClusterPin> {
    Some(ClusterPin { is_recorded: true, name: "a <b>".to_owned(), needed, allocated: 2, held })
}

/// A main cluster over three sub-clusters: well, on its way, and with a failure.
fn three() -> Tree {
    let subs = [
        (2, "berlin", [pinned(PinStatus::Pinned, "", 0), pinned(PinStatus::Pinned, "", 0)]),
        (3, "oslo", [pinned(PinStatus::Pinning, "", 13), pinned(PinStatus::PinQueued, "", 0)]),
        (
            4,
            "rome",
            [pinned(PinStatus::Pinned, "", 0), pinned(PinStatus::PinError, "no <route>", 0)],
        ),
    ];
    let peers = subs.into_iter().map(|(number, name, pins)| {
        let mut below: Vec<_> =
            ["one", "two"].map(|end| peer(&format!("{name}-{end}"), kubo())).into();
        let mut number_held = 0;
        for (peer, pin) in below.iter_mut().zip(pins) {
            number_held += u64::from(pin.as_ref().unwrap().status == PinStatus::Pinned);
            peer.pin = pin;
        }
        let below = Tree { pin: held(number_held, 2), ..tree(number, name, below) };
        let pin = match number {
            2 => pinned(PinStatus::Pinned, "", 0),
            3 => pinned(PinStatus::Pinning, "", 13),
            _ => pinned(PinStatus::PinError, &"oh ".repeat(80), 0),
        };
        TreePeer { pin, ..peer(&format!("main-{name}"), sub(below)) }
    });
    let main = tree(1, "main", peers.collect());
    Tree { replication_min: 2, replication_max: 3, pin: held(1, 2), ..main }
}

#[test]
fn everywhere_needs_all_members_and_no_others() {
    let well = tree(1, "a", vec![peer("x", kubo()), peer("y", kubo())]);
    assert_eq!(Health::of(&well), Health::Ok);
    let mut silent = well.clone();
    silent.peers[0].is_member = false;
    assert_eq!(Health::of(&silent), Health::Degraded);
    let mut away = well.clone();
    away.peers[0].daemon = Some(unknown("refused"));
    assert_eq!(Health::of(&away), Health::Down);
    away.replication_min = 1;
    assert_eq!(Health::of(&away), Health::Degraded);
    away.peers[1].is_member = false;
    assert_eq!(Health::of(&away), Health::Down);
    assert_eq!(Health::of(&tree(1, "nobody", Vec::new())), Health::Down);
    let full = Tree { refuses: "no space".to_owned(), ..well };
    assert_eq!(Health::of(&full), Health::Degraded);
}

#[test]
fn what_is_below_is_felt_above() {
    let with = |below: Tree| {
        let main = tree(1, "main", vec![peer("x", sub(below)), peer("y", kubo())]);
        Health::of(&Tree { replication_min: 1, ..main })
    };
    assert_eq!(with(tree(2, "sub", vec![peer("x", kubo())])), Health::Ok);
    let half = tree(2, "sub", vec![peer("x", kubo()), peer("y", unknown(""))]);
    assert_eq!(with(Tree { replication_min: 1, ..half.clone() }), Health::Degraded);
    let round = Tree { is_above: true, ..tree(1, "main", Vec::new()) };
    assert_eq!(Health::of(&round), Health::Loop);
    assert_eq!(with(round.clone()), Health::Degraded);
    assert_eq!(Health::of(&tree(1, "main", vec![peer("x", sub(round))])), Health::Down);
    assert_eq!(Health::of(&tree(1, "main", vec![peer("x", sub(half))])), Health::Down);
    let go = vec![
        peer("x", Daemon::Untold { id: String::new() }),
        peer("y", Daemon::GoCluster { id: String::new() }),
        TreePeer { daemon: None, ..peer("z", kubo()) },
    ];
    assert_eq!(Health::of(&tree(1, "main", go)), Health::Ok);
}

#[test]
fn the_text_has_a_line_for_each_cluster_and_peer() {
    let lines = lines(&three());
    let text: Vec<_> = lines.iter().map(|line| format!("{}{}", line.branch, line.words)).collect();
    let pin = "error 1/2 “a <b>”";
    assert_eq!(text[0], format!("cluster main: ok · 2 to 3 copies · 1 pin · 7 TiB free · {pin}"));
    assert_eq!(text[1], "├─ main-berlin: pinned · 5 GiB free");
    assert_eq!(
        text[2],
        "│  └─ cluster berlin: ok · copies everywhere · 1 pin · 7 TiB free · pinned 2/2 “a <b>”"
    );
    assert_eq!(text[3], format!("│     ├─ berlin-one: pinned · 5 GiB free · Kubo {PEER}"));
    assert_eq!(
        text[7],
        format!("│     ├─ oslo-one: pinning 13 nodes, 3 MiB · 5 GiB free · Kubo {PEER}")
    );
    assert!(text[12].starts_with("      └─ rome-two: error: no <route> · "), "{}", text[12]);
    assert!(lines[12].is_trouble && !lines[3].is_trouble);
    assert_eq!(text.len(), 13);
}

#[test]
fn loops_and_strangers_are_said_to_be_such() {
    let round = Tree { is_above: true, ..tree(1, "ma\u{1b}in", Vec::new()) };
    let mut silent = peer("s", unknown("the peer is silent"));
    silent.is_member = false;
    silent.unsettled = BTreeMap::from([(PinStatus::PinError, 2), (PinStatus::Pinned, 0)]);
    let go = peer("g", Daemon::GoCluster { id: "Q".to_owned() });
    let peers = vec![peer("", sub(round)), silent, go, peer("u", unknown("refused"))];
    let text: Vec<_> = lines(&tree(1, "main", peers)).into_iter().map(|line| line.words).collect();
    assert_eq!(text[2], "cluster ma\u{fffd}in: loop, it stands above already");
    assert_eq!(text[1], "(no name): 5 GiB free");
    assert_eq!(text[3], "s: silent · 5 GiB free · 2 pin_error");
    assert!(text[4].contains("no more than accepted"), "{}", text[4]);
    assert_eq!(text[5], "u: 5 GiB free · daemon unknown: refused");
}

#[test]
fn the_picture_escapes_and_has_neither_style_nor_script_in_its_elements() {
    let mut tree = three();
    tree.name = "<script>\"&'\u{0}\u{ffff}".to_owned();
    tree.refuses = "loop: a > b".to_owned();
    let picture = svg(&tree, Styled::Inside);
    assert!(picture.contains(&format!("<style>{STYLE}</style>")));
    assert!(
        !picture.contains("<script") && !picture.contains(" style=") && !picture.contains("href")
    );
    assert!(picture.contains("&lt;script&gt;&quot;&amp;&#39;\u{fffd}\u{fffd}"), "{picture}");
    assert!(picture.contains("refuses new pins: loop: a &gt; b"));
    // The whole error for the pointer, its beginning for the eye.
    assert!(picture.contains(&"oh ".repeat(80)) && picture.contains("error: oh oh"), "{picture}");
    let page = svg(&tree, Styled::Outside);
    assert!(!page.contains("<style") && page.contains("role=\"img\""));
    assert_eq!(picture.matches("<g").count(), picture.matches("</g>").count());
}

#[test]
fn a_loop_has_a_line_back_to_where_it_began() {
    let round = Tree { is_above: true, ..tree(1, "main", Vec::new()) };
    let middle = tree(2, "middle", vec![peer("m", sub(round))]);
    let picture = svg(&tree(1, "main", vec![peer("a", sub(middle))]), Styled::Outside);
    assert_eq!(picture.matches("class=\"back\"").count(), 1);
    assert!(picture.contains("loop: main"), "{picture}");
}

#[test]
fn text_and_picture_stay_small_however_many_peers_there_are() {
    let name = "&".repeat(1000);
    let many = |number, peers| {
        let peers = (0..peers).map(|_| peer(&name, unknown(&name))).collect();
        tree(number, &name, peers)
    };
    let top = (0..400).map(|_| peer("top", sub(many(2, 30)))).collect();
    let tree = tree(1, &name, top);
    let picture = svg(&tree, Styled::Inside);
    assert!(picture.contains("… and 100 more peers"));
    assert!(picture.len() < 4 << 20, "{}", picture.len());
    let lines = lines(&tree);
    assert_eq!((lines.len(), lines[10_000].words.as_str()), (10_001, "… the rest is left out"));
}
