//! Taking a peer out of the cluster: it is forgotten here, and its pins go to others where that is switched on.

use std::time::Duration;

use clusterd_core::input::Input;
use common::api::error::{ApiError, ErrorCode};
use common::ids::PeerId;

use super::refusal::bad;
use super::room::Room;

/// The list of members follows at once; a node that is busy for longer goes on by itself.
const SHOWN_WITHIN: Duration = Duration::from_secs(5);

impl Room {
    /// Forgets a peer that is gone. In CRDT mode nobody can be shut out by it: who has the secret and
    /// speaks is a member. Go's peers only say that they cannot remove peers (`ErrRmPeer`), after they have
    /// re-allocated its pins.
    ///
    /// # Errors
    /// When it is this peer, not known, or alive: it would be back in a moment.
    pub async fn remove_peer(&self, peer: PeerId) -> Result<(), ApiError> {
        if peer == self.me.peer {
            return Err(bad(
                "a peer cannot remove itself: stop clusterd here, then remove it at the others",
            ));
        }
        if self.others.is_connected(&peer) {
            let words = format!(
                "{peer} is connected, and would be back at once: stop clusterd there first (clusterdctl repin moves its pins before that)"
            );
            return Err(ApiError::new(ErrorCode::Conflict, words));
        }
        let is_member = self.members.borrow().contains(&peer);
        let is_known = self.others.forget(peer).await? || is_member;
        if !is_known {
            return Err(ApiError::new(
                ErrorCode::NotFound,
                format!("{peer} is no peer known here"),
            ));
        }
        self.door.tell(Input::PeerRemoved { peer }).await?;
        let mut members = self.members.clone();
        let gone = members.wait_for(|members| !members.contains(&peer));
        // Late or not, it is done.
        drop(tokio::time::timeout(SHOWN_WITHIN, gone).await);
        Ok(())
    }
}
