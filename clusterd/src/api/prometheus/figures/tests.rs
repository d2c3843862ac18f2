//! The page holds every family once, in lines that Prometheus reads, and what is shipped uses no other.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::families::ALL;
use common::status::PinStatus;

use super::*;

const RULES: &str = include_str!("../../../../../packaging/prometheus/composite.rules.yml");
const DASHBOARD: &str = include_str!("../../../../../packaging/grafana/composite.json");

fn figures() -> Figures {
    let peer: PeerId = "12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt".parse().unwrap();
    let health = PeerHealth {
        peer,
        peername: "alpha \"one\"".to_owned(),
        member: false,
        pinged: WireTime::from_millis(40_000),
        silent_since: WireTime::from_millis(70_000),
        freespace: Some(1 << 40),
        pinqueue: Some(3),
        tags: BTreeMap::new(),
    };
    Figures {
        version: "0.1.0",
        peer,
        peername: "alpha".to_owned(),
        counts: Counts { pins: 7, unsettled: [(PinStatus::PinError, 2)].into(), refused: 6 },
        members: 1,
        node: Some(Node {
            peers: vec![health],
            alerted: 5,
            run_out: 4,
            work: Work { running: 1, waiting: 2, away: Some(Time(99_000)) },
            history: History { heads: 1, fetching: 0, missing: 0 },
        }),
        ipfs_answers: true,
        network: Network { connected: 1, heads_refused: 2, calls_refused: 3 },
        traffic: [(
            "/ipfs/ping/1.0.0".to_owned(),
            Bandwidth { total_in: 64, ..Default::default() },
        )]
        .into(),
        stored_bytes: Some(4096),
        process: Process {
            cpu: Some(0.25),
            memory: Some(1e7),
            files: Some(12.0),
            files_max: Some(1024.0),
            start: Some(1.7e9),
        },
        now: Time(100_500),
    }
}

fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Names and values of labels, as Prometheus reads them.
fn labels(text: &str) -> Vec<(String, String)> {
    let (mut rest, mut found) = (text, Vec::new());
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").expect("a label without a value");
        assert!(is_name(name), "{name}");
        let mut text = String::new();
        let mut letters = value.char_indices();
        rest = loop {
            match letters.next().expect("a value without an end") {
                (at, '"') => break value[at + 1..].trim_start_matches(','),
                (_, '\\') => match letters.next().unwrap().1 {
                    'n' => text.push('\n'),
                    other @ ('\\' | '"') => text.push(other),
                    other => panic!("\\{other} means nothing"),
                },
                (_, letter) => text.push(letter),
            }
        };
        found.push((name.to_owned(), text));
    }
    found
}

/// Reads every line, strictly; gives the families with their numbers of samples.
fn read(page: &str) -> Vec<(String, usize)> {
    assert!(page.ends_with('\n'));
    let mut families: Vec<(String, usize)> = Vec::new();
    let mut helped = String::new();
    let mut seen = BTreeSet::new();
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(words.ends_with('.'), "{line}");
            helped = name.to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, helped);
            assert!(is_name(name) && families.iter().all(|(other, _)| other != name), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            families.push((name.to_owned(), 0));
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            value.parse::<f64>().unwrap();
            assert!(seen.insert(series.to_owned()), "{series} stands there twice");
            let name = series.split('{').next().unwrap();
            if let Some((_, rest)) = series.split_once('{') {
                labels(rest.strip_suffix('}').unwrap());
            }
            let (family, samples) = families.last_mut().unwrap();
            assert_eq!(name, family, "a sample outside of its family");
            *samples += 1;
        }
    }
    families
}

#[test]
fn every_family_is_on_the_page_once_with_samples() {
    let found = read(&figures().page());
    assert!(found.iter().all(|(_, samples)| *samples > 0), "{found:?}");
    let found: BTreeSet<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(found, ALL.iter().map(|family| family.name).collect());
}

#[test]
fn ages_and_states_are_those_of_status() {
    let page = figures().page();
    for line in [
        "clusterd_pins 7",
        "clusterd_changes_refused_total 6",
        "clusterd_pins_unsettled{status=\"pin_error\"} 2",
        "clusterd_pins_unsettled{status=\"pin_queued\"} 0",
        "clusterd_ipfs_away_seconds 1.5",
        "clusterd_network_bytes_total{protocol=\"/ipfs/ping/1.0.0\",direction=\"in\"} 64",
        "process_cpu_seconds_total 0.25",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
    let peer = figures().peer;
    let of_peer = format!("{{peer=\"{peer}\",name=\"alpha \\\"one\\\"\"}}");
    for (name, value) in [("ping_age", 60.5), ("silent", 30.5)] {
        let line = format!("clusterd_peer_{name}_seconds{of_peer} {value}");
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
}

#[test]
fn a_node_that_does_not_answer_takes_only_its_own_figures_with_it() {
    let figures = Figures { node: None, stored_bytes: None, ..figures() };
    let page = figures.page();
    assert!(page.contains("\nclusterd_node_up 0\n") && page.contains("\nclusterd_pins 7\n"));
    assert!(!page.contains("clusterd_operations") && !page.contains("clusterd_store_bytes"));
    read(&page);
}

/// Every word that looks like one of our figures.
fn used(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("clusterd_") || word.starts_with("process_")).collect()
}

#[test]
fn rules_and_dashboard_use_only_figures_that_are_on_the_page() {
    let mut dashboard = String::new();
    let parsed: Value = serde_json::from_str(DASHBOARD).unwrap();
    for panel in parsed["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            dashboard += target["expr"].as_str().unwrap();
            dashboard.push(' ');
        }
    }
    for (what, text) in [("the rules", RULES), ("the dashboard", DASHBOARD)] {
        let used = used(text);
        assert!(used.len() > 5, "{what} use next to nothing: {used:?}");
        for name in used {
            assert!(ALL.iter().any(|family| family.name == name), "{what} use {name}");
        }
    }
    // What an operator cannot do without is on the dashboard.
    for family in [families::PINS, families::UNSETTLED, families::MEMBERS, families::BYTES] {
        assert!(used(&dashboard).contains(family.name), "{}", family.name);
    }
}
