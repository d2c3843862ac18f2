//! What one peer wants of us: what is to be looked up, being sent, or not here yet.

use std::collections::{BTreeMap, VecDeque};

use clusterd_core::pinset::codec::BlockId;

use super::message::{Ask, Entry, Message};

/// The wants of a peer outlive a connection, not its last one.
#[derive(Debug)]
pub(super) struct Ledger {
    wants: BTreeMap<BlockId, Want>,
    /// Wants to be looked up, the oldest first; may hold ids that were cancelled since.
    order: BTreeMap<u64, BlockId>,
    places: u64,
    /// What the message under way answers.
    taken: VecDeque<BlockId>,
    wants_max: usize,
}

#[derive(Debug)]
struct Want {
    is_block: bool,
    send_dont_have: bool,
    place: u64,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// In `order`.
    Queued,
    /// In `taken`; `came` tells that the block was stored meanwhile.
    Taken { came: bool },
    /// We do not have the block.
    Lacking,
}

/// A want to be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// Which block.
    pub(super) id: BlockId,
    /// Whether the block itself is wanted.
    pub(super) is_block: bool,
}

impl Ledger {
    /// A ledger of so many wants at most.
    pub(super) fn new(wants_max: usize) -> Self {
        let (wants, order, taken) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
        Self { wants, order, places: 0, taken, wants_max }
    }

    /// Takes a wantlist in. Returns how many wants were dropped for want of room.
    pub(super) fn read(&mut self, message: &Message) -> usize {
        if message.full {
            self.wants.clear();
            self.order.clear();
        }
        let mut dropped = 0;
        for entry in &message.entries {
            match entry.ask {
                Ask::Cancel => self.cancel(&entry.id),
                Ask::Have | Ask::Block => dropped += usize::from(!self.want(entry)),
            }
        }
        dropped
    }

    fn want(&mut self, entry: &Entry) -> bool {
        let is_block = entry.ask == Ask::Block;
        let Some(want) = self.wants.get_mut(&entry.id) else {
            let has_room = self.wants.len() < self.wants_max;
            if has_room {
                let send_dont_have = entry.send_dont_have;
                let want = Want { is_block, send_dont_have, place: 0, stage: Stage::Lacking };
                self.wants.insert(entry.id, want);
                self.queue(&entry.id);
            }
            return has_room;
        };
        want.send_dont_have = entry.send_dont_have;
        let is_more = is_block && !want.is_block;
        want.is_block |= is_block;
        match want.stage {
            Stage::Queued => {}
            // The answer is on its way, unless it answers less than what is asked now.
            Stage::Taken { .. } if !is_more => {}
            Stage::Taken { .. } | Stage::Lacking => self.queue(&entry.id),
        }
        true
    }

    fn cancel(&mut self, id: &BlockId) {
        if let Some(want) = self.wants.remove(id) {
            self.order.remove(&want.place);
        }
    }

    fn queue(&mut self, id: &BlockId) {
        if let Some(want) = self.wants.get_mut(id) {
            self.places += 1;
            (want.place, want.stage) = (self.places, Stage::Queued);
            self.order.insert(want.place, *id);
        }
    }

    /// Whether there is a want to be looked up.
    pub(super) fn is_due(&self) -> bool {
        !self.order.is_empty()
    }

    /// Takes the next want to be looked up.
    pub(super) fn take(&mut self) -> Option<Due> {
        let (_, id) = self.order.pop_first()?;
        let want = self.wants.get_mut(&id)?;
        want.stage = Stage::Taken { came: false };
        self.taken.push_back(id);
        Some(Due { id, is_block: want.is_block })
    }

    /// Gives the want that was taken last back: there was no room for its answer.
    pub(super) fn give_back(&mut self) {
        let Some(id) = self.taken.pop_back() else { return };
        if let Some(want) = self.wants.get_mut(&id).filter(|want| want.stage != Stage::Queued) {
            want.stage = Stage::Queued;
            self.order.insert(want.place, id);
        }
    }

    /// The block that was taken last is not here. The want stays. Returns whether to say so, which
    /// is done once.
    pub(super) fn lack(&mut self) -> bool {
        let Some(id) = self.taken.pop_back() else { return false };
        let Some(want) = self.wants.get_mut(&id) else { return false };
        match want.stage {
            Stage::Taken { came: true } => {
                self.queue(&id);
                false
            }
            Stage::Taken { came: false } => {
                want.stage = Stage::Lacking;
                std::mem::take(&mut want.send_dont_have)
            }
            Stage::Queued | Stage::Lacking => false,
        }
    }

    /// A block was stored. Returns whether the peer waits for it.
    pub(super) fn came(&mut self, id: &BlockId) -> bool {
        let Some(want) = self.wants.get_mut(id) else { return false };
        match &mut want.stage {
            Stage::Queued => false,
            Stage::Taken { came } => {
                *came = true;
                false
            }
            Stage::Lacking => {
                self.queue(id);
                true
            }
        }
    }

    /// What was taken is answered.
    pub(super) fn sent(&mut self) {
        for id in std::mem::take(&mut self.taken) {
            let is_answered =
                self.wants.get(&id).is_some_and(|want| matches!(want.stage, Stage::Taken { .. }));
            if is_answered {
                self.wants.remove(&id);
            }
        }
    }

    /// The answers to what was taken were lost: it is looked up again.
    pub(super) fn restart(&mut self) {
        while !self.taken.is_empty() {
            self.give_back();
        }
    }

    /// The peer takes no answers.
    pub(super) fn clear(&mut self) {
        self.wants.clear();
        self.order.clear();
        self.taken.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> BlockId {
        BlockId::of(&[number])
    }

    fn entry(number: u8, ask: Ask) -> Entry {
        Entry { id: id(number), ask, priority: 1, send_dont_have: true }
    }

    fn read(ledger: &mut Ledger, full: bool, lines: &[(u8, Ask)]) -> usize {
        let entries = lines.iter().map(|(number, ask)| entry(*number, *ask)).collect();
        ledger.read(&Message { entries, full, ..Message::default() })
    }

    fn due(number: u8, is_block: bool) -> Option<Due> {
        Some(Due { id: id(number), is_block })
    }

    #[test]
    fn wants_are_taken_in_their_order_and_forgotten_when_answered() {
        let mut ledger = Ledger::new(8);
        read(&mut ledger, false, &[(3, Ask::Have), (1, Ask::Block), (2, Ask::Have)]);
        read(&mut ledger, false, &[(1, Ask::Cancel)]);
        assert_eq!(ledger.take(), due(3, false));
        assert_eq!(ledger.take(), due(2, false));
        assert_eq!(ledger.take(), None);
        ledger.sent();
        assert!(ledger.wants.is_empty());
    }

    #[test]
    fn a_block_that_comes_later_wakes_its_want() {
        let mut ledger = Ledger::new(8);
        read(&mut ledger, false, &[(1, Ask::Block)]);
        ledger.take();
        assert!(ledger.lack(), "says that it lacks the block");
        ledger.sent();
        assert!(!ledger.is_due());
        assert!(ledger.came(&id(1)));
        assert_eq!(ledger.take(), due(1, true));
    }

    #[test]
    fn a_block_that_comes_while_it_is_looked_up_is_not_missed() {
        let mut ledger = Ledger::new(8);
        read(&mut ledger, false, &[(1, Ask::Block)]);
        ledger.take();
        assert!(!ledger.came(&id(1)));
        assert!(!ledger.lack(), "does not say that it lacks the block");
        assert_eq!(ledger.take(), due(1, true));
    }

    #[test]
    fn a_want_for_the_block_while_a_word_is_under_way_is_answered_too() {
        let mut ledger = Ledger::new(8);
        read(&mut ledger, false, &[(1, Ask::Have)]);
        ledger.take();
        read(&mut ledger, false, &[(1, Ask::Block)]);
        ledger.sent();
        assert_eq!(ledger.take(), due(1, true));
        read(&mut ledger, false, &[(1, Ask::Have)]);
        ledger.sent();
        assert!(!ledger.is_due() && ledger.wants.is_empty(), "the block answers both");
    }

    #[test]
    fn a_full_list_replaces_what_was_wanted() {
        let mut ledger = Ledger::new(8);
        read(&mut ledger, false, &[(1, Ask::Block), (2, Ask::Block)]);
        read(&mut ledger, true, &[(3, Ask::Block)]);
        assert_eq!(ledger.take(), due(3, true));
        assert_eq!(ledger.take(), None);
        assert!(!ledger.came(&id(1)));
    }

    #[test]
    fn wants_beyond_the_limit_are_dropped_and_counted() {
        let mut ledger = Ledger::new(2);
        let lines = [(1, Ask::Block), (2, Ask::Block), (3, Ask::Block), (1, Ask::Have)];
        assert_eq!(read(&mut ledger, false, &lines), 1);
        assert_eq!(ledger.wants.len(), 2);
        ledger.take();
        ledger.sent();
        assert_eq!(read(&mut ledger, false, &[(3, Ask::Block)]), 0, "there is room again");
    }

    #[test]
    fn lost_answers_are_looked_up_again_in_their_order() {
        let mut ledger = Ledger::new(8);
        read(&mut ledger, false, &[(1, Ask::Block), (2, Ask::Block), (3, Ask::Block)]);
        ledger.take();
        ledger.take();
        read(&mut ledger, false, &[(2, Ask::Cancel)]);
        ledger.restart();
        assert_eq!(ledger.take(), due(1, true));
        assert_eq!(ledger.take(), due(3, true));
        assert_eq!(ledger.take(), None);
    }
}
