//! The graph in the language of Graphviz.

use std::fmt::Arguments;

use super::{Graph, Line, short};

/// The whole file.
pub(super) fn draw(graph: &Graph) -> String {
    let mut text = String::from("digraph cluster {\n");
    let mut put = |line: Arguments<'_>| text.push_str(&format!("  {line}\n"));
    put(format_args!("node [fontname=\"sans-serif\", style=filled];"));
    for (place, peer) in graph.peers.iter().enumerate() {
        let colour = match (peer.answered, peer.is_trusted) {
            (false, _) => "#dddddd",
            (true, true) => "#ffd08a",
            (true, false) => "#f2e3c9",
        };
        let rim = if peer.is_here { 2 } else { 1 };
        let (name, id) = (quoted(&peer.name), short(&peer.id));
        put(format_args!(
            "p{place} [label=\"{name}\\n{id}\", shape=box, fillcolor=\"{colour}\", peripheries={rim}];"
        ));
    }
    for (place, kubo) in graph.kubos.iter().enumerate() {
        let id = short(kubo);
        put(format_args!(
            "k{place} [label=\"Kubo\\n{id}\", shape=ellipse, fillcolor=\"#9fe3e3\"];"
        ));
    }
    for (place, peer) in graph.peers.iter().enumerate() {
        if let Some(kubo) = peer.kubo {
            put(format_args!("p{place} -> k{kubo} [style=dashed, dir=none];"));
        }
    }
    for (letter, lines) in [('p', &graph.sees), ('k', &graph.swarm)] {
        for Line { from, to, is_mutual } in lines {
            let both = if *is_mutual { " [dir=both]" } else { "" };
            put(format_args!("{letter}{from} -> {letter}{to}{both};"));
        }
    }
    text.push_str("}\n");
    text
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
