//! States of many pins from many peers, joined by pin.

use std::collections::BTreeMap;

use common::api::error::{ApiError, ErrorCode};
use common::api::pins::GlobalPinInfo;
use common::ids::{Cid, PeerId};
use futures_util::StreamExt;

use super::super::here::PinStates;
use super::super::others::{ask_all, hides, others};
use super::super::room::Room;
use super::status::unreachable_at;

/// Most states that are joined in memory: half a gigabyte. More of them need a filter.
const STATES_MAX: usize = 1_000_000;

/// States by pin.
#[derive(Default)]
pub(super) struct Gathered {
    states: BTreeMap<Cid, GlobalPinInfo>,
    count: usize,
}

impl Gathered {
    /// Takes what this peer and all others tell. A peer that fails is shown as such at every pin that
    /// somebody else told of. Source: `globalPinInfoStream` of Go ipfs-cluster.
    pub(super) async fn take_all<F>(
        &mut self,
        room: &Room,
        mut here: PinStates,
        ask: impl Fn(PeerId) -> F,
    ) -> Result<(), ApiError>
    where
        F: Future<Output = Result<Vec<GlobalPinInfo>, ApiError>>,
    {
        let members = room.members.borrow().clone();
        let others = others(&members, &room.me.peer);
        let mut answers = std::pin::pin!(ask_all(&others, ask));
        while let Some(state) = here.recv().await {
            self.add(state?)?;
        }
        let mut failed = Vec::new();
        while let Some((peer, answer)) = answers.next().await {
            match answer {
                Ok(states) => states.into_iter().try_for_each(|state| self.add(state))?,
                Err(error) if hides(&error) => {}
                Err(error) => failed.push((peer, error)),
            }
        }
        for (peer, error) in failed {
            let entry = unreachable_at(room, &peer, &error);
            for state in self.states.values_mut() {
                state.peer_map.entry(peer).or_insert_with(|| entry.clone());
            }
        }
        Ok(())
    }

    fn add(&mut self, state: GlobalPinInfo) -> Result<(), ApiError> {
        self.count += 1;
        if self.count > STATES_MAX {
            let words = format!(
                "there are more than {STATES_MAX} states to show: use a filter, or local=true at each peer"
            );
            return Err(ApiError::new(ErrorCode::BadRequest, words));
        }
        match self.states.get_mut(&state.cid) {
            Some(known) => known.peer_map.extend(state.peer_map),
            None => {
                self.states.insert(state.cid, state);
            }
        }
        Ok(())
    }

    /// All of them.
    pub(super) fn into_states(self) -> BTreeMap<Cid, GlobalPinInfo> {
        self.states
    }
}
