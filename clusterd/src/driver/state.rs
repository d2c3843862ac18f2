//! What the driver's loop remembers, and who waits for an input.

use std::time::{Duration, Instant};

use clusterd_core::input::{Input, WaiterId};
use clusterd_core::store::StoreError;
use common::lifecycle::Watchdog;

use super::SLEEP_MAX;
use super::silence::Silence;

/// What the loop remembers.
pub(super) struct State {
    pub(super) watchdog: Option<Watchdog>,
    /// Why nothing can be stored; `None` while all is well.
    pub(super) broken: Option<StoreError>,
    pub(super) repaired: Instant,
    /// When the log was last told that changes are refused.
    pub(super) told: Option<Instant>,
    pub(super) quiet_since: Instant,
    pub(super) silence: Silence,
    pub(super) status: String,
    pub(super) status_at: Instant,
}

impl State {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            watchdog: Watchdog::from_environment(),
            broken: None,
            repaired: now,
            told: None,
            quiet_since: now,
            silence: Silence::default(),
            status: String::new(),
            status_at: now,
        }
    }

    pub(super) fn feed_every(&self) -> Duration {
        self.watchdog.map_or(SLEEP_MAX, Watchdog::every)
    }
}

/// Who waits for an answer to an input.
pub(super) fn waiter(input: &Input) -> Option<WaiterId> {
    match input {
        Input::Pin { waiter, .. }
        | Input::Unpin { waiter, .. }
        | Input::Update { waiter, .. }
        | Input::Import { waiter, .. }
        | Input::Recover { waiter, .. }
        | Input::Status { waiter, .. }
        | Input::RepinView { waiter, .. }
        | Input::Operations { waiter }
        | Input::History { waiter }
        | Input::Members { waiter } => Some(*waiter),
        Input::WaiterGone { .. }
        | Input::IpfsProgress { .. }
        | Input::IpfsEnded { .. }
        | Input::IpfsProbed { .. }
        | Input::Audited { .. }
        | Input::AuditEnded { .. }
        | Input::HeadsSeen { .. }
        | Input::BlockFetched { .. }
        | Input::BlockFailed { .. }
        | Input::PeerCame
        | Input::PeerReports { .. }
        | Input::Repin { .. }
        | Input::PeerRemoved { .. }
        | Input::Metric(_)
        | Input::Ring { .. }
        | Input::Below { .. }
        | Input::Tick => None,
    }
}
