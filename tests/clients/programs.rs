//! Clients that are libraries: small programs in their languages, installed once into the cache.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::error::HarnessError;
use harness::peers::cache_directory;

use crate::calls::{Call, read_lines, without_sizes};
use crate::sides::{Side, Sides};
use crate::{matrix, verdict};

/// Installs a client into the directory that it is given, from files that are already there.
type Install = fn(&Path) -> Vec<Command>;

/// Compares both sides as `client` sees them; `program` gives the command for one side.
fn compare(client: &str, program: impl Fn(&Side) -> Command) {
    let sides = Sides::start();
    let calls = [sides.direct(), sides.through()].map(|side| run(&side, program(&side)));
    let compared = verdict::compare(client, &calls[0], &calls[1]);
    verdict::check(client, &compared);
    matrix::record(client, &compared);
}

fn run(side: &Side, mut program: Command) -> Vec<Call> {
    let output = program.current_dir(&side.directory).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    read_lines(&without_sizes(&side.impersonal(&said)).replace("<size>", "0"))
}

/// The directory of this client in the cache: the files of `tests/clients/<name>`, and what
/// `install` made of them. The same files are installed once.
fn installed(name: &str, install: Install) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name);
    let mut files: Vec<PathBuf> =
        fs::read_dir(&source).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.is_file());
    files.sort();
    let mut hasher = DefaultHasher::new();
    files.iter().for_each(|file| fs::read(file).unwrap().hash(&mut hasher));
    let clients = cache_directory().unwrap().join("clients");
    let directory = clients.join(format!("{name}-{:016x}", hasher.finish()));
    fs::create_dir_all(&directory).unwrap();
    // Several tests use one language; the first one installs.
    let lock = File::create(directory.join("lock")).unwrap();
    lock.lock().unwrap();
    let done = directory.join("installed");
    if !done.exists() {
        for file in &files {
            fs::copy(file, directory.join(file.file_name().unwrap())).unwrap();
        }
        install(&directory).into_iter().for_each(|step| succeed(step, &directory));
        File::create(done).unwrap();
    }
    directory
}

fn succeed(mut step: Command, directory: &Path) {
    let output = step.current_dir(directory).output().map_err(|_| HarnessError::Missing {
        what: format!("{:?}", step.get_program()),
        fix:
            "install Node 20 with npm, Python 3.11 with venv, and Go 1.26: their clients are tested"
                .to_owned(),
    });
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{step:?} failed, so the client cannot be tested: {said}");
}

fn command(program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}

fn url(side: &Side) -> String {
    format!("http://127.0.0.1:{}", side.port)
}

#[test]
fn gos_own_client_gets_the_same_from_both() {
    let build = |_: &Path| {
        vec![command("go", &["build", "-mod=mod", "-buildvcs=false", "-o", "script", "."])]
    };
    let script = installed("go", build).join("script");
    compare("Go client/rpc", |side| {
        command(&script, &[&format!("/ip4/127.0.0.1/tcp/{}", side.port)])
    });
}

fn javascript(client: &str, script: &str) {
    let install =
        |_: &Path| vec![command("npm", &["ci", "--no-audit", "--no-fund", "--ignore-scripts"])];
    let script = installed("js", install).join(script);
    compare(client, |side| command("node", &[&script.display().to_string(), &url(side)]));
}

#[test]
#[ignore = "needs Node and the npm registry; .ci/run runs it with --include-ignored"]
fn kubo_rpc_client_gets_the_same_from_both() {
    javascript("kubo-rpc-client", "script.mjs");
}

#[test]
#[ignore = "needs Node and the npm registry; .ci/run runs it with --include-ignored"]
fn the_pages_of_webui_get_the_same_from_both() {
    javascript("WebUI", "webui.mjs");
}

fn python(client: &str, script: &str) {
    let install = |directory: &Path| {
        let venv = directory.join("venv/bin/pip");
        vec![
            command("python3", &["-m", "venv", "venv"]),
            // The file names everything that is needed: nothing else may come in.
            command(
                venv,
                &["install", "--quiet", "--no-deps", "--requirement", "requirements.txt"],
            ),
        ]
    };
    let directory = installed("python", install);
    compare(client, |side| {
        let mut program = command(directory.join("venv/bin/python"), &[]);
        program.arg(directory.join(script)).arg(side.port.to_string()).arg(&side.directory);
        program
    });
}

#[test]
#[ignore = "needs Python and PyPI; .ci/run runs it with --include-ignored"]
fn ipfshttpclient_gets_the_same_from_both() {
    python("ipfshttpclient", "http_script.py");
}

#[test]
#[ignore = "needs Python and PyPI; .ci/run runs it with --include-ignored"]
fn aioipfs_gets_the_same_from_both() {
    python("aioipfs", "aio_script.py");
}
