//! Crashes, hangs and mistakes: systemd mends what a restart can mend, and says what it cannot.

use std::fs;
use std::time::Duration;

use harness::wait;
use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::load;
use super::machine::Machine;
use super::stage::{self, ipfs, property, wait_for_answer, wait_for_new_process};

/// The shipped watchdogs are longer; a test need not wait for them.
const SHORT_WATCHDOG: &str = "[Service]\nWatchdogSec=3s\n";

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn a_killed_daemon_is_back_with_all_its_pins() {
    let machine = stage::running("killed").unwrap();
    machine.write("/srv/file", "survives").unwrap();
    let cid = ipfs(&machine, &["add", "--quieter", "/srv/file"]).unwrap();
    for unit in ["proxyd", "clusterd"] {
        let old = property(&machine, unit, "MainPID");
        machine.ok(&["systemctl", "kill", "--kill-who=main", "--signal=KILL", unit]).unwrap();
        wait_for_new_process(&machine, unit, &old);
        let listed = ipfs(&machine, &["pin", "ls", "--type=recursive"]).unwrap();
        assert!(listed.contains(&cid), "{unit}: {listed}");
    }
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn a_crash_of_clusterd_under_load_fails_no_request() {
    let machine = stage::running("crash").unwrap();
    load::none_fails(&machine, |load| {
        machine.ok(&["systemctl", "kill", "--kill-who=main", "--signal=KILL", "clusterd"])?;
        load.wait()
    });
}

/// Stops one thread alone in its tracks, as a lock that is never given back would. It goes on when
/// this is dropped, or dies with its process.
struct Hung(Pid);

impl Hung {
    fn thread(pid: i32, name: &str) -> Self {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let thread = threads
            .map(|entry| entry.unwrap().path())
            .find(|task| fs::read_to_string(task.join("comm")).unwrap().trim() == name)
            .unwrap();
        let number = thread.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let thread = Pid::from_raw(number);
        ptrace::seize(thread, ptrace::Options::empty()).unwrap();
        ptrace::interrupt(thread).unwrap();
        waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap();
        Self(thread)
    }

    /// Whether it has died with its process. Who holds it must look, or the process stays as a zombie.
    fn has_died(&self) -> bool {
        let looked = waitpid(self.0, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL));
        matches!(looked, Ok(WaitStatus::Signaled(..) | WaitStatus::Exited(..)) | Err(Errno::ECHILD))
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        ptrace::detach(self.0, None::<Signal>).ok();
    }
}

fn watch_closely(machine: &Machine, unit: &str) {
    let drop_in = format!("/etc/systemd/system/{unit}.service.d/watchdog.conf");
    machine.write(&drop_in, SHORT_WATCHDOG).unwrap();
    machine.sh(&format!("systemctl daemon-reload; systemctl restart {unit}")).unwrap();
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn a_driver_that_hangs_is_restarted_by_the_watchdog() {
    let machine = stage::running("hung-driver").unwrap();
    watch_closely(&machine, "clusterd");
    let old = property(&machine, "clusterd", "MainPID");
    let hung = Hung::thread(machine.pid("clusterd").unwrap(), "driver");
    // All other threads go on: only the watchdog can tell.
    wait::until("the end of the hung daemon", Duration::from_secs(60), || {
        hung.has_died().then_some(())
    })
    .unwrap();
    wait_for_new_process(&machine, "clusterd", &old);
    drop(hung);
    let result =
        machine.sh("journalctl --no-pager -u clusterd -o cat | grep -c 'Watchdog timeout'");
    assert_eq!(result.unwrap(), "1\n");
    wait_for_answer(&machine, "/api/v0/pin/ls").unwrap();
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn a_proxy_that_hangs_is_restarted_by_the_watchdog() {
    let machine = stage::running("hung-proxy").unwrap();
    watch_closely(&machine, "proxyd");
    let old = property(&machine, "proxyd", "MainPID");
    machine.ok(&["systemctl", "kill", "--kill-who=main", "--signal=STOP", "proxyd"]).unwrap();
    wait_for_new_process(&machine, "proxyd", &old);
    wait_for_answer(&machine, "/api/v0/version").unwrap();
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn a_mistake_in_a_setting_is_shown_once_and_not_tried_again() {
    let machine = stage::running("mistake").unwrap();
    machine.write("/etc/clusterd/clusterd.toml", "[tracker]\npins_runing_max = 5\n").unwrap();
    machine.run(&["systemctl", "restart", "clusterd"]).unwrap();
    wait::until("the failure", Duration::from_secs(30), || {
        (property(&machine, "clusterd", "ActiveState") == "failed").then_some(())
    })
    .unwrap();
    assert_eq!(property(&machine, "clusterd", "ExecMainStatus"), "78");
    assert_eq!(property(&machine, "clusterd", "NRestarts"), "0");
    let shown = machine.sh("journalctl --no-pager -u clusterd -p err -o cat").unwrap();
    assert!(shown.contains("pins_runing_max") && shown.contains("clusterd.toml:2"), "{shown}");
    // What passes through needs no clusterd.
    wait_for_answer(&machine, "/api/v0/version").unwrap();
    machine.write("/etc/clusterd/clusterd.toml", "").unwrap();
    machine.ok(&["systemctl", "restart", "clusterd"]).unwrap();
    wait_for_answer(&machine, "/api/v0/pin/ls").unwrap();
}

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn kubo_may_come_later_or_never() {
    let machine = stage::with_kubo("late-kubo").unwrap();
    machine.ok(&["systemctl", "stop", "kubo"]).unwrap();
    stage::install(&machine).unwrap();
    machine.ok(&["systemctl", "enable", "--now", "clusterd", "proxyd"]).unwrap();
    let cid = "bafkreidgvpkjawlxz6sffxzwgooowe5yt7i6wsyg236mfoks77nywkptdq";
    machine.ok(&["clusterdctl", "pin", "add", cid]).unwrap();
    assert!(machine.ok(&["clusterdctl", "pin", "ls"]).unwrap().contains(cid));
    let line = "1 peers, 1 pins, 0 running, 1 not as wanted, ipfs does not answer";
    wait::until(line, Duration::from_secs(30), || {
        (property(&machine, "clusterd", "StatusText") == line).then_some(())
    })
    .unwrap();
    let shown = machine.run(&["systemctl", "status", "--no-pager", "clusterd"]).unwrap().stdout;
    assert!(shown.contains(&format!("Status: \"{line}\"")), "{shown}");
    machine.ok(&["systemctl", "start", "kubo"]).unwrap();
    machine.write("/srv/file", "late").unwrap();
    ipfs(&machine, &["add", "--quieter", "/srv/file"]).unwrap();
}
