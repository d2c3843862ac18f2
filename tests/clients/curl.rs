//! curl: heads, bodies and trailers of the requests in `scripts/curl.txt`.

use std::process::Command;

use serde_json::{Value, json};

use crate::calls::Call;
use crate::cli::write_files;
use crate::sides::{Side, Sides};
use crate::{matrix, script, verdict};

fn run(side: &Side) -> Vec<Call> {
    write_files(side);
    let text = include_str!("scripts/curl.txt")
        .replace("{api}", &format!("http://127.0.0.1:{}/api/v0", side.port));
    let client = |_: &Side| {
        let mut curl = Command::new("curl");
        // Heads and trailers go to standard output with the body; no settings of the user's.
        curl.args(["--disable", "--silent", "--show-error", "--include", "--max-time", "60"]);
        curl
    };
    script::run(&text, side, client).into_iter().map(without_timing).collect()
}

/// Without the time, without all but the last progress of a pin (there is one each half second), and
/// without `Connection: close` after an upload: Kubo says so when it answers
/// before it has read all, which depends on how the bytes arrive.
fn without_timing(mut call: Call) -> Call {
    let is_upload = matches!(call.command.as_str(), "add" | "block/put" | "dag/put" | "dag/import");
    if let Some(Value::String(text)) = call.outcome.get("stdout") {
        let lines = text.split('\n').filter(|line| !line.starts_with("Date: "));
        let lines = lines.filter(|line| !(is_upload && *line == "Connection: close"));
        let mut lines: Vec<&str> = lines.collect();
        let is_progress =
            |line: &&str| call.command == "pin/add" && line.contains("{\"Progress\":");
        lines.dedup_by(|next, line| {
            let is_again = is_progress(next) && is_progress(line);
            // The later one stays.
            if is_again {
                *line = *next;
            }
            is_again
        });
        let text = lines.join("\n");
        call.outcome.insert("stdout".to_owned(), json!(text));
    }
    call
}

#[test]
fn curl_sees_the_same_of_both() {
    let sides = Sides::start();
    let compared = verdict::compare("curl", &run(&sides.direct()), &run(&sides.through()));
    verdict::check("curl", &compared);
    matrix::record("curl", &compared);
}
