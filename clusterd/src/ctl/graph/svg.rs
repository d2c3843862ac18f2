//! The graph as a picture: peers on a circle, each with its Kubo outside of it.

use std::f64::consts::TAU;
use std::fmt::Arguments;

use common::printable::escaped;

use super::{Graph, Line, short};

/// Length of the circle for each peer, so that names do not touch; all in pixels.
const SPACE_A_PEER: f64 = 130.0;
/// Least radius of the circle.
const RADIUS_MIN: f64 = 130.0;
/// From a peer to its Kubo.
const TO_KUBO: f64 = 95.0;
/// Around all of it, for names.
const MARGIN: f64 = 90.0;
const PEER_RADIUS: f64 = 16.0;
const KUBO_RADIUS: f64 = 10.0;

/// How it looks. Lines that only one end tells of are red.
const STYLE: &str = "text{font:12px sans-serif;text-anchor:middle}line{stroke:#888}\
    line.one{stroke:#c33;stroke-dasharray:6 3}line.own{stroke:#bbb;stroke-dasharray:2 3}\
    line.swarm{stroke:#3aa}circle{stroke:#555}circle.peer{fill:#ffd08a}circle.distrusted{fill:#f2e3c9}\
    circle.silent{fill:#ddd}circle.here{stroke-width:3}circle.kubo{fill:#9fe3e3}";

type Point = (f64, f64);

/// The whole file.
pub(super) fn draw(graph: &Graph) -> String {
    let layout = Layout::of(graph);
    let size = layout.size;
    let mut picture = Picture(String::new());
    picture.put(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{size:.0}\" height=\"{size:.0}\" \
         viewBox=\"0 0 {size:.0} {size:.0}\">"
    ));
    picture.put(format_args!("<title>Connections of the cluster</title>"));
    picture.put(format_args!("<style>{STYLE}</style>"));
    for (lines, places, class) in
        [(&graph.swarm, &layout.kubos, "swarm"), (&graph.sees, &layout.peers, "peers")]
    {
        for Line { from, to, is_mutual } in lines {
            let class = if *is_mutual { class } else { "one" };
            picture.line(class, places[*from], places[*to]);
        }
    }
    for (peer, place) in graph.peers.iter().zip(&layout.peers) {
        if let Some(kubo) = peer.kubo {
            picture.line("own", *place, layout.kubos[kubo]);
        }
    }
    for (kubo, place) in graph.kubos.iter().zip(&layout.kubos) {
        picture.node("kubo", *place, KUBO_RADIUS, &format!("Kubo {}", short(kubo)));
    }
    for (peer, place) in graph.peers.iter().zip(&layout.peers) {
        let kind = match (peer.answered, peer.is_trusted) {
            (false, _) => "silent",
            (true, true) => "peer",
            (true, false) => "distrusted",
        };
        let class = if peer.is_here { format!("{kind} here") } else { kind.to_owned() };
        picture.node(&class, *place, PEER_RADIUS, &peer.name);
    }
    picture.put(format_args!("</svg>"));
    picture.0
}

/// Where everything is.
pub(super) struct Layout {
    size: f64,
    pub(super) peers: Vec<Point>,
    pub(super) kubos: Vec<Point>,
}

impl Layout {
    pub(super) fn of(graph: &Graph) -> Self {
        let count = graph.peers.len().max(1) as f64;
        let radius = (count * SPACE_A_PEER / TAU).max(RADIUS_MIN);
        let size = 2.0 * (radius + TO_KUBO + MARGIN);
        let at = |place: usize, distance: f64| {
            let angle = TAU * place as f64 / count - TAU / 4.0;
            (size / 2.0 + distance * angle.cos(), size / 2.0 + distance * angle.sin())
        };
        // A Kubo that several peers share is beside the first of them.
        let beside = |kubo: usize| graph.peers.iter().position(|peer| peer.kubo == Some(kubo));
        let kubos = 0..graph.kubos.len();
        Self {
            size,
            peers: (0..graph.peers.len()).map(|place| at(place, radius)).collect(),
            kubos: kubos.map(|kubo| at(beside(kubo).unwrap_or(0), radius + TO_KUBO)).collect(),
        }
    }
}

/// The text so far.
struct Picture(String);

impl Picture {
    fn put(&mut self, line: Arguments<'_>) {
        self.0.push_str(&line.to_string());
        self.0.push('\n');
    }

    fn line(&mut self, class: &str, (x1, y1): Point, (x2, y2): Point) {
        self.put(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    fn node(&mut self, class: &str, (x, y): Point, radius: f64, name: &str) {
        self.put(format_args!(
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>"
        ));
        let below = y + radius + 14.0;
        self.put(format_args!("<text x=\"{x:.1}\" y=\"{below:.1}\">{}</text>", escaped(name)));
    }
}
