//! Small requests as fast as they are answered, by wrk.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::error::HarnessError;

use crate::BenchError;

/// Every request is this POST, which Kubo answers, too. Then wrk tells what happened in one line.
const SCRIPT: &str = r#"
wrk.method = "POST"
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
"#;

/// What wrk saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Load {
    /// Answers.
    pub(crate) requests: f64,
    /// Seconds.
    pub(crate) seconds: f64,
    /// 99 of 100 answers came within so many milliseconds.
    pub p99_ms: f64,
}

/// Posts to `target` on 127.0.0.1 over `connections`, which are kept, for `time`.
///
/// # Errors
/// When wrk is missing, or a request failed: a side that refuses work is not measured as fast.
pub(crate) fn run(
    directory: &Path,
    port: u16,
    target: &str,
    connections: u16,
    time: Duration,
) -> Result<Load, BenchError> {
    let script = directory.join("post.lua");
    std::fs::write(&script, SCRIPT).map_err(HarnessError::io("write wrk's script"))?;
    let output = Command::new("wrk")
        .args(["-t1", "--timeout", "10s"])
        .arg(format!("-c{connections}"))
        .arg(format!("-d{}s", time.as_secs()))
        .arg("-s")
        .arg(&script)
        .arg(format!("http://127.0.0.1:{port}{target}"))
        .output()
        .map_err(|_| BenchError::tool("wrk"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers = text.lines().find_map(|line| line.strip_prefix("RESULT ")).map(parse);
    let Some(Some([requests, microseconds, p99, failed])) = numbers else {
        let found = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
        return Err(HarnessError::Unreadable { what: "wrk's result", found }.into());
    };
    if failed > 0.0 || requests == 0.0 {
        return Err(BenchError::Failed { what: format!("{target} on port {port}"), count: failed });
    }
    Ok(Load { requests, seconds: microseconds / 1e6, p99_ms: p99 / 1e3 })
}

fn parse(line: &str) -> Option<[f64; 4]> {
    let numbers: Result<Vec<f64>, _> = line.split(' ').map(str::parse).collect();
    numbers.ok()?.try_into().ok()
}
