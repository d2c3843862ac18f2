//! What one peer is to be told of our wants: the newest word for each block, in order.

use std::collections::BTreeMap;

use clusterd_core::pinset::codec::BlockId;

use super::message::{Ask, Entry, Message};

/// Lines of a wantlist that go into one message: about 25 KiB.
const ENTRIES_MAX: usize = 512;

/// A peer that cannot be told anything for a while is later told only the outcome: what was wanted
/// and cancelled in between leaves no trace. So this holds at most two lines for each block that
/// is wanted now or was when the peer went silent.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// What is to be said, and its place in `order`.
    next: BTreeMap<BlockId, (Ask, u64)>,
    order: BTreeMap<u64, BlockId>,
    places: u64,
    /// What the peer was told that we want.
    said: BTreeMap<BlockId, Ask>,
    /// Whether the peer may remember wants that are not in `said`.
    is_unsure: bool,
    /// The priority of the newest line; they descend as Go's do.
    priority: i32,
}

impl Outbox {
    /// Asks the peer for a block, or again.
    pub(super) fn ask(&mut self, id: BlockId, ask: Ask) {
        if ask == Ask::Cancel && !self.said.contains_key(&id) {
            self.unsay(&id);
            return;
        }
        let places = &mut self.places;
        let (slot, place) = self.next.entry(id).or_insert_with(|| {
            *places += 1;
            (ask, *places)
        });
        *slot = ask;
        self.order.insert(*place, id);
    }

    /// The peer sent the block: it knows that we want it no more.
    pub(super) fn settle(&mut self, id: &BlockId) {
        self.unsay(id);
        self.said.remove(id);
    }

    /// Whether there is anything to say.
    pub(super) fn is_empty(&self) -> bool {
        self.next.is_empty() && !self.is_unsure
    }

    /// The next message, which is taken for said.
    pub(super) fn take(&mut self) -> Option<Message> {
        if self.is_empty() {
            return None;
        }
        let mut message = Message { full: self.is_unsure, ..Message::default() };
        self.is_unsure = false;
        while message.entries.len() < ENTRIES_MAX {
            let Some((_, id)) = self.order.pop_first() else { break };
            let Some((ask, _)) = self.next.remove(&id) else { continue };
            match ask {
                Ask::Cancel => drop(self.said.remove(&id)),
                Ask::Have | Ask::Block => drop(self.said.insert(id, ask)),
            }
            message.entries.push(self.entry(id, ask));
        }
        Some(message)
    }

    /// What was said may not have arrived: says it all again, on a clean list.
    pub(super) fn restart(&mut self) {
        self.is_unsure |= !self.said.is_empty();
        for (id, said) in std::mem::take(&mut self.said) {
            match self.next.get(&id) {
                Some((Ask::Cancel, _)) => self.unsay(&id),
                Some((Ask::Have | Ask::Block, _)) => {}
                None => self.ask(id, said),
            }
        }
    }

    fn unsay(&mut self, id: &BlockId) {
        if let Some((_, place)) = self.next.remove(id) {
            self.order.remove(&place);
        }
    }

    fn entry(&mut self, id: BlockId, ask: Ask) -> Entry {
        let is_want = ask != Ask::Cancel;
        if is_want {
            self.priority =
                self.priority.checked_sub(1).filter(|next| *next > 0).unwrap_or(i32::MAX);
        }
        let priority = if is_want { self.priority } else { 0 };
        Entry { id, ask, priority, send_dont_have: is_want }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> BlockId {
        BlockId::of(&[number])
    }

    fn said(outbox: &mut Outbox) -> Vec<(BlockId, Ask)> {
        let message = outbox.take();
        message.map(|m| m.entries.iter().map(|e| (e.id, e.ask)).collect()).unwrap_or_default()
    }

    #[test]
    fn lines_keep_the_order_in_which_they_were_asked() {
        let mut outbox = Outbox::default();
        for number in [9, 3, 7, 1] {
            outbox.ask(id(number), Ask::Have);
        }
        outbox.ask(id(7), Ask::Block);
        let expected = [(9, Ask::Have), (3, Ask::Have), (7, Ask::Block), (1, Ask::Have)]
            .map(|(n, a)| (id(n), a));
        assert_eq!(said(&mut outbox), expected);
        assert!(outbox.is_empty());
    }

    #[test]
    fn priorities_descend_from_the_highest() {
        let mut outbox = Outbox::default();
        outbox.ask(id(1), Ask::Have);
        outbox.ask(id(2), Ask::Block);
        let entries = outbox.take().unwrap().entries;
        let priorities: Vec<i32> = entries.iter().map(|entry| entry.priority).collect();
        assert_eq!(priorities, [i32::MAX, i32::MAX - 1]);
    }

    #[test]
    fn a_want_that_was_never_said_is_cancelled_without_a_word() {
        let mut outbox = Outbox::default();
        for number in 0..100 {
            outbox.ask(id(number), Ask::Have);
            outbox.ask(id(number), Ask::Cancel);
        }
        assert!(outbox.is_empty());
        assert!(outbox.order.is_empty(), "leaves nothing behind");
        assert_eq!(outbox.take(), None);
    }

    #[test]
    fn a_want_that_was_said_is_cancelled_once() {
        let mut outbox = Outbox::default();
        outbox.ask(id(1), Ask::Block);
        drop(outbox.take());
        outbox.ask(id(1), Ask::Cancel);
        assert_eq!(said(&mut outbox), [(id(1), Ask::Cancel)]);
        outbox.ask(id(1), Ask::Cancel);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_block_that_came_needs_no_cancel() {
        let mut outbox = Outbox::default();
        outbox.ask(id(1), Ask::Block);
        drop(outbox.take());
        outbox.settle(&id(1));
        outbox.ask(id(1), Ask::Cancel);
        assert!(outbox.is_empty());
    }

    #[test]
    fn after_a_broken_stream_the_whole_list_is_said_anew() {
        let mut outbox = Outbox::default();
        for number in 1..=3 {
            outbox.ask(id(number), Ask::Have);
        }
        drop(outbox.take());
        outbox.ask(id(2), Ask::Cancel);
        outbox.ask(id(4), Ask::Block);
        outbox.restart();
        let message = outbox.take().unwrap();
        assert!(message.full);
        let mut lines: Vec<_> = message.entries.iter().map(|e| (e.id, e.ask)).collect();
        lines.sort_by_key(|(id, _)| *id);
        let mut expected = vec![(id(1), Ask::Have), (id(3), Ask::Have), (id(4), Ask::Block)];
        expected.sort_by_key(|(id, _)| *id);
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_list_that_became_empty_over_a_broken_stream_is_said_too() {
        let mut outbox = Outbox::default();
        outbox.ask(id(1), Ask::Have);
        drop(outbox.take());
        outbox.ask(id(1), Ask::Cancel);
        outbox.restart();
        let message = outbox.take().unwrap();
        assert!(message.full && message.entries.is_empty());
        assert_eq!(outbox.take(), None);
    }

    #[test]
    fn a_long_list_goes_in_several_messages() {
        let mut outbox = Outbox::default();
        for number in 0..1000_u32 {
            outbox.ask(BlockId::of(&number.to_be_bytes()), Ask::Have);
        }
        assert_eq!(said(&mut outbox).len(), ENTRIES_MAX);
        assert_eq!(said(&mut outbox).len(), 1000 - ENTRIES_MAX);
        assert_eq!(outbox.take(), None);
    }
}
