//! The tree as a picture, and as a list for those who do not see it.

use common::tree::{Styled, TextLine, lines, svg};
use maud::{Markup, PreEscaped, html};

use super::super::seen::KnownTree;
use super::super::words::span;
use super::{part, wide};

/// Lines of the list; `clusterdctl tree` shows all.
const LINES_MAX: usize = 2000;

pub(super) fn tree(known: &KnownTree) -> Markup {
    let tree = known.tree();
    html! {
        (part("tree-note", note(known)))
        (wide("tree-picture", "Picture of the tree", html! {
            // Limited in size and escaped where it is drawn.
            @if let Some(tree) = tree { (PreEscaped(svg(tree, Styled::Outside))) }
        }))
        details {
            summary { "The tree as a list" }
            (part("tree-list", html! {
                @if let Some(tree) = tree { (list(&lines(tree))) }
            }))
        }
    }
}

fn note(known: &KnownTree) -> Markup {
    html! {
        @if !known.error.is_empty() {
            p.note.bad {
                "The tree could not be renewed: " (super::text(&known.error))
                @if known.tree().is_some() && let Some(age) = known.age() {
                    ". It is shown as it was " (span(i64::try_from(age.as_secs()).unwrap_or(i64::MAX))) " ago"
                }
                "."
            }
        }
    }
}

/// The lines as lists in lists.
fn list(lines: &[TextLine]) -> Markup {
    let left = lines.len().saturating_sub(LINES_MAX);
    html! {
        (nested(&lines[..lines.len() - left]))
        @if left > 0 { p.note { "And " (left) " more lines: " code { "clusterdctl tree" } " shows all." } }
    }
}

/// The lines of one level, each with those below it; as deep as the tree, which has a limit.
fn nested(lines: &[TextLine]) -> Markup {
    let Some(level) = lines.first().map(depth) else { return html! {} };
    let starts: Vec<usize> =
        (0..lines.len()).filter(|place| depth(&lines[*place]) <= level).collect();
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    html! {
        ul.tree {
            @for (start, end) in starts.iter().copied().zip(ends) {
                li { span.bad[lines[start].is_trouble] { bdi { (lines[start].words) } } (nested(&lines[start + 1..end])) }
            }
        }
    }
}

/// Three characters of a branch for each level.
fn depth(line: &TextLine) -> usize {
    line.branch.chars().count() / 3
}
