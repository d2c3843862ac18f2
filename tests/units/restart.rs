//! Restarts and upgrades under load: no client may notice.

use std::fs;

use super::load;
use super::packages;
use super::stage;

/// A restart may come at any moment of a request, so it comes often.
const RESTARTS: usize = 6;

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn restarts_of_either_daemon_fail_no_request() {
    let machine = stage::running("restarts").unwrap();
    let answered = load::none_fails(&machine, |load| {
        for round in 0..RESTARTS {
            let unit = if round % 2 == 0 { "proxyd" } else { "clusterd" };
            machine.ok(&["systemctl", "restart", unit])?;
            load.wait()?;
        }
        Ok(())
    });
    println!("{RESTARTS} restarts, {answered} requests, 0 failed");
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn an_upgrade_of_the_package_fails_no_request() {
    let machine = stage::running("upgrade").unwrap();
    let work = tempfile::tempdir().unwrap();
    let later = packages::later_deb(work.path()).unwrap();
    machine.copy(&later, "/srv/later.deb").unwrap();
    let before = ["proxyd", "clusterd"].map(|unit| stage::property(&machine, unit, "MainPID"));
    let sockets = machine.ok(&["stat", "--format=%i", "/run/clusterd/proxy.sock"]).unwrap();
    fs::remove_dir_all(work.path().join("tree")).unwrap();
    let answered = load::none_fails(&machine, |_| {
        machine.ok(&["dpkg", "--install", "/srv/later.deb"]).map(drop)
    });
    for (unit, old) in ["proxyd", "clusterd"].iter().zip(before) {
        assert_ne!(stage::property(&machine, unit, "MainPID"), old, "{unit} is the new one");
    }
    // The very same socket: it was never closed.
    assert_eq!(machine.ok(&["stat", "--format=%i", "/run/clusterd/proxy.sock"]).unwrap(), sockets);
    println!("an upgrade, {answered} requests, 0 failed");
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn an_upgrade_starts_nothing_that_does_not_run() {
    let machine = stage::with_kubo("stopped").unwrap();
    stage::install(&machine).unwrap();
    machine.ok(&["systemctl", "start", "clusterd"]).unwrap();
    let work = tempfile::tempdir().unwrap();
    machine.copy(&packages::later_deb(work.path()).unwrap(), "/srv/later.deb").unwrap();
    machine.ok(&["dpkg", "--install", "/srv/later.deb"]).unwrap();
    assert_eq!(stage::property(&machine, "clusterd", "ActiveState"), "active");
    assert_eq!(stage::property(&machine, "proxyd", "ActiveState"), "inactive");
}
