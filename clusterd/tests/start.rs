//! What clusterd says and how it ends when it cannot start; nothing here needs a Kubo.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its place up fails right there")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Configuration or state that a restart cannot mend.
const EXIT_CONFIG: i32 = 78;

struct Place(tempfile::TempDir);

impl Place {
    /// A state directory with a secret, and a configuration that keeps everything inside it.
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.path().join("state")).unwrap();
        fs::write(place.path().join("state/cluster-secret"), "ab".repeat(32)).unwrap();
        let at = place.path().display();
        place.configure(&format!(
            "peername = \"a\"\nstate = \"{at}/state\"\n\
             [sockets]\nproxy = \"{at}/proxy.sock\"\ncontrol = \"{at}/control.sock\"\n\
             [ipfs]\napi = \"/unix{at}/nobody.sock\"\n[peers]\nlisten = []\n",
        ));
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn configure(&self, text: &str) {
        fs::write(self.path().join("clusterd.toml"), text).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clusterd"));
        command.arg("--config").arg(self.path().join("clusterd.toml"));
        command.env_remove("CREDENTIALS_DIRECTORY").env_remove("NOTIFY_SOCKET");
        command
    }

    fn fails(&self) -> (i32, String) {
        ended(&self.command().output().unwrap())
    }

    /// A running clusterd; it ends with the value.
    fn start(&self) -> Running {
        let child = self.command().stderr(Stdio::null()).spawn().unwrap();
        let running = Running(child);
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.path().join("control.sock").exists() {
            assert!(Instant::now() < deadline, "clusterd did not get ready");
            std::thread::yield_now();
        }
        running
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn ended(output: &Output) -> (i32, String) {
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn check_accepts_a_good_configuration_in_silence() {
    let place = Place::new();
    let output = place.command().arg("--check").output().unwrap();
    assert_eq!(ended(&output), (0, String::new()));
    assert!(!place.path().join("state/identity.json").exists(), "a check changes nothing");
}

#[test]
fn a_bad_configuration_is_shown_with_its_line() {
    let place = Place::new();
    place.configure("peername = \"a\"\nstatee = \"/x\"\n");
    for arguments in [&["--check"][..], &[]] {
        let (code, words) = ended(&place.command().args(arguments).output().unwrap());
        assert_eq!(code, EXIT_CONFIG);
        assert!(words.contains("unknown field `statee`"), "{words}");
        assert!(words.contains("clusterd.toml:2"), "{words}");
    }
}

#[test]
fn without_a_secret_it_says_how_to_make_one() {
    let place = Place::new();
    fs::remove_file(place.path().join("state/cluster-secret")).unwrap();
    let (code, words) = place.fails();
    assert_eq!(code, EXIT_CONFIG);
    assert!(words.contains("clusterdctl init") && words.contains("clusterdctl join"), "{words}");
}

#[test]
fn the_state_of_a_newer_program_is_left_alone() {
    let place = Place::new();
    fs::write(place.path().join("state/format"), "99\n").unwrap();
    let (code, words) = place.fails();
    assert_eq!(code, EXIT_CONFIG);
    assert!(words.contains("format 99"), "{words}");
    assert!(!place.path().join("state/pinset").exists());
}

#[test]
fn a_port_of_the_status_page_that_is_taken_is_said_and_no_reason_to_stay_away() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = fs::read_to_string(place.path().join("clusterd.toml")).unwrap();
    let port = taken.local_addr().unwrap().port();
    place.configure(&format!("{settings}[status]\nlisten = \"/ip4/127.0.0.1/tcp/{port}\"\n"));
    let child = place.command().stderr(Stdio::piped()).spawn().unwrap();
    let mut running = Running(child);
    let log = std::io::BufReader::new(running.0.stderr.take().unwrap());
    let said: Vec<String> = std::io::BufRead::lines(log)
        .map(Result::unwrap)
        .take_while(|line| !line.contains(" INFO ready "))
        .filter(|line| line.contains("status page"))
        .collect();
    assert!(place.path().join("control.sock").exists(), "it goes on");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("WARN") && said[0].contains("change listen in [status]"), "{said:?}");
}

#[test]
fn a_second_clusterd_is_refused_and_the_first_goes_on() {
    let place = Place::new();
    let mut first = place.start();
    let (code, words) = place.fails();
    assert_eq!(code, 1);
    assert!(words.contains("another program listens"), "{words}");
    // Other sockets, but the same state.
    let text = fs::read_to_string(place.path().join("clusterd.toml")).unwrap();
    place.configure(&text.replace("proxy.sock", "p2.sock").replace("control.sock", "c2.sock"));
    let (code, words) = place.fails();
    assert_eq!(code, 1);
    assert!(words.contains("another clusterd uses"), "{words}");
    assert!(first.0.try_wait().unwrap().is_none(), "the first one ended");
}
