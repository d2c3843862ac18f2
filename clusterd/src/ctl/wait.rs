//! Waits until pins are as wanted, and shows how far they are.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use common::api::pins::{GlobalPinInfo, PinInfo};
use common::status::PinStatus;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::connection::Connection;
use super::failure::Failure;
use super::render::{printable, size};

/// First pause between two looks at a pin; local content is often pinned by then.
const LOOK_EVERY_MIN: Duration = Duration::from_millis(50);
/// Longest pause between two looks: an eye hardly notices it, and a daemon with a thousand waiting
/// commands does not either.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(1);

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// So many peers hold it; `None` for all that shall.
    Pinned(Option<usize>),
    /// No peer holds it.
    Unpinned,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The goal is reached.
    Reached,
    /// It can still come to be.
    Open,
    /// So many peers failed that it cannot, until one of them tries again; words of the first.
    Failed(String),
}

/// Judges the status of one pin.
pub(super) fn judge(goal: Goal, info: &GlobalPinInfo) -> Verdict {
    let peers = || info.peer_map.values().filter(|peer| peer.status != PinStatus::Remote);
    let count = |status: PinStatus| peers().filter(|peer| peer.status == status).count();
    let failed = |status: PinStatus| {
        let first = peers().find(|peer| peer.status == status);
        Verdict::Failed(first.map(words).unwrap_or_default())
    };
    // A peer that cannot be asked is neither for nor against.
    let known = peers().count() - count(PinStatus::ClusterError);
    match goal {
        Goal::Unpinned if count(PinStatus::UnpinError) > 0 => failed(PinStatus::UnpinError),
        Goal::Unpinned if count(PinStatus::Unpinned) == known => Verdict::Reached,
        Goal::Pinned(_) if known > 0 && count(PinStatus::Unpinned) == known => {
            Verdict::Failed("it is not in the pinset".to_owned())
        }
        Goal::Pinned(least) => {
            let needed = least.unwrap_or(known).max(1);
            if count(PinStatus::Pinned) >= needed {
                Verdict::Reached
            } else if count(PinStatus::PinError) > 0 && known - count(PinStatus::PinError) < needed
            {
                failed(PinStatus::PinError)
            } else {
                Verdict::Open
            }
        }
        Goal::Unpinned => Verdict::Open,
    }
}

fn words(peer: &PinInfo) -> String {
    format!("{}: {}", peer.peername, peer.error)
}

/// One pin that is waited for.
#[derive(Debug)]
pub(super) struct Awaited {
    /// Which.
    pub(super) cid: String,
    /// For what.
    pub(super) goal: Goal,
    /// Its newest status.
    pub(super) info: Option<GlobalPinInfo>,
    /// What came of it so far.
    pub(super) verdict: Verdict,
}

impl Awaited {
    pub(super) fn new(cid: String, goal: Goal) -> Self {
        Self { cid, goal, info: None, verdict: Verdict::Open }
    }
}

/// Looks at all pins until none is open or the time is over, whichever comes first. With `show`,
/// progress goes to standard error.
///
/// # Errors
/// When clusterd cannot be asked. Pins that failed, or are open still, are no error here.
pub(super) async fn wait(
    connection: &Connection,
    pins: &mut [Awaited],
    limit: Option<Duration>,
    show: bool,
) -> Result<(), Failure> {
    // A limit beyond what the clock can count is none.
    let end = limit.and_then(|limit| Instant::now().checked_add(limit));
    let mut view = View::new(pins, show);
    let mut pause = LOOK_EVERY_MIN;
    loop {
        for (at, pin) in pins.iter_mut().enumerate() {
            if pin.verdict == Verdict::Open {
                let info = connection.follow(&pin.cid).await?;
                pin.verdict = judge(pin.goal, &info);
                pin.info = Some(info);
                view.update(at, pin);
            }
        }
        if pins.iter().all(|pin| pin.verdict != Verdict::Open) {
            return Ok(());
        }
        let mut next = Instant::now() + pause;
        if let Some(end) = end {
            if Instant::now() >= end {
                return Ok(());
            }
            next = next.min(end);
        }
        tokio::time::sleep_until(next).await;
        pause = (pause * 3 / 2).min(LOOK_EVERY_MAX);
    }
}

/// Lines on standard error, one a pin: living ones on a terminal, otherwise one for each change.
struct View {
    bars: Vec<ProgressBar>,
    last: Vec<String>,
    plain: bool,
}

/// Living lines at most; more would scroll away and flicker.
const BARS_MAX: usize = 16;

impl View {
    fn new(pins: &[Awaited], show: bool) -> Self {
        let plain = show && !io::stderr().is_terminal();
        let mut bars = Vec::new();
        if show && !plain {
            let all = MultiProgress::new();
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
            for _ in pins.iter().take(BARS_MAX) {
                let bar = all.add(ProgressBar::new_spinner());
                if let Ok(style) = &style {
                    bar.set_style(style.clone());
                }
                bar.enable_steady_tick(Duration::from_millis(100));
                bars.push(bar);
            }
        }
        Self { bars, last: vec![String::new(); pins.len()], plain }
    }

    fn update(&mut self, at: usize, pin: &Awaited) {
        let line = format!("{} {}", pin.cid, describe(pin, !self.plain));
        if let Some(bar) = self.bars.get(at) {
            bar.set_message(line);
            if pin.verdict != Verdict::Open {
                bar.finish();
            }
        } else if self.plain && self.last[at] != line {
            // Nobody is left to tell when standard error is gone.
            drop(writeln!(io::stderr(), "{line}"));
            self.last[at] = line;
        }
    }
}

/// The states of a pin's peers in a few words; amounts move all the time, so plain lines omit them.
fn describe(pin: &Awaited, amounts: bool) -> String {
    let Some(info) = &pin.info else {
        return String::new();
    };
    let mut parts = Vec::new();
    for status in PinStatus::ALL.into_iter().filter(|status| *status != PinStatus::Remote) {
        let count = info.peer_map.values().filter(|peer| peer.status == status).count();
        match (count, info.peer_map.len()) {
            (0, _) => {}
            (_, 1) => parts.push(status.as_str().to_owned()),
            (count, _) => parts.push(format!("{count} {}", status.as_str())),
        }
    }
    let mut text = parts.join(", ");
    let progress: Vec<_> = info.peer_map.values().filter_map(|peer| peer.progress).collect();
    if amounts && !progress.is_empty() {
        let nodes: u64 = progress.iter().map(|progress| progress.nodes).sum();
        let bytes: u64 = progress.iter().map(|progress| progress.bytes).sum();
        text.push_str(&format!(", {nodes} nodes, {}", size(bytes)));
    }
    if let Verdict::Failed(error) = &pin.verdict {
        text.push_str(&format!(": {}", printable(error)));
    }
    text
}

#[cfg(test)]
mod tests;
