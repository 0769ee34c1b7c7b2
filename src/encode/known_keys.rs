//! The keys an encoder knows to have written, in fixed room.

use crate::encode::plan::{NO_SLOT, Place};
use crate::message::{Probe, Slot, hash, probe, slot_at, slot_at_mut};

/// The first `KEYS` keys written to one table, and the last one used.
///
/// There are two slots for each key, which keeps searches short. Keys that found no room are written again when
/// they come again, unless they were the last one: legal, and a matter of bytes only (rule E3).
#[derive(Clone, Debug)]
pub(crate) struct KnownKeys<const KEYS: usize> {
    slots: [[Slot; 2]; KEYS],
    remembered: usize,
    /// One more than the position of the key used last; 0 if it is the one without a slot. All is zeros at first, which
    /// takes no flash.
    after_last: u32,
    /// The last key that found no room.
    without_slot: Slot,
    /// How many entries the table has; the index of the next one.
    entries: u32,
}

impl<const KEYS: usize> KnownKeys<KEYS> {
    pub(crate) const NONE: Self = Self {
        slots: [[Slot::VACANT; 2]; KEYS],
        remembered: 0,
        after_last: 0,
        without_slot: Slot::VACANT,
        entries: 0,
    };

    /// Looks for a key among those written to `output`.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn find(&self, key: &str, output: &[u8]) -> Place {
        let last =
            slot_at(self.slots.as_flattened(), self.after_last.wrapping_sub(1)).unwrap_or(&self.without_slot);
        if last.holds(key.as_bytes(), output) {
            return Place::Last { index: last.index() };
        }
        self.search(key.as_bytes(), output)
    }

    #[cfg_attr(target_pointer_width = "64", inline(never))]
    fn search(&self, key: &[u8], output: &[u8]) -> Place {
        let hash = hash(key);
        let vacant = match probe(self.slots.as_flattened(), key, hash, output) {
            Probe::Known { index, position } => return Place::Known { index, position },
            Probe::Vacant(position) if self.remembered < KEYS => position,
            Probe::Vacant(_) | Probe::Exhausted => NO_SLOT,
        };
        Place::New { index: self.entries, hash, vacant }
    }

    /// Takes note of a key that was used. A new one was written just now, at `offset`.
    #[inline]
    pub(crate) fn note(&mut self, place: Place, key: &str, offset: usize) {
        match place {
            Place::Last { .. } => {}
            Place::Known { position, .. } => self.after_last = position.wrapping_add(1),
            Place::New { index, hash, vacant } => {
                self.entries = self.entries.saturating_add(1);
                self.after_last = vacant.wrapping_add(1);
                let slot = match slot_at_mut(self.slots.as_flattened_mut(), vacant) {
                    Some(slot) => {
                        self.remembered = self.remembered.saturating_add(1);
                        slot
                    }
                    None => &mut self.without_slot,
                };
                // One too far on for a slot, which no output within the limits of Kinesis has, is not remembered.
                *slot = Slot::new(offset, key.len(), index, hash).unwrap_or(Slot::VACANT);
            }
        }
    }
}
