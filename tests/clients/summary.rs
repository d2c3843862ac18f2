//! The summary of `MATRIX.md` in the README: one line a client.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::matrix::{CLIENTS, Cells};

const BEGIN: &str = "<!-- client-matrix -->\n";
const END: &str = "<!-- /client-matrix -->";

fn readme() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")
}

/// Writes the summary of `cells` between the marks.
pub(crate) fn write(cells: &Cells) {
    let text = fs::read_to_string(readme()).unwrap();
    let (before, old, after) = parts(&text);
    let new = render(cells);
    if old != new {
        fs::write(readme(), [before, BEGIN, &new, END, after].concat()).unwrap();
    }
}

/// The README before, between and after the marks.
fn parts(text: &str) -> (&str, &str, &str) {
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (between, after) = rest.split_once(END).unwrap();
    (before, between, after)
}

fn render(cells: &Cells) -> String {
    let mut text =
        "| client | Kubo commands | calls | same as from Kubo | differ, with a reason |\n\
                    | --- | --- | --- | --- | --- |\n"
            .to_owned();
    for client in CLIENTS {
        let column: Vec<&str> =
            cells.values().filter_map(|row| Some(row.get(client)?.as_str())).collect();
        let sum = |kind: &str| column.iter().map(|cell| count(cell, kind)).sum::<usize>();
        let (same, differ) = (sum(" same"), sum(" differ"));
        text +=
            &format!("| {client} | {} | {} | {same} | {differ} |\n", column.len(), same + differ);
    }
    text + "\nEvery cell, and every reason: [tests/clients/MATRIX.md](tests/clients/MATRIX.md).\n"
}

/// The number before `kind` in a cell as `4 same, 1 differ [3]`.
fn count(cell: &str, kind: &str) -> usize {
    let counts = cell.split(", ").filter_map(|part| part.split_once(kind)?.0.parse::<usize>().ok());
    counts.sum()
}

#[test]
fn the_readme_sums_the_matrix_up() {
    let text = fs::read_to_string(readme()).unwrap();
    assert_eq!(parts(&text).1, render(&crate::matrix::current()), "README.md is out of date");
}

#[test]
fn same_and_different_calls_are_counted() {
    let row = BTreeMap::from([("curl".to_owned(), "4 same, 1 differ [3]".to_owned())]);
    let text = render(&Cells::from([("pin/rm".to_owned(), row)]));
    assert!(text.contains("| curl | 1 | 5 | 4 | 1 |\n"), "{text}");
}
