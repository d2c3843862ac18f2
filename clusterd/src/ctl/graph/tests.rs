//! What is drawn is what was told, and names cannot break a picture.

use super::*;

const IDS: [&str; 5] = [
    "12D3KooWLeTYRzRbbd38BbSMF5Tntgo7ridMziK8FUr4R7cj478q",
    "12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt",
    "12D3KooWSUmugQVfogFSJyTSqNpXmGmreFgPncRsbcuQyASKoN6G",
    "12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha",
    "12D3KooWKQdnq1zvUqLYUeHEFjNBiPWpfpTs6FfZtGk1h3xKMGhX",
];

fn id(number: usize) -> PeerId {
    IDS[number].parse().unwrap()
}

/// Three peers that see each other, but for the last one, which did not answer; two Kubos, and a
/// node outside of the cluster.
fn told() -> ConnectGraph {
    let (a, b, c, kubo, other) = (id(0), id(1), id(2), id(3), id(4));
    ConnectGraph {
        cluster_id: a,
        id_to_peername: [(a, "a<\"&\\\u{1b}".to_owned()), (b, "beta".to_owned())].into(),
        ipfs_links: [(kubo, vec![other, kubo])].into(),
        cluster_links: [(a, vec![b, c]), (b, vec![a, c]), (c, Vec::new())].into(),
        cluster_trust_links: [(a, true), (b, true), (c, false)].into(),
        cluster_to_ipfs: [(a, kubo)].into(),
    }
}

/// Where a peer stands: ids are in the order of their bytes, which is not that of the texts.
fn place(graph: &Graph, number: usize) -> usize {
    graph.peers.iter().position(|peer| peer.id == id(number)).unwrap()
}

#[test]
fn two_directions_are_one_line_and_one_alone_is_marked() {
    let graph = Graph::of(&told());
    let [a, b, c] = [0, 1, 2].map(|number| place(&graph, number));
    assert_eq!(graph.sees.len(), 3);
    let mutual: Vec<_> = graph.sees.iter().filter(|line| line.is_mutual).collect();
    assert_eq!(mutual.len(), 1);
    assert_eq!(
        (mutual[0].from.min(mutual[0].to), mutual[0].from.max(mutual[0].to)),
        (a.min(b), a.max(b))
    );
    assert!(graph.sees.iter().all(|line| line.is_mutual || line.to == c));
    // Neither itself nor a node outside of the cluster is on the picture.
    assert!(graph.swarm.is_empty() && graph.kubos == [id(3)]);
    assert_eq!(graph.peers[a].ipfs_links, 2);
    assert!(!graph.peers[c].answered && graph.peers[c].kubo.is_none() && graph.peers[a].is_here);
}

#[test]
fn dot_has_every_peer_and_line_and_quotes_names() {
    let graph = Graph::of(&told());
    let [a, b, c] = [0, 1, 2].map(|number| place(&graph, number));
    let drawn = dot::draw(&graph);
    let (low, high) = (a.min(b), a.max(b));
    for line in [
        format!("p{low} -> p{high} [dir=both];"),
        format!("p{a} -> p{c};"),
        format!("p{b} -> p{c};"),
        format!("p{a} -> k0 [style=dashed, dir=none];"),
    ] {
        assert!(drawn.lines().any(|found| found.trim() == line), "{line} is not in\n{drawn}");
    }
    assert!(drawn.contains("label=\"a<\\\"&\\\\\u{fffd}\\n…cj478q\""), "{drawn}");
    assert!(drawn.starts_with("digraph cluster {\n") && drawn.ends_with("}\n"));
}

#[test]
fn the_picture_is_whole_and_nothing_covers_another() {
    let graph = Graph::of(&told());
    let drawn = svg::draw(&graph);
    assert_eq!(drawn.matches("<circle ").count(), 4);
    assert_eq!(drawn.matches("<line class=\"one\"").count(), 2);
    assert!(drawn.contains(">a&lt;&quot;&amp;\\\u{fffd}</text>"), "{drawn}");
    assert_eq!(drawn.matches("<text").count(), drawn.matches("</text>").count());
    assert!(drawn.starts_with("<svg xmlns=") && drawn.trim_end().ends_with("</svg>"));
    let layout = svg::Layout::of(&graph);
    let all: Vec<_> = layout.peers.iter().chain(&layout.kubos).collect();
    for (at, one) in all.iter().enumerate() {
        for other in &all[..at] {
            assert!((one.0 - other.0).hypot(one.1 - other.1) > 40.0, "{one:?} covers {other:?}");
        }
    }
}

#[test]
fn a_cluster_of_nobody_known_is_drawn_too() {
    let mut told = told();
    told.cluster_links.clear();
    let graph = Graph::of(&told);
    assert!(dot::draw(&graph).ends_with("}\n") && svg::draw(&graph).contains("</svg>"));
}
