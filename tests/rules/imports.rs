//! Who may use whom: the table of ARCHITECTURE.md, held against the `use` lines and paths.

use std::fs;

use super::source::{Source, repository, sources};

/// What no file below a directory may name.
struct Rule {
    room: &'static str,
    never: &'static [&'static str],
}

/// A clock, a socket, a thread or an order that differs from run to run would make a simulation
/// that cannot be replayed.
const CORE_NEVER: &[&str] = &[
    "tokio",
    "hyper",
    "libp2p",
    "rand",
    "std::net",
    "std::fs",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
];

/// The rooms of clusterd that only `driver`, `effects` and `main` may bring together.
const CLUSTERD_ROOMS: [&str; 5] = ["net", "ipfs", "store", "api", "informer"];

const RULES: &[Rule] = &[
    Rule { room: "common/src", never: &["libp2p", "clusterd", "clusterd_core", "proxyd"] },
    Rule { room: "clusterd/core/src", never: CORE_NEVER },
    Rule { room: "proxyd/src", never: &["clusterd", "clusterd_core", "libp2p"] },
];

fn assert_names_none_of(source: &Source, never: &[&str], reason: &str) {
    for path in source.paths() {
        for forbidden in never {
            let is_it = path
                .strip_prefix(forbidden)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
            assert!(!is_it, "{} names `{path}`: {reason}", source.path);
        }
    }
}

#[test]
fn no_room_uses_what_its_row_forbids() {
    for rule in RULES {
        for source in sources(rule.room) {
            assert_names_none_of(&source, rule.never, &format!("{} must not", rule.room));
        }
    }
}

#[test]
fn the_rooms_of_clusterd_do_not_know_each_other() {
    let is_in = |source: &Source, room: &str| {
        source.path.starts_with(&format!("clusterd/src/{room}/"))
            || source.path == format!("clusterd/src/{room}.rs")
    };
    let mut seen = 0;
    for source in sources("clusterd/src") {
        for room in CLUSTERD_ROOMS.into_iter().filter(|room| is_in(&source, room)) {
            seen += 1;
            let others = CLUSTERD_ROOMS.iter().filter(|other| **other != room);
            let others: Vec<String> = others.map(|other| format!("crate::{other}")).collect();
            let others: Vec<&str> = others.iter().map(String::as_str).collect();
            assert_names_none_of(&source, &others, "rooms of clusterd meet in driver and effects");
        }
    }
    assert!(seen > 0, "no file of {CLUSTERD_ROOMS:?}: have the rooms moved?");
}

#[test]
fn clusterdctl_knows_only_common() {
    for source in sources("clusterd/src/ctl") {
        for path in source.paths() {
            let own = path.strip_prefix("crate::").is_none_or(|rest| rest.starts_with("ctl"));
            let foreign = path.starts_with("clusterd_core") || path.starts_with("clusterd::");
            assert!(own && !foreign, "{} names `{path}`: ctl may use only common", source.path);
        }
    }
}

/// The names in `[dependencies]` of a manifest.
fn dependencies(manifest: &str) -> Vec<String> {
    let manifest = fs::read_to_string(repository().join(manifest)).unwrap();
    let table = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split(['.', ' ', '=']).next().unwrap().to_owned()).collect()
}

#[test]
fn no_crate_depends_on_what_its_row_forbids() {
    for (manifest, never) in [
        ("clusterd/core/Cargo.toml", &["tokio", "hyper", "libp2p", "rand", "fjall", "axum"][..]),
        ("proxyd/Cargo.toml", &["clusterd", "clusterd-core", "libp2p"]),
        ("common/Cargo.toml", &["clusterd", "clusterd-core", "proxyd", "libp2p"]),
        ("tests/Cargo.toml", &["clusterd", "clusterd-core", "proxyd"]),
    ] {
        for name in dependencies(manifest) {
            assert!(!never.contains(&name.as_str()), "{manifest} depends on {name}");
        }
    }
}

#[test]
fn core_takes_common_without_io() {
    let workspace = fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let common = workspace.lines().find(|line| line.starts_with("common = ")).unwrap();
    assert!(common.contains("default-features = false"), "{common}");
    let core = fs::read_to_string(repository().join("clusterd/core/Cargo.toml")).unwrap();
    let common = core.lines().find(|line| line.starts_with("common")).unwrap();
    assert!(!common.contains("features"), "{common}");
}
