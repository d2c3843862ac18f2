//! What the files of the units must say, whatever machine they run on.

use std::collections::BTreeSet;
use std::fs;

use super::machine::repository;

fn unit(name: &str) -> String {
    fs::read_to_string(repository().join("systemd").join(name)).unwrap()
}

/// The settings alone, with an instance's names written as the plain ones are.
fn settings(name: &str) -> Vec<String> {
    let plain = |line: &str| {
        line.replace("@%i", "")
            .replace("-%i", "")
            .replace("/%i.", "/")
            .replace(" %i", "")
            .replace(" --config /etc/proxyd/toml", "")
            .replace(" --config /etc/clusterd/toml", "")
    };
    let text = unit(name);
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(plain).collect()
}

#[test]
fn an_instance_differs_from_the_plain_unit_by_its_name_alone() {
    for name in
        ["proxyd.service", "clusterd.service", "clusterd-proxy.socket", "clusterd-control.socket"]
    {
        let (stem, kind) = name.split_once('.').unwrap();
        assert_eq!(settings(&format!("{stem}@.{kind}")), settings(name), "{name}");
    }
}

#[test]
fn every_restriction_has_its_reason() {
    for name in ["proxyd.service", "clusterd.service"] {
        let text = unit(name);
        let service = text.split("# Identity").nth(1).unwrap().split("[Install]").next().unwrap();
        for paragraph in service.split("\n\n").filter(|part| part.contains('=')) {
            assert!(
                paragraph.contains("# ") || paragraph.starts_with("\nUser="),
                "{name}: {paragraph}"
            );
        }
    }
}

#[test]
fn every_unit_and_example_is_shipped_and_set_to_off() {
    let list = fs::read_to_string(repository().join("packaging/install.sh")).unwrap();
    let preset = unit("preset");
    let disabled: BTreeSet<&str> =
        preset.lines().filter_map(|line| line.strip_prefix("disable ")).collect();
    let mut units = BTreeSet::new();
    for entry in fs::read_dir(repository().join("systemd")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_listed = list.contains(&format!("systemd/{name} ")) || name == "examples";
        assert!(is_listed, "packaging/install.sh does not ship {name}");
        if name.ends_with(".service") || name.ends_with(".socket") {
            units.insert(name);
        }
    }
    assert_eq!(disabled, units.iter().map(String::as_str).collect());
}
