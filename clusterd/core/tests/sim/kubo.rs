//! A Kubo that does what a test tells it: slowly, not at all, or with an error.

use std::collections::{BTreeMap, BTreeSet};

use clusterd_core::effect::Effect;
use clusterd_core::input::{HeldPin, Input, IpfsFailure, OpId};
use common::ids::Cid;
use common::pin::PinMode;

/// What Kubo was asked to do and has not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Pin { cid: Cid, mode: PinMode, name: String },
    Unpin { cid: Cid },
}

impl Asked {
    pub(crate) fn cid(&self) -> Cid {
        match self {
            Self::Pin { cid, .. } | Self::Unpin { cid } => *cid,
        }
    }
}

/// Kubo outlives crashes of the node.
#[derive(Debug, Default)]
pub(crate) struct Kubo {
    pub(crate) held: BTreeMap<Cid, (PinMode, String)>,
    /// Content that nobody has.
    pub(crate) dead: BTreeSet<Cid>,
    pub(crate) is_down: bool,
    pub(crate) asked: BTreeMap<OpId, Asked>,
    pub(crate) probes: usize,
    pub(crate) audits: usize,
    /// Calls ever made, for counting.
    pub(crate) calls: usize,
}

impl Kubo {
    pub(crate) fn take(&mut self, effect: Effect) {
        match effect {
            Effect::IpfsPin { op, cid, mode, name, .. } => {
                self.ask(op, Asked::Pin { cid, mode, name });
            }
            Effect::IpfsUnpin { op, cid } => self.ask(op, Asked::Unpin { cid }),
            Effect::IpfsCancel { op } => {
                assert!(self.asked.remove(&op).is_some(), "cancelled what does not run");
            }
            Effect::IpfsProbe => self.probes += 1,
            Effect::IpfsAudit => self.audits += 1,
            Effect::Answer { .. }
            | Effect::FetchBlock { .. }
            | Effect::Broadcast { .. }
            | Effect::TellState { .. }
            | Effect::TellAway { .. }
            | Effect::TellProgress { .. }
            | Effect::AskOthers
            | Effect::ListenAnew
            | Effect::RecoverAt { .. } => {}
        }
    }

    fn ask(&mut self, op: OpId, asked: Asked) {
        self.calls += 1;
        let others = self.asked.values().filter(|other| other.cid() == asked.cid());
        assert_eq!(others.count(), 0, "two operations on one pin");
        assert!(self.asked.insert(op, asked).is_none(), "an operation number was used twice");
    }

    /// Does what was asked, if it can; `None` while it hangs on content that nobody has.
    pub(crate) fn finish(&mut self, op: OpId) -> Option<Input> {
        let asked = self.asked.get(&op)?.clone();
        let outcome = if self.is_down {
            Err(IpfsFailure::Unreachable("connection refused".to_owned()))
        } else {
            match asked {
                Asked::Pin { cid, .. } if self.dead.contains(&cid) => return None,
                Asked::Pin { cid, mode, name } => {
                    self.held.insert(cid, (mode, name));
                    Ok(())
                }
                Asked::Unpin { cid } => {
                    self.held.remove(&cid);
                    Ok(())
                }
            }
        };
        self.asked.remove(&op);
        Some(Input::IpfsEnded { op, outcome })
    }

    /// Ends an operation without its being done.
    pub(crate) fn fail(&mut self, op: OpId, failure: IpfsFailure) -> Input {
        self.asked.remove(&op).unwrap();
        Input::IpfsEnded { op, outcome: Err(failure) }
    }

    /// The whole list, and its end.
    pub(crate) fn audit(&mut self) -> Vec<Input> {
        self.audits -= 1;
        if self.is_down {
            return vec![Input::AuditEnded { complete: false }];
        }
        let held = self.held.iter().map(|(cid, (mode, name))| HeldPin {
            cid: *cid,
            mode: *mode,
            name: name.clone(),
        });
        let held = held.collect();
        vec![Input::Audited { held }, Input::AuditEnded { complete: true }]
    }
}
