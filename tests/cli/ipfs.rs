//! The `ipfs` command line says and does the same through proxyd as against a Kubo of its own.

use std::fs;
use std::path::Path;

use harness::ipfs::{Ipfs, Said};
use harness::kubo::Kubo;
use harness::stack::{Stack, temporary_directory};

/// The same script runs against both.
struct Sides {
    /// Through proxyd.
    ours: Ipfs,
    /// A Kubo alone.
    kubo: Ipfs,
}

impl Sides {
    /// Runs one command on both sides and compares all that a user sees; gives our output.
    fn same(&self, args: &[&str]) -> String {
        let (ours, kubo) = (self.ours.run(args).unwrap(), self.kubo.run(args).unwrap());
        assert_eq!(seen(&ours), seen(&kubo), "ipfs {}", args.join(" "));
        ours.stdout
    }
}

/// Exit code, sorted output, and errors without the progress bar. The command line prints some
/// listings in an order that differs from run to run, so only their lines are compared.
fn seen(said: &Said) -> (Option<i32>, Vec<String>, Vec<String>) {
    let mut output: Vec<String> = said.stdout.lines().map(str::to_owned).collect();
    output.sort();
    let last_drawn = |line: &str| line.rsplit('\r').next().unwrap_or_default().trim().to_owned();
    let errors = said.stderr.lines().map(last_drawn).filter(|line| line.contains("Error"));
    (said.code, output, errors.collect())
}

/// The same files on both sides.
fn write_files(directory: &Path) {
    fs::create_dir_all(directory.join("site/below")).unwrap();
    for (name, text) in [
        ("one.txt", "one\n"),
        ("two.txt", "two\n"),
        ("site/index.html", "<h1>A site</h1>\n"),
        ("site/below/page.html", "<p>A page</p>\n"),
    ] {
        fs::write(directory.join(name), text).unwrap();
    }
    // More than one block, so that there are indirect pins.
    let large: Vec<u8> = (0..600_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(directory.join("site/large.bin"), large).unwrap();
}

/// A fresh Kubo pins the empty directory of its own accord; that pin is none of the cluster's.
fn forget_first_pins(kubo: &Ipfs) {
    for cid in kubo.ok(&["pin", "ls", "--type=recursive", "-q"]).unwrap().lines() {
        kubo.ok(&["pin", "rm", cid]).unwrap();
    }
}

#[test]
fn the_commands_of_a_user_say_the_same_as_against_kubo_alone() {
    let stack = Stack::start().unwrap();
    let alone = temporary_directory().unwrap();
    let kubo = Kubo::start_in(alone.path()).unwrap();
    forget_first_pins(&stack.kubo.ipfs(stack.directory()));
    forget_first_pins(&kubo.ipfs(alone.path()));
    write_files(stack.directory());
    write_files(alone.path());
    let sides = Sides { ours: stack.ipfs(), kubo: kubo.ipfs(alone.path()) };

    let added = sides.same(&["add", "-r", "site"]);
    let site = added.lines().last().unwrap().split(' ').nth(1).unwrap();
    let one = sides.same(&["add", "-Q", "--pin=false", "one.txt"]);
    let two = sides.same(&["add", "-Q", "--pin=false", "two.txt"]);
    let (one, two) = (one.trim(), two.trim());
    sides.same(&["pin", "ls", "--type=recursive", "-q"]);
    sides.same(&["pin", "add", one, two]);
    sides.same(&["pin", "add", "--name=a name", "--recursive=false", &format!("{site}/below")]);
    sides.same(&["pin", "ls"]);
    sides.same(&["pin", "ls", "--stream", "--names"]);
    sides.same(&["pin", "ls", "--type=recursive", "-q"]);
    sides.same(&["pin", "ls", "--type=direct"]);
    sides.same(&["pin", "ls", one, &format!("{site}/below")]);
    sides.same(&["pin", "update", one, two]);
    sides.same(&["pin", "rm", one]);
    sides.same(&["pin", "rm", two]);
    sides.same(&["pin", "rm", two]);
    sides.same(&["pin", "add", "not-a-cid"]);
    sides.same(&["pin", "ls", "--type=recursive", "--names"]);
    sides.same(&["cat", &format!("{site}/index.html")]);
    same_download(&sides, site, stack.directory(), alone.path());
    same_car(&sides, site, stack.directory(), alone.path());
    sides.same(&["files", "ls"]);
    sides.same(&["files", "cp", &format!("/ipfs/{site}"), "/site"]);
    sides.same(&["files", "ls", "/site"]);
    sides.same(&["version"]);
    sides.same(&["pin", "ls"]);
}

/// `get` writes the same files.
fn same_download(sides: &Sides, site: &str, ours: &Path, alone: &Path) {
    sides.same(&["get", "-o", "got", site]);
    for file in ["got/index.html", "got/below/page.html", "got/large.bin"] {
        assert_eq!(
            fs::read(ours.join(file)).unwrap(),
            fs::read(alone.join(file)).unwrap(),
            "{file}"
        );
    }
}

/// `dag export` gives the same bytes, and `dag import` pins their root.
fn same_car(sides: &Sides, site: &str, ours: &Path, alone: &Path) {
    let car = |ipfs: &Ipfs| ipfs.command(&["dag", "export", site]).output().unwrap().stdout;
    let (our_car, kubo_car) = (car(&sides.ours), car(&sides.kubo));
    assert!(our_car.len() > 2_400_000 && our_car == kubo_car, "the CARs differ");
    sides.same(&["pin", "rm", site]);
    fs::write(ours.join("site.car"), our_car).unwrap();
    fs::write(alone.join("site.car"), kubo_car).unwrap();
    sides.same(&["dag", "import", "site.car"]);
    sides.same(&["pin", "ls", "--type=recursive", "-q"]);
}

#[test]
fn what_describes_this_machine_is_what_its_own_kubo_says() {
    let stack = Stack::start().unwrap();
    let neighbour = temporary_directory().unwrap();
    let kubo = Kubo::start_in(neighbour.path()).unwrap();
    let address = kubo.ipfs(neighbour.path()).ok(&["id", "-f", "<addrs>"]).unwrap();
    let direct = stack.kubo.ipfs(stack.directory());
    direct.ok(&["swarm", "connect", address.lines().next().unwrap()]).unwrap();
    let sides = Sides { ours: stack.ipfs(), kubo: direct };
    sides.same(&["id"]);
    assert!(!sides.same(&["swarm", "peers"]).is_empty());
    sides.same(&["repo", "stat"]);
    sides.same(&["repo", "stat", "--size-only", "--human"]);
    sides.same(&["config", "Addresses.API"]);
    sides.same(&["no-such-command"]);
}
