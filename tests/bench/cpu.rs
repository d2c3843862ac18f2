//! CPU time of a running program.

use std::fs;

use harness::error::HarnessError;
use harness::program::Program;

use crate::BenchError;

/// Ticks a second of the times in /proc. Source: proc(5), `USER_HZ`, which is 100 on every
/// architecture that we build for.
const TICKS_A_SECOND: f64 = 100.0;

/// Seconds that all threads of `program` have spent, in user and kernel mode.
///
/// # Errors
/// When it has ended.
pub(crate) fn seconds(program: &Program) -> Result<f64, BenchError> {
    let path = format!("/proc/{}/stat", program.pid());
    let text = fs::read_to_string(&path).map_err(HarnessError::io(format!("read {path}")))?;
    match parse(&text) {
        Some(ticks) => Ok(ticks as f64 / TICKS_A_SECOND),
        None => Err(HarnessError::Unreadable { what: "a process's times", found: text }.into()),
    }
}

/// User and system ticks. Source: proc(5), fields 14 and 15.
fn parse(stat: &str) -> Option<u64> {
    // The name, field 2, is in parentheses and may hold spaces.
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_added_whatever_the_name() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194304 500 0 0 0 17 25 3 4 20 0 1 0 100";
        assert_eq!(parse(stat), Some(42));
        assert_eq!(parse("42 (a) S 1"), None);
    }
}
