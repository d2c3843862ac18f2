//! How files look: one job said in the first line, short, and nothing of the machine they came from.

use std::fs;

use super::source::{files, repository, sources};

/// A file longer than this does more than one thing.
const LINES_MAX: usize = 300;

const MEMBERS: [&str; 4] = ["common", "clusterd", "proxyd", "tests"];

#[test]
fn every_file_opens_with_its_job() {
    let jobless: Vec<String> = MEMBERS
        .into_iter()
        .flat_map(sources)
        .filter(|source| {
            let first = source.text.lines().next().unwrap_or_default();
            first.strip_prefix("//! ").is_none_or(|job| job.len() < 10)
        })
        .map(|source| source.path)
        .collect();
    assert!(jobless.is_empty(), "no `//!` sentence at the top of {jobless:#?}");
}

#[test]
fn no_file_is_longer_than_300_lines_without_its_tests() {
    let mut long = Vec::new();
    for source in MEMBERS.into_iter().flat_map(sources) {
        // Cases in a row may be long; the end-to-end tests are programs, and are held to it too.
        let is_tests = source.path.ends_with("/tests.rs") || source.path.contains("/tests/");
        let lines = source.without_tests().lines().count();
        if lines > LINES_MAX && !is_tests {
            long.push((source.path, lines));
        }
    }
    assert!(long.is_empty(), "split {long:#?}");
}

#[test]
fn no_file_names_a_place_of_the_machine_it_was_written_on() {
    // Put together here, or this file would name them itself.
    let places = ["root", "work", "home"].map(|name| format!("/{name}/"));
    for path in files(&repository()) {
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        for place in &places {
            let found = text.lines().find(|line| {
                line.split_whitespace().any(|word| {
                    word.trim_start_matches(['"', '\'', '`', '(']).starts_with(place.as_str())
                })
            });
            assert!(found.is_none(), "{} names {place}: {found:?}", path.display());
        }
    }
}
