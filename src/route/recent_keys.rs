//! The hash keys of partition keys that were routed lately.

use alloc::vec::Vec;

use crate::encode::{hash, slot_of_hash};
use crate::hash_key::HashKey;
use crate::wire::equal;

/// The most bytes of a partition key that is kept: an UUID and any 128-bit number in decimal are.
const LONGEST: usize = 39;

/// How many entries there are at first, once there are any.
const FEWEST: usize = 64;

/// How many entries there are at most: 256 KiB.
const MOST: usize = 4096;

/// A memory of partition keys with their hash keys and shards, each in one place that it shares with others: what came
/// last is there. To look here takes a tenth of the time of an MD5.
///
/// Nobody can make it slow or large, whatever the keys: there is one place to look at, and each has its size.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecentKeys {
    entries: Vec<Entry>,
    /// How many were put in since there are as many entries as now.
    insertions: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash_key: HashKey,
    /// The position of the shard that owns it.
    shard: u32,
    /// 0 in a vacant entry: no partition key is empty.
    len: u8,
    key: [u8; LONGEST],
}

const VACANT: Entry = Entry { hash_key: HashKey::MIN, shard: 0, len: 0, key: [0; LONGEST] };

impl RecentKeys {
    /// The hash key of a partition key, and the position of its shard, where they are known.
    #[inline]
    pub(crate) fn find(&self, partition_key: &str) -> Option<(HashKey, usize)> {
        let entry = self.entry(partition_key)?;
        Some((entry.hash_key, usize::try_from(entry.shard).ok()?))
    }

    /// The position of the shard alone.
    #[inline]
    pub(crate) fn shard_of(&self, partition_key: &str) -> Option<usize> {
        usize::try_from(self.entry(partition_key)?.shard).ok()
    }

    #[inline]
    fn entry(&self, partition_key: &str) -> Option<&Entry> {
        let key = partition_key.as_bytes();
        let entry = self.entries.get(slot_of_hash(hash(key), self.entries.len()))?;
        let known = entry.key.get(..usize::from(entry.len))?;
        (!known.is_empty() && equal(known, key)).then_some(entry)
    }

    /// Remembers a partition key, in no more than `most_memory` bytes for all of them.
    pub(crate) fn insert(
        &mut self,
        partition_key: &str,
        hash_key: HashKey,
        shard: usize,
        most_memory: usize,
    ) {
        let (Ok(shard), Ok(len)) = (u32::try_from(shard), u8::try_from(partition_key.len())) else { return };
        let mut key = [0; LONGEST];
        let Some(room) = key.get_mut(..usize::from(len)) else { return };
        crate::wire::copy(partition_key.as_bytes(), room);
        if self.insertions >= self.entries.len().saturating_mul(2) {
            self.grow(most_memory);
        }
        let slot = slot_of_hash(hash(partition_key.as_bytes()), self.entries.len());
        if let Some(entry) = self.entries.get_mut(slot) {
            *entry = Entry { hash_key, shard, len, key };
            self.insertions = self.insertions.saturating_add(1);
        }
    }

    /// Doubles the entries, within bounds. What was in them is forgotten: it comes again, or does not matter.
    #[cold]
    fn grow(&mut self, most_memory: usize) {
        let doubled = self.entries.len().saturating_mul(2).max(FEWEST);
        if doubled <= MOST && doubled.saturating_mul(size_of::<Entry>()) <= most_memory {
            self.entries = alloc::vec![VACANT; doubled];
        }
        self.insertions = 0;
    }

    /// Forgets all: shards have other positions.
    pub(crate) fn clear(&mut self) {
        self.entries.fill(VACANT);
    }

    /// Counts the bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        self.entries.capacity().saturating_mul(size_of::<Entry>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    const PLENTY: usize = 1 << 20;

    fn number(key: &str) -> HashKey {
        HashKey::new(u128::from(hash(key.as_bytes())))
    }

    #[test]
    fn what_is_found_was_put_in() {
        let keys: Vec<String> = (0..200usize).map(|i| format!("{i}").repeat(1 + i % 20)).collect();
        let mut recent = RecentKeys::default();
        let mut found = 0;
        for round in 0..50 {
            for (shard, key) in keys.iter().enumerate() {
                match recent.find(key) {
                    Some(known) => {
                        assert_eq!(known, (number(key), shard), "{key}");
                        assert_eq!(recent.shard_of(key), Some(shard), "{key}");
                        found += 1;
                    }
                    None => recent.insert(key, number(key), shard, PLENTY),
                }
                assert_eq!(recent.find(key).is_some(), key.len() <= LONGEST, "{key}, round {round}");
            }
        }
        assert!(found > 3000, "{found}");
        recent.clear();
        assert!(keys.iter().all(|key| recent.find(key).is_none()));
    }

    #[test]
    fn an_empty_key_is_never_known() {
        let mut recent = RecentKeys::default();
        assert_eq!(recent.find(""), None);
        recent.insert("a", number("a"), 0, PLENTY);
        assert_eq!(recent.find(""), None);
    }

    #[test]
    fn memory_is_bounded() {
        for most in [0, 1, 63, 4095, 4096, 10_000, 1 << 18, PLENTY] {
            let mut recent = RecentKeys::default();
            for i in 0..30_000 {
                recent.insert(&format!("{i}"), HashKey::MIN, 0, most);
                assert!(recent.memory() <= most, "{most}");
            }
            let entries = recent.memory() / size_of::<Entry>();
            let expected = (most / size_of::<Entry>()).min(MOST);
            assert!(entries == 0 && expected < FEWEST || 2 * entries > expected, "{most}: {entries}");
        }
        assert_eq!(size_of::<Entry>(), 64);
    }

    #[test]
    fn positions_that_do_not_fit_are_not_kept() {
        let mut recent = RecentKeys::default();
        recent.insert("a", number("a"), usize::MAX, PLENTY);
        assert_eq!(recent.find("a"), None);
    }
}
