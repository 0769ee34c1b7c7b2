//! A key table that grows on the heap and never holds a key twice.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::encode::buffer::Buffer;
use crate::encode::plan::{NO_SLOT, Place};
use crate::message::{Probe, Slot, hash, probe, slot_at, slot_at_mut, vacant};
use crate::wire::Full;

/// The fewest slots an index has, once it has any.
const MIN_SLOTS: usize = 16;

/// One encoded key table with an exact index over it.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyTable {
    encoded: Buffer,
    index: ExactIndex,
    /// A key that was used lately, or a vacant slot.
    last: Slot,
    entries: u32,
}

impl KeyTable {
    /// The encoded table.
    #[inline]
    pub(crate) fn encoded(&self) -> &[u8] {
        self.encoded.written()
    }

    /// The length of the encoded table.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.encoded.len()
    }

    /// Looks for a key.
    #[inline(always)]
    pub(crate) fn find(&self, key: &str) -> Place {
        if self.last.holds(key.as_bytes(), self.encoded()) {
            return Place::Last { index: self.last.index() };
        }
        self.search(key.as_bytes())
    }

    #[inline(never)]
    fn search(&self, key: &[u8]) -> Place {
        self.index.find(key, self.encoded(), self.entries)
    }

    /// Writes the key of a place if it is new, and remembers it.
    #[inline(always)]
    pub(crate) fn insert(&mut self, place: Place, table: u32, key: &str) -> Result<(), Full> {
        match place {
            Place::Last { .. } => {}
            Place::Known { position, .. } => {
                if let Some(slot) = slot_at(&self.index.slots, position) {
                    self.last = *slot;
                }
            }
            Place::New { index, hash, vacant } => {
                let len = place.cost(key);
                self.encoded.write(len, |writer| place.write(table, key, writer).map(|_| ()))?;
                return self.remember(key, index, hash, vacant);
            }
        }
        Ok(())
    }

    /// Remembers the key that was written last.
    #[inline(never)]
    fn remember(&mut self, key: &str, index: u32, hash: u32, vacant: u32) -> Result<(), Full> {
        let offset = self.encoded.len().saturating_sub(key.len());
        self.last = Slot::new(offset, key.len(), index, hash).ok_or(Full)?;
        self.index.insert(self.last, hash, vacant, self.encoded.written());
        self.entries = self.entries.saturating_add(1);
        Ok(())
    }

    /// Counts the bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        self.encoded.memory().saturating_add(self.index.memory())
    }

    /// Empties the table and keeps its memory for the next one.
    pub(crate) fn clear(&mut self) {
        self.encoded.clear();
        self.index.clear();
        self.last = Slot::VACANT;
        self.entries = 0;
    }
}

/// An index of slots, at most half of them taken.
///
/// Keys that find no slot, which takes an attacker or bad luck, are kept in a search tree: exact, and slower by a
/// logarithm at worst (rule E3).
#[derive(Clone, Debug, Default)]
struct ExactIndex {
    slots: Vec<Slot>,
    taken: usize,
    without_slot: BTreeMap<Box<[u8]>, Slot>,
    /// The bytes of the keys in the tree.
    without_slot_bytes: usize,
}

impl ExactIndex {
    /// Finds a key, or says where it is to be inserted, as entry `next`.
    #[inline]
    fn find(&self, key: &[u8], encoded: &[u8], next: u32) -> Place {
        let hash = hash(key);
        let vacant = match probe(&self.slots, key, hash, encoded) {
            Probe::Known { index, position } => return Place::Known { index, position },
            Probe::Vacant(position) => position,
            Probe::Exhausted => NO_SLOT,
        };
        // Not only where the search was exhausted: the index may have grown since a key went into the tree.
        if let Some(slot) = self.without_slot.get(key) {
            return Place::Known { index: slot.index(), position: NO_SLOT };
        }
        Place::New { index: next, hash, vacant }
    }

    /// Remembers a key that was written: in the slot that [`Self::find`] found vacant, unless too many are taken.
    #[inline]
    fn insert(&mut self, slot: Slot, hash: u32, vacant: u32, encoded: &[u8]) {
        let crowded = self.taken >= self.slots.len() / 2;
        match slot_at_mut(&mut self.slots, vacant) {
            Some(vacant) if !crowded => {
                *vacant = slot;
                self.taken = self.taken.saturating_add(1);
            }
            _ => self.insert_anyhow(slot, hash, crowded, encoded),
        }
    }

    #[cold]
    #[inline(never)]
    fn insert_anyhow(&mut self, slot: Slot, hash: u32, crowded: bool, encoded: &[u8]) {
        if crowded {
            self.grow(encoded);
        }
        self.place(slot, hash, encoded);
    }

    /// Doubles the slots and puts every key into its new one.
    fn grow(&mut self, encoded: &[u8]) {
        let doubled = self.slots.len().saturating_mul(2).max(MIN_SLOTS);
        let old = core::mem::replace(&mut self.slots, alloc::vec![Slot::VACANT; doubled]);
        self.taken = 0;
        for slot in old.into_iter().filter(|slot| !slot.is_vacant()) {
            let hash = slot.key(encoded).map_or(0, hash);
            self.place(slot, hash, encoded);
        }
    }

    fn place(&mut self, slot: Slot, hash: u32, encoded: &[u8]) {
        match vacant(&self.slots, hash).and_then(|position| slot_at_mut(&mut self.slots, position)) {
            Some(vacant) => {
                *vacant = slot;
                self.taken = self.taken.saturating_add(1);
            }
            None => {
                let key = slot.key(encoded).unwrap_or_default();
                self.without_slot.insert(key.into(), slot);
                self.without_slot_bytes = self.without_slot_bytes.saturating_add(key.len());
            }
        }
    }

    /// Counts the bytes allocated; those of the tree by a generous estimate.
    fn memory(&self) -> usize {
        const NODE: usize = 2 * size_of::<(Box<[u8]>, Slot)>() + 64;
        let slots = self.slots.capacity().saturating_mul(size_of::<Slot>());
        let nodes = self.without_slot.len().saturating_mul(NODE);
        slots.saturating_add(nodes).saturating_add(self.without_slot_bytes)
    }

    /// Empties the index. One that was much too large for this aggregate is halved: to empty it would cost more than
    /// to fill it did.
    fn clear(&mut self) {
        let slots = self.slots.len();
        if slots > MIN_SLOTS && self.taken < slots / 8 {
            self.slots.truncate(slots / 2);
            self.slots.shrink_to_fit();
        }
        self.slots.fill(Slot::VACANT);
        self.taken = 0;
        self.without_slot.clear();
        self.without_slot_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    fn insert(table: &mut KeyTable, key: &str) -> u32 {
        let place = table.find(key);
        let index = place.index();
        table.insert(place, 1, key).unwrap();
        index
    }

    #[test]
    fn indexes_in_order_of_first_use() {
        let mut table = KeyTable::default();
        for round in 0..3 {
            for i in 0..5000 {
                assert_eq!(insert(&mut table, &format!("key-{i}")), i, "round {round}");
            }
            for i in (0..5000).rev() {
                assert_eq!(insert(&mut table, &format!("key-{i}")), i, "round {round}, again");
            }
            table.clear();
            assert!(table.encoded().is_empty());
        }
    }

    /// Keys chosen so that all of them hash alike, as an attacker would.
    fn colliding(count: usize) -> Vec<String> {
        let target = hash(b"0") >> 20;
        (0..)
            .map(|i: u32| format!("{i}"))
            .filter(|key| hash(key.as_bytes()) >> 20 == target)
            .take(count)
            .collect()
    }

    #[test]
    fn colliding_keys_are_told_apart() {
        let keys = colliding(100);
        let mut table = KeyTable::default();
        for pass in 0..2 {
            for (i, key) in keys.iter().enumerate() {
                assert_eq!(insert(&mut table, key), i as u32, "pass {pass}: {key}");
            }
        }
        assert!(!table.index.without_slot.is_empty(), "some found no slot");
    }

    #[test]
    fn keys_without_slot_are_found_after_growth() {
        let keys = colliding(40);
        let mut table = KeyTable::default();
        for key in &keys {
            insert(&mut table, key);
        }
        for i in 0..10_000 {
            insert(&mut table, &format!("other-{i}"));
        }
        for (i, key) in keys.iter().enumerate() {
            assert_eq!(insert(&mut table, key), i as u32, "{key}");
        }
    }

    #[test]
    fn a_large_index_shrinks_when_little_is_used() {
        let mut table = KeyTable::default();
        for i in 0..1000 {
            insert(&mut table, &format!("key-{i}"));
        }
        let large = table.index.slots.len();
        for _ in 0..12 {
            table.clear();
            insert(&mut table, "key");
        }
        assert!(table.index.slots.len() <= MIN_SLOTS, "{large} slots before");
    }

    #[test]
    fn the_index_doubles_when_half_of_it_is_taken() {
        let mut table = KeyTable::default();
        assert_eq!(table.memory(), 0);
        for taken in 1..200usize {
            insert(&mut table, &format!("key-{taken}"));
            let slots = (2 * taken).next_power_of_two().max(MIN_SLOTS);
            assert_eq!((table.index.taken, table.index.slots.len()), (taken, slots));
            assert_eq!(table.memory(), table.encoded.memory() + slots * size_of::<Slot>());
        }
    }

    #[test]
    fn a_cleared_index_halves_where_less_than_an_eighth_was_taken() {
        let mut table = KeyTable::default();
        for (taken, slots) in [(17, 64), (8, 64), (7, 32), (4, 32), (3, 16), (1, 16), (0, 16)] {
            for key in 0..taken {
                insert(&mut table, &format!("key-{key}"));
            }
            table.clear();
            assert_eq!(table.index.slots.len(), slots, "{taken} were taken");
            assert_eq!(table.index.slots.capacity(), slots, "{taken} were taken");
            assert!(table.index.taken == 0 && table.index.slots.iter().all(Slot::is_vacant));
        }
    }

    #[test]
    fn keys_without_slot_count_with_a_share_of_their_node() {
        let mut table = KeyTable::default();
        for key in colliding(100) {
            insert(&mut table, &key);
        }
        let keys = table.index.without_slot.len();
        let bytes: usize = table.index.without_slot.keys().map(|key| key.len()).sum();
        let slots = table.index.slots.len() * size_of::<Slot>();
        // A node may be half empty, and has some words of its own.
        let each = 2 * size_of::<(Box<[u8]>, Slot)>() + 64;
        assert!(keys > 0);
        assert_eq!(table.memory(), table.encoded.memory() + slots + bytes + keys * each);
    }
}
