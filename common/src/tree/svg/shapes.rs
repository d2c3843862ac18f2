//! Shapes of the picture, and how they look.

use std::fmt::Arguments;

use super::{Health, Stand};
use crate::printable::escaped;

type Point = (i32, i32);

/// How the picture looks, for all that is in an element of class `cluster-tree`. What colours tell is told
/// by words, marks and kinds of lines as well.
pub const STYLE: &str = concat!(
    ".cluster-tree text{font:13px sans-serif;fill:#1d2733}",
    ".cluster-tree .paper{fill:#fff}",
    ".cluster-tree .name{font-size:15px;font-weight:bold}",
    ".cluster-tree .faint{fill:#56616d;font-size:12px}",
    ".cluster-tree .strong{font-weight:bold}",
    ".cluster-tree .right{text-anchor:end}",
    ".cluster-tree .middle{text-anchor:middle;font-size:12px;font-weight:bold}",
    ".cluster-tree .box{fill:#f5f8fb;stroke:#4b6a88;stroke-width:1.5}",
    ".cluster-tree .box.degraded{stroke:#b26a00;stroke-dasharray:7 3}",
    ".cluster-tree .box.down{stroke:#a3182b;stroke-width:3}",
    ".cluster-tree .rule{stroke:#d5dde5}",
    ".cluster-tree .chip{fill:#e4f3f1;stroke:#3c7f78}",
    ".cluster-tree .chip.go,.cluster-tree .chip.untold{fill:#efeafa;stroke:#6a58a5;stroke-dasharray:2 2}",
    ".cluster-tree .chip.unknown,.cluster-tree .chip.loop{fill:#fdeceb;stroke:#a3182b;stroke-width:2;\
     stroke-dasharray:6 3}",
    ".cluster-tree .pill{fill:#dff0e3;stroke:#2a7a40}",
    ".cluster-tree .pill.degraded{fill:#ffe9c7;stroke:#b26a00;stroke-dasharray:4 2}",
    ".cluster-tree .pill.down,.cluster-tree .pill.loop{fill:#a3182b;stroke:#a3182b}",
    ".cluster-tree .middle.down,.cluster-tree .middle.loop{fill:#fff}",
    ".cluster-tree .edge{fill:none;stroke:#7b8a99;stroke-width:1.5}",
    ".cluster-tree .edge.broken{stroke:#a3182b;stroke-dasharray:5 4}",
    ".cluster-tree .back{fill:none;stroke:#a3182b;stroke-width:2;stroke-dasharray:6 3}",
    ".cluster-tree .tip{fill:#a3182b}",
    ".cluster-tree .dot{fill:#2a7a40;stroke:#2a7a40;stroke-width:1.5}",
    ".cluster-tree .dot.silent{fill:#fff;stroke:#a3182b}",
    ".cluster-tree .mark{fill:none;stroke-width:2;stroke:#56616d}",
    ".cluster-tree .mark.held{stroke:#2a7a40}",
    ".cluster-tree .mark.coming{stroke:#b26a00}",
    ".cluster-tree .mark.failed{stroke:#a3182b}",
);

/// A text that is drawn step by step.
pub(super) struct Picture(String);

impl Picture {
    pub(super) fn new() -> Self {
        Self(String::new())
    }

    pub(super) fn end(self) -> String {
        self.0
    }

    pub(super) fn put(&mut self, element: Arguments<'_>) {
        self.0.push_str(&element.to_string());
        self.0.push('\n');
    }

    /// What was drawn at 0, 0, in another place.
    pub(super) fn moved(&mut self, x: i32, y: i32, drawn: &str) {
        self.put(format_args!("<g transform=\"translate({x} {y})\">"));
        self.0.push_str(drawn);
        self.0.push_str("</g>\n");
    }

    /// Begins a group that has all its words where a pointer rests on it.
    pub(super) fn open(&mut self, title: &str) {
        self.put(format_args!("<g><title>{}</title>", escaped(title)));
    }

    pub(super) fn close(&mut self) {
        self.0.push_str("</g>\n");
    }

    pub(super) fn text(&mut self, class: &str, (x, y): Point, words: &str) {
        if !words.is_empty() {
            let words = escaped(words);
            self.put(format_args!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{words}</text>"));
        }
    }

    pub(super) fn rect(&mut self, class: &str, (x, y): Point, (width, height): Point) {
        self.put(format_args!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"7\"/>"
        ));
    }

    /// A level line.
    pub(super) fn line(&mut self, (x, y): Point, length: i32) {
        self.put(format_args!("<path class=\"rule\" d=\"M{x} {y}h{length}\"/>"));
    }

    /// From a peer to its daemon.
    pub(super) fn edge(&mut self, is_broken: bool, (x, y): Point, (to_x, to_y): Point) {
        let class = if is_broken { "edge broken" } else { "edge" };
        let bend = i32::midpoint(x, to_x);
        self.put(format_args!(
            "<path class=\"{class}\" d=\"M{x} {y}C{bend} {y} {bend} {to_y} {to_x} {to_y}\"/>"
        ));
    }

    /// From the end of a loop to the cluster that it leads back to, by way of `low`.
    pub(super) fn back(&mut self, (x, y): Point, (to_x, to_y): Point, low: i32) {
        // A cubic curve goes three quarters of the way to its handles.
        let handle = low + 10;
        self.put(format_args!(
            "<path class=\"back\" d=\"M{x} {y}C{x} {handle} {to_x} {handle} {to_x} {}\"/>",
            to_y + 8
        ));
        self.put(format_args!("<path class=\"tip\" d=\"M{to_x} {to_y}l-5 9h10z\"/>"));
    }

    /// The health in a word, with its right upper corner at a point.
    pub(super) fn pill(&mut self, health: Health, right: i32, y: i32) {
        let word = health.as_str();
        let width = 18 + 8 * i32::try_from(word.len()).unwrap_or(0);
        self.rect(&format!("pill {word}"), (right - width, y), (width, 20));
        self.text(&format!("middle {word}"), (right - width / 2, y + 14), word);
    }

    /// Whether a peer is a member: full, or empty.
    pub(super) fn dot(&mut self, is_member: bool, (x, y): Point) {
        let class = if is_member { "dot" } else { "dot silent" };
        self.put(format_args!("<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"5\"/>"));
    }

    /// How a pin stands: a tick, an open circle, a cross, or a dash.
    pub(super) fn mark(&mut self, stand: Stand, (x, y): Point) {
        let (class, d) = match stand {
            Stand::Held => ("held", "m-5 0l4 4l7 -8"),
            Stand::Coming => ("coming", "m-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0"),
            Stand::Failed => ("failed", "m-5 -5l10 10m0 -10l-10 10"),
            Stand::Nothing => ("", "m-5 0h10"),
        };
        self.put(format_args!("<path class=\"mark {class}\" d=\"M{x} {y}{d}\"/>"));
    }
}

/// As much of the words as fits into so many cells, of the width of a letter; what is not ASCII may need two.
pub(super) fn fitting(words: &str, cells: usize) -> String {
    let width =
        |c: char| if c.is_ascii() || matches!(c, '·' | '…' | '“' | '”') { 1 } else { 2 };
    if words.chars().map(width).sum::<usize>() <= cells {
        return words.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += width(*c);
        used <= cells
    };
    words.chars().take_while(fits).chain(['…']).collect()
}
