//! A booted machine: systemd-nspawn over the kept root file system, with a network of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use harness::error::HarnessError;
use harness::ipfs::Said;
use harness::peers;
use harness::program::{Program, tail};
use harness::wait;
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::cable::Network;
use super::packages;
use super::rootfs;

/// A loaded machine of two cores boots another one within this.
const BOOT_MAX: Duration = Duration::from_secs(120);

/// How long a machine may take to switch itself off: a daemon's longest stop, and some more.
const OFF_MAX: Duration = Duration::from_secs(120);

/// A machine. It is switched off hard when dropped; what it wrote is lost then.
pub(crate) struct Machine {
    name: &'static str,
    network: String,
    running: Option<(Program, i32)>,
    mounted: PathBuf,
    directory: TempDir,
}

impl Machine {
    /// Boots a fresh machine. `/packages` has the packages, `/usr/local/bin/ipfs` is Kubo. Without a
    /// network it is alone in one of its own.
    pub(crate) fn boot(
        name: &'static str,
        network: Option<&Network>,
    ) -> Result<Self, HarnessError> {
        let network = match network {
            Some(network) => format!("--network-namespace-path={}", network.path()),
            None => "--private-network".to_owned(),
        };
        let directory = tempfile::Builder::new()
            .prefix("composite-machine-")
            .tempdir()
            .map_err(HarnessError::io("make a directory"))?;
        for part in ["changes", "work", "root"] {
            fs::create_dir(directory.path().join(part))
                .map_err(HarnessError::io("make a directory"))?;
        }
        let mounted = directory.path().join("root");
        let layers = format!(
            "lowerdir={},upperdir={},workdir={}",
            rootfs::directory()?.display(),
            directory.path().join("changes").display(),
            directory.path().join("work").display()
        );
        let mut mount = Command::new("mount");
        mount.args(["-t", "overlay", "overlay", "-o", &layers]).arg(&mounted);
        said("mount", &mut mount).and_then(|said| succeeded("mount", said))?;
        let mut machine = Self { name, network, running: None, mounted, directory };
        machine.switch_on()?;
        Ok(machine)
    }

    /// Boots it (again), with the files that it has.
    pub(crate) fn switch_on(&mut self) -> Result<(), HarnessError> {
        let mut command = Command::new("systemd-nspawn");
        command.args(["--quiet", "--boot", "--register=no", "--keep-unit", &self.network]);
        // Not the host's name servers.
        command.arg("--resolv-conf=off");
        command.arg("--kill-signal=SIGRTMIN+3").arg(format!("--hostname={}", self.name));
        command.arg("--directory").arg(&self.mounted);
        command.arg(format!("--bind-ro={}:/usr/local/bin/ipfs", peers::kubo()?.display()));
        command.arg(format!("--bind-ro={}:/packages", packages::directory().display()));
        let log = self.directory.path().join("console.log");
        let mut program = Program::start(self.name, command, &log)?;
        let children = format!("/proc/{0}/task/{0}/children", program.pid());
        // Read anew each time: the first child only prepares the machine, and gives way to its systemd.
        let init = wait::until("the end of the boot", BOOT_MAX, || {
            if let Err(ended) = program.check_running() {
                return Some(Err(ended));
            }
            let text = fs::read_to_string(&children).ok()?;
            let init = text.split_whitespace().next()?.parse::<i32>().ok()?;
            let state = ["systemctl", "is-system-running"];
            let said = said("systemctl", &mut inside(init, &state)).ok()?;
            matches!(said.stdout.trim(), "running" | "degraded").then_some(Ok(init))
        })??;
        self.running = Some((program, init));
        Ok(())
    }

    /// Switches it off in order.
    pub(crate) fn switch_off(&mut self) -> Result<(), HarnessError> {
        self.run(&["systemctl", "poweroff", "--no-wall"])?;
        match self.running.take() {
            Some((mut program, _)) => program.wait(OFF_MAX).map(drop),
            None => Ok(()),
        }
    }

    /// Runs a command inside to its end, whatever it is.
    pub(crate) fn run(&self, command: &[&str]) -> Result<Said, HarnessError> {
        said(&command.join(" "), &mut self.command(command))
    }

    /// Runs a command that must succeed; its output.
    pub(crate) fn ok(&self, command: &[&str]) -> Result<String, HarnessError> {
        let name = command.join(" ");
        Ok(succeeded(&name, self.run(command)?)?.stdout)
    }

    /// Runs lines of shell that must succeed; their output.
    pub(crate) fn sh(&self, lines: &str) -> Result<String, HarnessError> {
        self.ok(&["sh", "-euc", lines])
    }

    /// A command inside, not yet started.
    pub(crate) fn command(&self, command: &[&str]) -> Command {
        inside(self.init(), command)
    }

    /// Writes a file inside; directories are made.
    pub(crate) fn write(&self, path: &str, text: &str) -> Result<(), HarnessError> {
        let path = self.mounted.join(path.trim_start_matches('/'));
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(HarnessError::io("make a directory"))?;
        }
        fs::write(&path, text).map_err(HarnessError::io(format!("write {}", path.display())))
    }

    /// Copies a file of this machine to a place inside.
    pub(crate) fn copy(&self, from: &Path, to: &str) -> Result<(), HarnessError> {
        let to = self.mounted.join(to.trim_start_matches('/'));
        fs::copy(from, &to).map(drop).map_err(HarnessError::io(format!("write {}", to.display())))
    }

    /// Runs `work` in the machine's network, in a thread of its own.
    pub(crate) fn in_network<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.enter_network();
                work()
            });
            thread.join().unwrap()
        })
    }

    /// Moves the calling thread into the machine's network, for good.
    pub(crate) fn enter_network(&self) {
        let network = File::open(format!("/proc/{}/ns/net", self.init())).unwrap();
        setns(network, CloneFlags::CLONE_NEWNET).unwrap();
    }

    /// The process of a service, as this machine numbers it.
    pub(crate) fn pid(&self, unit: &str) -> Result<i32, HarnessError> {
        let own = self.ok(&["systemctl", "show", "--property=MainPID", "--value", unit])?;
        let own = own.trim();
        let space = fs::read_link(format!("/proc/{}/ns/pid", self.init())).ok();
        let numbers = fs::read_dir("/proc").map_err(HarnessError::io("read /proc"))?;
        let found = numbers
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .find(|number: &i32| {
                let status = fs::read_to_string(format!("/proc/{number}/status"));
                let is_it = status.is_ok_and(|status| {
                    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
                    line.and_then(|line| line.split_whitespace().last()) == Some(own)
                });
                is_it && fs::read_link(format!("/proc/{number}/ns/pid")).ok() == space
            });
        found.ok_or(HarnessError::Missing {
            what: format!("{unit} has no process"),
            fix: "is it running?".to_owned(),
        })
    }

    fn init(&self) -> i32 {
        self.running.as_ref().map_or(0, |(_, init)| *init)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some((program, init)) = self.running.take() {
            if thread::panicking() {
                let journal = ["journalctl", "--no-pager", "--lines=120", "--output=short-precise"];
                if let Ok(said) = said("journalctl", &mut inside(init, &journal)) {
                    eprintln!("--- end of the journal of {} ---\n{}", self.name, said.stdout);
                }
            }
            kill(Pid::from_raw(init), Signal::SIGKILL).ok();
            drop(program.kill());
        }
        let mut umount = Command::new("umount");
        // Lazily: a process that dies slowly must not keep it.
        drop(umount.arg("--lazy").arg(&self.mounted).status());
    }
}

/// A command in the machine whose systemd has this process id.
fn inside(init: i32, command: &[&str]) -> Command {
    let mut outer = Command::new("nsenter");
    outer.args(["--target", &init.to_string(), "--all", "--"]).args(command);
    outer.env_clear().env("LC_ALL", "C").env("HOME", "/");
    outer.env("PATH", "/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin");
    outer
}

/// Runs a command to its end.
pub(crate) fn said(name: &str, command: &mut Command) -> Result<Said, HarnessError> {
    let output =
        command.stdin(Stdio::null()).output().map_err(HarnessError::io(format!("run {name}")))?;
    Ok(Said {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// What a command said, if it succeeded.
pub(crate) fn succeeded(name: &str, said: Said) -> Result<Said, HarnessError> {
    if said.code == Some(0) {
        return Ok(said);
    }
    Err(HarnessError::Failed {
        command: name.to_owned(),
        status: format!("{:?}", said.code),
        output: tail(&format!("{}{}", said.stdout, said.stderr)),
    })
}

/// The top of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
