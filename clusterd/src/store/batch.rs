//! The open batch: changes that are not durable yet, in order, laid over what is.

use std::collections::BTreeMap;
use std::ops::Bound;

use clusterd_core::store::{Entry, Space};

/// A change: the new value, or `None` where the key goes away.
type Change = Option<Vec<u8>>;

/// Changes by space and key.
#[derive(Debug, Default)]
pub(super) struct Batch {
    spaces: [BTreeMap<Vec<u8>, Change>; Space::ALL.len()],
    bytes: usize,
}

impl Batch {
    /// Notes a change; a later one of the same key replaces it.
    pub(super) fn set(&mut self, space: Space, key: Vec<u8>, change: Change) {
        self.bytes += key.len() + change.as_ref().map_or(0, Vec::len);
        self.spaces[index(space)].insert(key, change);
    }

    /// What the batch says of a key; `None` when it says nothing.
    pub(super) fn get(&self, space: Space, key: &[u8]) -> Option<&Change> {
        self.spaces[index(space)].get(key)
    }

    /// Whether there is no change.
    pub(super) fn is_empty(&self) -> bool {
        self.spaces.iter().all(BTreeMap::is_empty)
    }

    /// Bytes of all keys and values that were set; never less than what is written.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of changed keys.
    pub(super) fn len(&self) -> usize {
        self.spaces.iter().map(BTreeMap::len).sum()
    }

    /// Every change, by space and key.
    pub(super) fn changes(&self) -> impl Iterator<Item = (Space, &Vec<u8>, &Change)> {
        Space::ALL.into_iter().zip(&self.spaces).flat_map(|(space, changes)| {
            changes.iter().map(move |(key, change)| (space, key, change))
        })
    }

    /// Lays the batch over durable entries of one space: `durable` yields keys after `after` that
    /// start with `prefix`, in order.
    ///
    /// # Errors
    /// The first error of `durable`.
    pub(super) fn overlay<E>(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
        durable: impl Iterator<Item = Result<Entry, E>>,
    ) -> Result<Vec<Entry>, E> {
        let from = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let mut changes = self.spaces[index(space)]
            .range::<[u8], _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .peekable();
        let mut found = Vec::new();
        let mut durable = durable.peekable();
        while found.len() < limit {
            let durable_key = match durable.peek() {
                Some(Ok((key, _))) => Some(key.as_slice()),
                Some(Err(_)) | None => None,
            };
            let change_first = match (changes.peek(), durable_key) {
                (Some((changed, _)), Some(key)) => changed.as_slice() <= key,
                (Some(_), None) => durable.peek().is_none(),
                (None, _) => false,
            };
            if change_first && let Some((key, change)) = changes.next() {
                durable.next_if(|entry| matches!(entry, Ok((same, _)) if same == key));
                found.extend(change.clone().map(|value| (key.clone(), value)));
            } else {
                let Some(entry) = durable.next() else { break };
                found.push(entry?);
            }
        }
        Ok(found)
    }
}

/// Position of a space in [`Space::ALL`].
pub(super) fn index(space: Space) -> usize {
    space as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_of_a_space_is_its_place_among_all() {
        for (place, space) in Space::ALL.into_iter().enumerate() {
            assert_eq!(index(space), place);
        }
    }
}
