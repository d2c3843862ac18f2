//! A headless Chromium, spoken to over pipes in the DevTools protocol: JSON objects with a zero after each.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use harness::error::HarnessError;
use harness::program::Program;
use harness::wait;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A loaded machine starts it in some ten seconds.
const ANSWER_MAX: Duration = Duration::from_secs(120);

/// Messages that wait; then the browser waits.
const MESSAGES_MAX: usize = 1000;

/// The page renews itself every five seconds.
const SHOWN_MAX: Duration = Duration::from_secs(60);

/// One browser with one page. It ends when dropped.
pub(crate) struct Browser {
    program: Program,
    writer: PipeWriter,
    received: Receiver<Value>,
    session: Option<String>,
    last_id: u64,
    complaints: Vec<String>,
    /// Removed last.
    _profile: TempDir,
}

impl Browser {
    /// Starts it, with an empty page. `CHROMIUM` names another program than `chromium`.
    pub(crate) fn start() -> Self {
        let profile = harness::stack::temporary_directory().unwrap();
        let program = std::env::var_os("CHROMIUM").unwrap_or_else(|| "chromium".into());
        let found = Command::new(&program).arg("--version").output();
        let found = found.map_err(|_| HarnessError::Missing {
            what: format!("there is no {program:?}"),
            fix: "install Debian's package chromium: the status page is tested in it".to_owned(),
        });
        println!("{}", String::from_utf8_lossy(&found.unwrap().stdout).trim());
        let (commands, writer) = std::io::pipe().unwrap();
        let (reader, answers) = std::io::pipe().unwrap();
        // It reads commands from descriptor 3 and writes answers to 4.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 1>&2 0</dev/null"]).arg(program);
        command
            .args(["--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu"])
            .args(["--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .env("HOME", profile.path())
            .stdin(Stdio::from(commands))
            .stdout(Stdio::from(answers));
        let log = profile.path().join("chromium.log");
        let program = Program::start_wired("chromium", command, &log).unwrap();
        let mut browser = Self {
            program,
            writer,
            received: listen(reader),
            session: None,
            last_id: 0,
            complaints: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Audits", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Calls a method; what it answers.
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let mut call = json!({ "id": self.last_id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            call["sessionId"] = json!(session);
        }
        let mut text = call.to_string().into_bytes();
        text.push(0);
        self.writer.write_all(&text).unwrap();
        let deadline = Instant::now() + ANSWER_MAX;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message =
                self.received.recv_timeout(left).unwrap_or_else(|error| self.lost(method, error));
            if message["id"] == self.last_id {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.note(&message);
        }
    }

    fn lost(&self, method: &str, error: RecvTimeoutError) -> Value {
        panic!("no answer to {method}: {error}; Chromium says:\n{}", self.program.log_text())
    }

    /// Keeps what a page that is in order never makes a browser say.
    fn note(&mut self, message: &Value) {
        let is_harmless = match message["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" | "Page.javascriptDialogOpening" | "Audits.issueAdded" => {
                false
            }
            "Runtime.consoleAPICalled" => message["params"]["type"] == "log",
            "Log.entryAdded" => {
                let level = &message["params"]["entry"]["level"];
                level == "info" || level == "verbose"
            }
            _ => true,
        };
        if !is_harmless {
            self.complaints.push(message.to_string());
        }
    }

    /// What the browser complained of since the last call: errors, violations of the policy, dialogs.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        std::mem::take(&mut self.complaints)
    }

    /// Opens a page and waits until it is complete.
    pub(crate) fn open(&mut self, url: &str) {
        let opened = self.call("Page.navigate", json!({ "url": url }));
        assert!(opened["errorText"].is_null(), "{opened}");
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let asked =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression in the page is true.
    pub(crate) fn wait_for(&mut self, expression: &str) {
        wait::until(expression, SHOWN_MAX, || (self.value(expression) == true).then_some(()))
            .unwrap_or_else(|error| panic!("{error}; the page:\n{}", self.text()));
    }

    /// The page as it is read.
    pub(crate) fn text(&mut self) -> String {
        self.value("document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// Shows the page so wide, in this scheme of colours (`light`, `dark`).
    pub(crate) fn show(&mut self, width: u32, scheme: &str) {
        let sizes =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", sizes);
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// The whole page as a PNG, in base64.
    pub(crate) fn picture(&mut self) -> String {
        let size = self.call("Page.getLayoutMetrics", json!({}))["cssContentSize"].clone();
        let clip = json!({
            "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1,
        });
        let asked = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        self.call("Page.captureScreenshot", asked)["data"].as_str().unwrap().to_owned()
    }
}

/// Reads messages in a thread of its own, so that waiting for one has an end.
fn listen(reader: PipeReader) -> Receiver<Value> {
    let (found, received) = sync_channel(MESSAGES_MAX);
    thread::spawn(move || {
        for message in BufReader::new(reader).split(0) {
            let Ok(message) = message else { return };
            let Ok(message) = serde_json::from_slice(&message) else { return };
            if found.send(message).is_err() {
                return;
            }
        }
    });
    received
}
