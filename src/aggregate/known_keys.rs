//! The keys an encoder knows to have written, in fixed room.

use crate::aggregate::plan::Place;
use crate::message::{Probe, Slot, hash, probe};

/// The first `KEYS` keys written to one table, and the last one used.
///
/// There are two slots for each key, which keeps searches short. Keys that found no room are written again when
/// they come again, unless they were the last one: legal, and a matter of bytes only (rule E3).
#[derive(Clone, Debug)]
pub(crate) struct KnownKeys<const KEYS: usize> {
    slots: [[Slot; 2]; KEYS],
    remembered: usize,
    last: Option<Slot>,
    /// How many entries the table has; the index of the next one.
    entries: u32,
}

impl<const KEYS: usize> KnownKeys<KEYS> {
    pub(crate) const NONE: Self =
        Self { slots: [[Slot::VACANT; 2]; KEYS], remembered: 0, last: None, entries: 0 };

    /// Looks for a key among those written to `output`.
    pub(crate) fn find(&self, key: &str, output: &[u8]) -> Place {
        let key = key.as_bytes();
        match self.last {
            Some(last) if last.holds(key, output) => return Place::Known(last),
            _ => {}
        }
        let hash = hash(key);
        let vacant = match probe(self.slots.as_flattened(), key, hash, output) {
            Probe::Known(slot) => return Place::Known(slot),
            Probe::Vacant(position) if self.remembered < KEYS => Some(position),
            Probe::Vacant(_) | Probe::Exhausted => None,
        };
        Place::New { index: self.entries, hash, vacant }
    }

    /// Takes note of a key that was used. A new one was written just now, at `offset`.
    pub(crate) fn note(&mut self, place: Place, key: &str, offset: usize) {
        self.last = match place {
            // To write it again would only make the next search wait for it.
            Place::Known(slot) if self.last == Some(slot) => return,
            Place::Known(slot) => Some(slot),
            Place::New { index, hash, vacant } => {
                let slot = Slot::new(offset, key.len(), index, hash);
                let room = vacant.and_then(|position| self.slots.as_flattened_mut().get_mut(position));
                if let (Some(room), Some(slot)) = (room, slot) {
                    *room = slot;
                    self.remembered = self.remembered.saturating_add(1);
                }
                self.entries = self.entries.saturating_add(1);
                slot
            }
        };
    }
}
