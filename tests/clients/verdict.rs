//! Compares the two sides of a client, call by call.

use crate::calls::Call;
use crate::justified::{self, Justified};

/// What became of one call on the two sides.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The same.
    Same,
    /// Different, as the list says: the number of the entry.
    Justified(usize),
    /// Different, and nobody knows why.
    Unexpected {
        /// From Kubo.
        direct: String,
        /// From proxyd.
        through: String,
    },
}

/// A compared call: the command, what is special about it, and the verdict.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) command: String,
    pub(crate) call: String,
    pub(crate) verdict: Verdict,
}

/// Compares the calls of `client`.
///
/// # Panics
/// When both sides did not run the same script.
pub(crate) fn compare(client: &str, direct: &[Call], through: &[Call]) -> Vec<Compared> {
    let name = |call: &Call| format!("{}: {}", call.command, call.call);
    let names = |calls: &[Call]| calls.iter().map(name).collect::<Vec<_>>();
    assert_eq!(names(direct), names(through), "{client} ran another script through proxyd");
    direct.iter().zip(through).map(|(direct, through)| one(client, direct, through)).collect()
}

fn one(client: &str, direct: &Call, through: &Call) -> Compared {
    let verdict = if direct.outcome == through.outcome {
        Verdict::Same
    } else {
        let found = through.outcome_text();
        match justified::find(client, &direct.command, &direct.call) {
            Some((number, entry)) if found.contains(entry.through) => Verdict::Justified(number),
            Some(_) | None => Verdict::Unexpected { direct: direct.outcome_text(), through: found },
        }
    };
    Compared { command: direct.command.clone(), call: direct.call.clone(), verdict }
}

/// Of an outcome so many characters are shown.
const SHOWN_MAX: usize = 700;

fn shown(outcome: &str) -> String {
    outcome.chars().take(SHOWN_MAX).collect()
}

/// Fails on calls that differ without a reason, and on reasons without a call that differs.
///
/// # Panics
/// As it says.
pub(crate) fn check(client: &str, compared: &[Compared]) {
    let mut faults = Vec::new();
    for Compared { command, call, verdict } in compared {
        match verdict {
            Verdict::Unexpected { direct, through } => faults.push(format!(
                "{command} ({call})
  Kubo:   {}
  proxyd: {}",
                shown(direct),
                shown(through)
            )),
            Verdict::Same if justified::find(client, command, call).is_some() => {
                faults.push(format!(
                    "{command} ({call}) is the same now: remove it from the justified list"
                ));
            }
            Verdict::Same | Verdict::Justified(_) => {}
        }
    }
    let called = |entry: &&Justified| {
        compared.iter().any(|Compared { command, call, .. }| entry.is_for(client, command, call))
    };
    for entry in justified::of(client).filter(|entry| !called(entry)) {
        faults.push(format!("no call of {client} is `{}: {}`", entry.command, entry.call));
    }
    assert!(
        faults.is_empty(),
        "{client}: {} of {} calls:\n{}",
        faults.len(),
        compared.len(),
        faults.join("\n")
    );
}
