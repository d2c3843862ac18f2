//! What the tests of adding share: content, programs, and looks at a Kubo itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::http::Client;
use harness::kubo::Kubo;
use harness::random::Random;
use harness::rpc;

/// How a program ended.
pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

/// Runs a program to its end.
pub(super) fn run(mut command: Command, args: &[&str]) -> Ran {
    let output = command.args(args).output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs a program that must succeed; its output.
pub(super) fn ok(command: Command, args: &[&str]) -> String {
    let ran = run(command, args);
    assert_eq!(ran.code, 0, "{args:?}: {}{}", ran.out, ran.err);
    ran.out
}

/// A directory `site` with files small and large, empty and hidden, and a link. Different for each seed.
pub(super) fn site(place: &Path, seed: u64) -> PathBuf {
    let site = place.join(format!("{seed}")).join("site");
    let mut random = Random::seeded(seed);
    fs::create_dir_all(site.join("deep/er")).unwrap();
    let mut write = |name: &str, bytes: usize| {
        let mut content = vec![0; bytes];
        random.fill(&mut content);
        fs::write(site.join(name), content).unwrap();
    };
    write("large.bin", 3 << 20);
    write("deep/er/some words & more.txt", 1234);
    write(".hidden", 7);
    for number in 0..50 {
        write(&format!("deep/small-{number}"), 300 + number);
    }
    fs::write(site.join("empty"), "").unwrap();
    std::os::unix::fs::symlink("deep/er", site.join("link")).unwrap();
    site
}

/// Whether a Kubo itself holds a recursive pin.
pub(super) fn holds(kubo: &Kubo, cid: &str) -> bool {
    rpc::pin_ls(&Client::tcp(kubo.port())).unwrap().contains(cid)
}

/// Whether a Kubo itself has a whole DAG, without asking anybody.
pub(super) fn has_all(kubo: &Kubo, cid: &str) -> bool {
    let target = format!("/api/v0/dag/stat?arg={cid}&offline=true&progress=false");
    rpc::good(Client::tcp(kubo.port()).post(&target).unwrap()).is_ok()
}

/// The CIDs in the pinset that a REST API tells of.
pub(super) fn pinset(control: &Client) -> Vec<String> {
    harness::cluster::pinset(control).unwrap().into_keys().collect()
}
