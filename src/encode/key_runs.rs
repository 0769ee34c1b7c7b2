//! Finding out which keys of a list are equal, without a heap and whatever the keys are.

use crate::message::{UserRecord, hash};
use crate::sort::heap_sort;

/// Room for the index of one key, lent to [`crate::encode`] and [`crate::encoded_len`]. What it holds does not matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeySlot {
    hash: u32,
    /// The user record that the run begins with.
    record: u32,
    /// The number of the first run with the same key; in the end, the index of the key.
    index: u32,
}

impl KeySlot {
    /// A slot to fill arrays with.
    pub const EMPTY: Self = Self { hash: 0, record: 0, index: 0 };

    /// How many slots these user records need: one each, or two each if any has an explicit hash key.
    #[must_use]
    pub fn needed(records: &[UserRecord<'_>]) -> usize {
        let tables = if records.iter().any(|record| record.explicit_hash_key.is_some()) { 2 } else { 1 };
        records.len().saturating_mul(tables)
    }
}

/// The keys of one table of a list: a slot for each run of user records with the same key, in their order. User
/// records without a key do not end a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyRuns<'s> {
    runs: &'s [KeySlot],
}

impl<'s> KeyRuns<'s> {
    /// Finds the runs and gives each key its index, in the order of first use. There is a slot for each user record, or
    /// none where no user record has a key.
    ///
    /// Sorting brings equal keys together, the first run of each in front; sorting back restores the order, in which the
    /// indexes are counted out. Keys decide the order only where their hashes are equal, so few are looked at.
    pub(crate) fn find<'r>(
        slots: &'s mut [KeySlot],
        records: &'r [UserRecord<'r>],
        key_of: impl Fn(&UserRecord<'r>) -> Option<&'r str>,
    ) -> Self {
        let mut vacant = slots.iter_mut();
        let mut runs = 0u32;
        let mut last = None;
        for (record, key) in (0..).zip(records.iter().map(&key_of)) {
            if key.is_none() || key == last {
                continue;
            }
            last = key;
            let Some(slot) = vacant.next() else { break };
            *slot = KeySlot { hash: key.map_or(0, |key| hash(key.as_bytes())), record, index: runs };
            runs = runs.saturating_add(1);
        }
        let vacant = vacant.len();
        let runs = slots.len().checked_sub(vacant).and_then(|runs| slots.get_mut(..runs)).unwrap_or_default();

        let key = |run: &KeySlot| records.get(usize::try_from(run.record).ok()?).and_then(&key_of);
        heap_sort(runs, |a, b| {
            a.hash.cmp(&b.hash).then_with(|| key(a).cmp(&key(b))).then(a.record.cmp(&b.record)).is_lt()
        });
        let mut first: Option<KeySlot> = None;
        for run in &mut *runs {
            match first {
                Some(first) if first.hash == run.hash && key(&first) == key(run) => run.index = first.index,
                _ => first = Some(*run),
            }
        }
        heap_sort(runs, |a, b| a.record < b.record);

        let mut entries = 0u32;
        for number in 0..runs.len() {
            let Some(first) = runs.get(number).and_then(|run| usize::try_from(run.index).ok()) else { break };
            let index = if first == number {
                let index = entries;
                entries = entries.saturating_add(1);
                index
            } else {
                // The first run came before, so it already holds the index.
                runs.get(first).map_or(0, |first| first.index)
            };
            if let Some(run) = runs.get_mut(number) {
                run.index = index;
            }
        }
        Self { runs }
    }

    /// Goes through the user records from the first.
    pub(crate) fn walk(&self) -> Walk<'s> {
        Walk { runs: self.runs, index: 0, entries: 0 }
    }
}

/// A walk through the user records of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk<'s> {
    /// Those not begun so far.
    runs: &'s [KeySlot],
    /// The index of the run that goes on.
    index: u32,
    /// How many keys were met.
    entries: u32,
}

impl Walk<'_> {
    /// Steps to the next user record, and answers with the index of its key and whether it is the first use. For a user
    /// record without a key, the answer means nothing.
    pub(crate) fn step(&mut self, record: u32) -> (u32, bool) {
        match self.runs.split_first() {
            Some((run, rest)) if run.record == record => {
                self.runs = rest;
                self.index = run.index;
                // Indexes are given in the order of first use, so a new one is the next.
                let first_use = run.index == self.entries;
                self.entries = self.entries.saturating_add(u32::from(first_use));
                (run.index, first_use)
            }
            _ => (self.index, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::format;
    use alloc::vec::Vec;

    #[test]
    fn keys_with_the_same_hash_are_told_apart() {
        let mut seen = BTreeMap::new();
        // Of 32 bits, some 80,000 keys have two alike.
        let (a, b) = (0..)
            .find_map(|number: u32| {
                let key = format!("key-{number}");
                let other = seen.insert(hash(key.as_bytes()), key.clone())?;
                Some((other, key))
            })
            .unwrap();
        let records = [&a, &b, &a, &b, &b].map(|key| UserRecord::new(key, "data"));
        let mut slots = [KeySlot::EMPTY; 5];
        let runs = KeyRuns::find(&mut slots, &records, |record| Some(record.partition_key));
        let mut walk = runs.walk();
        let steps: Vec<(u32, bool)> = (0..5).map(|record| walk.step(record)).collect();
        assert_eq!(steps, [(0, true), (1, true), (0, false), (1, false), (1, false)], "{a} and {b}");
    }
}
