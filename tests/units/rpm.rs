//! The rpm: the same files with the same modes as the deb, and units that run.

use std::collections::BTreeMap;
use std::process::Command;

use super::machine::{said, succeeded};
use super::packages;
use super::stage::{self, ipfs};

/// Places that differ by the customs of each family.
const CUSTOMS: [&str; 4] =
    ["/usr/share/doc/", "/usr/share/licenses/", "/usr/share/zsh/", "/usr/lib/.build-id"];

fn output(command: &mut Command) -> String {
    let name = format!("{command:?}");
    said(&name, command).and_then(|said| succeeded(&name, said)).unwrap().stdout
}

/// Mode and owner of each file by its place.
fn of_rpm() -> BTreeMap<String, String> {
    let format = "[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES}\\n]";
    let mut command = Command::new("rpm");
    let text = output(command.args(["-qp", "--queryformat", format]).arg(packages::only("rpm")));
    text.lines().filter_map(entry).collect()
}

fn of_deb() -> BTreeMap<String, String> {
    let mut command = Command::new("dpkg-deb");
    let text = output(command.arg("--contents").arg(packages::only("deb")));
    let lines = text.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // Without names in the archive, owner and group are shown as numbers.
        let owner = if words[1] == "0/0" { "root/root" } else { words[1] };
        format!("{} {owner} {}", words[0], words[5].trim_start_matches('.'))
    });
    lines.filter_map(|line| entry(&line)).collect()
}

fn entry(line: &str) -> Option<(String, String)> {
    let (facts, place) = line.rsplit_once(' ')?;
    let is_file = facts.starts_with('-') && !CUSTOMS.iter().any(|custom| place.starts_with(custom));
    is_file.then(|| (place.to_owned(), facts.to_owned()))
}

#[test]
#[ignore = "needs the packages: run by .ci/run"]
fn both_packages_have_the_same_files_with_the_same_modes() {
    let (rpm, deb) = (of_rpm(), of_deb());
    assert!(deb.len() > 25 && deb.contains_key("/usr/bin/clusterd"), "{deb:#?}");
    assert_eq!(rpm, deb);
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn the_rpm_installs_below_another_root_and_its_units_run() {
    let tree = tempfile::tempdir().unwrap();
    let mut install = Command::new("rpm");
    install.arg("--root").arg(tree.path()).args(["--nodeps", "--noscripts", "--install"]);
    output(install.arg(packages::only("rpm")));
    assert!(tree.path().join("usr/lib/systemd/system/clusterd.service").is_file());

    let machine = stage::with_kubo("rpm").unwrap();
    let package = packages::inside(&packages::only("rpm"));
    let said = machine.sh(&format!("rpm --install --nodeps {package} 2>&1")).unwrap();
    assert!(said.contains("clusterdctl invite"), "{said}");
    assert_eq!(stage::property(&machine, "proxyd", "UnitFileState"), "disabled");
    machine.ok(&["systemctl", "enable", "--now", "clusterd", "proxyd"]).unwrap();
    machine.write("/srv/file", "by the rpm").unwrap();
    let cid = ipfs(&machine, &["add", "--quieter", "/srv/file"]).unwrap();
    assert!(ipfs(&machine, &["pin", "ls"]).unwrap().contains(&cid));
    machine.ok(&["rpm", "--erase", "composite"]).unwrap();
    let left = machine.sh("pgrep -x 'clusterd|proxyd' || :; ls /var/lib/clusterd").unwrap();
    assert!(left.contains("identity.json") && !left.contains("/usr"), "{left}");
    assert!(!left.lines().any(|line| line.parse::<u32>().is_ok()), "a daemon runs on: {left}");
}
