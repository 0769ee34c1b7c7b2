//! The keys an encoder knows to have written, in fixed room.

use crate::aggregate::plan::{NO_SLOT, Place};
use crate::message::{Probe, Slot, hash, probe, slot_at, slot_at_mut};

/// The first `KEYS` keys written to one table, and the last one used.
///
/// There are two slots for each key, which keeps searches short. Keys that found no room are written again when
/// they come again, unless they were the last one: legal, and a matter of bytes only (rule E3).
#[derive(Clone, Debug)]
pub(crate) struct KnownKeys<const KEYS: usize> {
    slots: [[Slot; 2]; KEYS],
    remembered: usize,
    /// The key used last, or a vacant slot.
    last: Slot,
    /// How many entries the table has; the index of the next one.
    entries: u32,
}

impl<const KEYS: usize> KnownKeys<KEYS> {
    pub(crate) const NONE: Self =
        Self { slots: [[Slot::VACANT; 2]; KEYS], remembered: 0, last: Slot::VACANT, entries: 0 };

    /// Looks for a key among those written to `output`.
    #[inline]
    pub(crate) fn find(&self, key: &str, output: &[u8]) -> Place {
        if self.last.holds(key.as_bytes(), output) {
            return Place::Last { index: self.last.index() };
        }
        self.search(key.as_bytes(), output)
    }

    #[inline(never)]
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
            Place::Known { position, .. } => {
                if let Some(slot) = slot_at(self.slots.as_flattened(), position) {
                    self.last = *slot;
                }
            }
            Place::New { index, hash, vacant } => {
                // One too far on for a slot, which no output within the limits of Kinesis has, is not remembered.
                let slot = Slot::new(offset, key.len(), index, hash).unwrap_or(Slot::VACANT);
                if let Some(room) = slot_at_mut(self.slots.as_flattened_mut(), vacant) {
                    *room = slot;
                    self.remembered = self.remembered.saturating_add(1);
                }
                self.entries = self.entries.saturating_add(1);
                self.last = slot;
            }
        }
    }
}
