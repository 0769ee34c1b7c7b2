//! A cache of the hash keys of partition keys.

use alloc::vec::Vec;

use crate::encode::{hash, slot_of_hash};
use crate::hash_key::HashKey;
use crate::wire::equal;

/// The longest partition key that is cached, in bytes: long enough for a UUID and for any 128-bit number in decimal.
const MAX_KEY_LEN: usize = 39;

/// The number of entries after the first insertion.
const MIN_ENTRIES: usize = 64;

/// The highest number of entries: 256 KiB.
const MAX_ENTRIES: usize = 4096;

/// A two-way cache of partition keys with their hash keys and shards. A lookup takes a tenth of the time of an MD5.
///
/// No choice of keys can make it slow or large: each key has two entries, whose size is fixed, and replaces what was there.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecentKeys {
    entries: Vec<RecentKey>,
    /// The number of insertions since the cache last grew or was found to be at its largest.
    insertions: usize,
}

/// A cached partition key and its hash key. Aligned, so that a lookup reads one cache line and not two.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct RecentKey {
    pub(crate) hash_key: HashKey,
    /// The number of an aggregate that it is in, and its index there; 0 for none.
    aggregate: u32,
    index: u16,
    /// The position of the shard that owns it.
    shard: u16,
    /// 0 in a vacant entry, as no partition key is empty.
    len: u8,
    key: [u8; MAX_KEY_LEN],
}

const VACANT: RecentKey =
    RecentKey { hash_key: HashKey::MIN, aggregate: 0, index: 0, shard: 0, len: 0, key: [0; MAX_KEY_LEN] };

impl RecentKey {
    #[inline]
    fn holds(&self, key: &[u8]) -> bool {
        let known = self.key.get(..usize::from(self.len)).unwrap_or_default();
        !known.is_empty() && equal(known, key)
    }

    /// Returns the position of the shard.
    #[inline]
    pub(crate) fn shard(&self) -> usize {
        usize::from(self.shard)
    }

    /// Returns the index of the key in an aggregate, if that is the one it was last noted in. No aggregate has the number 0.
    #[inline]
    pub(crate) fn index_in(&self, aggregate: u32) -> Option<u32> {
        (self.aggregate == aggregate && aggregate != 0).then_some(self.index.into())
    }

    /// Notes the index of the key in an aggregate. No two aggregates may have the same number.
    #[inline]
    pub(crate) fn note(&mut self, aggregate: u32, index: u32) {
        if let Ok(index) = u16::try_from(index) {
            (self.aggregate, self.index) = (aggregate, index);
        }
    }
}

impl RecentKeys {
    /// Returns what is cached of a partition key.
    #[inline]
    pub(crate) fn find(&mut self, partition_key: &str) -> Option<&mut RecentKey> {
        let key = partition_key.as_bytes();
        let [first, second] = self.positions(key);
        if self.entries.get(first)?.holds(key) {
            return self.entries.get_mut(first);
        }
        self.entries.get_mut(second).filter(|entry| entry.holds(key))
    }

    /// Returns the position of the shard of a partition key, if it is cached.
    #[inline]
    pub(crate) fn shard_of(&self, partition_key: &str) -> Option<usize> {
        let key = partition_key.as_bytes();
        let mut entries = self.positions(key).into_iter().filter_map(|position| self.entries.get(position));
        entries.find(|entry| entry.holds(key)).map(RecentKey::shard)
    }

    /// The two entries that may hold a key, next to each other. With one, 3 % of the lookups of 256 keys fail, each of which costs
    /// an MD5; with two, 0.3 %.
    #[inline]
    fn positions(&self, key: &[u8]) -> [usize; 2] {
        let first = slot_of_hash(hash(key), self.entries.len());
        [first, first ^ 1]
    }

    /// Caches a partition key. All entries together take at most `max_memory` bytes.
    pub(crate) fn insert(&mut self, partition_key: &str, hash_key: HashKey, shard: usize, max_memory: usize) {
        let (Ok(shard), Ok(len)) = (u16::try_from(shard), u8::try_from(partition_key.len())) else { return };
        let mut key = [0; MAX_KEY_LEN];
        let Some(prefix) = key.get_mut(..usize::from(len)) else { return };
        crate::wire::copy(partition_key.as_bytes(), prefix);
        if self.insertions >= 2 * self.entries.len() {
            self.grow(max_memory);
        }
        let [first, second] = self.positions(partition_key.as_bytes());
        let is_vacant = |position: usize| self.entries.get(position).is_some_and(|entry| entry.len == 0);
        let position = if !is_vacant(first) && is_vacant(second) { second } else { first };
        if let Some(entry) = self.entries.get_mut(position) {
            *entry = RecentKey { hash_key, shard, len, key, ..VACANT };
            self.insertions += 1;
        }
    }

    /// Doubles the number of entries, within bounds, and empties them: keys that matter come again.
    #[cold]
    fn grow(&mut self, max_memory: usize) {
        let doubled = (2 * self.entries.len()).max(MIN_ENTRIES);
        if doubled <= MAX_ENTRIES && doubled * size_of::<RecentKey>() <= max_memory {
            self.entries = alloc::vec![VACANT; doubled];
        }
        self.insertions = 0;
    }

    /// Empties all entries, because shards have other positions.
    pub(crate) fn clear(&mut self) {
        self.entries.fill(VACANT);
    }

    /// Returns the number of bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<RecentKey>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    const AMPLE: usize = 1 << 20;

    fn number(key: &str) -> HashKey {
        HashKey::new(u128::from(hash(key.as_bytes())))
    }

    #[test]
    fn keys_are_found_with_their_own_values() {
        let keys: Vec<String> = (0..200usize).map(|i| format!("{i}").repeat(1 + i % 20)).collect();
        let mut recent = RecentKeys::default();
        let mut found = 0;
        for round in 0..50 {
            for (shard, key) in keys.iter().enumerate() {
                match recent.find(key) {
                    Some(known) => {
                        assert_eq!((known.hash_key, known.shard()), (number(key), shard), "{key}");
                        // Now and then in another aggregate.
                        let aggregate = round / 7;
                        match known.index_in(aggregate) {
                            Some(index) => assert_eq!(index, shard as u32, "{key}, round {round}"),
                            None => known.note(aggregate, shard as u32),
                        }
                        assert_eq!(recent.shard_of(key), Some(shard), "{key}");
                        found += 1;
                    }
                    None => recent.insert(key, number(key), shard, AMPLE),
                }
                assert_eq!(recent.find(key).is_some(), key.len() <= MAX_KEY_LEN, "{key}, round {round}");
            }
        }
        assert!(found > 3000, "{found}");
        recent.clear();
        assert!(keys.iter().all(|key| recent.find(key).is_none()));
    }

    #[test]
    fn few_lookups_of_some_hundred_keys_fail() {
        let keys: Vec<String> = (0..256usize).map(|i| format!("device-{i}")).collect();
        let mut recent = RecentKeys::default();
        let mut failed = 0;
        for round in 0..1000 {
            for key in &keys {
                if recent.find(key).is_none() {
                    failed += usize::from(round >= 500);
                    recent.insert(key, number(key), 0, AMPLE);
                }
            }
        }
        assert!(failed < 500 * keys.len() / 100, "{failed}");
    }

    #[test]
    fn empty_keys_and_positions_above_16_bits_are_not_cached() {
        let mut recent = RecentKeys::default();
        recent.insert("a", number("a"), 65_536, AMPLE);
        assert!(recent.find("a").is_none());
        recent.insert("a", number("a"), 65_535, AMPLE);
        assert!(recent.find("a").is_some() && recent.find("").is_none());
    }

    #[test]
    fn memory_is_bounded() {
        for most in [0, 1, 63, 4095, 4096, 10_000, 1 << 18, AMPLE] {
            let mut recent = RecentKeys::default();
            for i in 0..30_000 {
                recent.insert(&format!("{i}"), HashKey::MIN, 0, most);
                assert!(recent.memory() <= most, "{most}");
            }
            let entries = recent.memory() / size_of::<RecentKey>();
            let expected = (most / size_of::<RecentKey>()).min(MAX_ENTRIES);
            assert!(entries == 0 && expected < MIN_ENTRIES || 2 * entries > expected, "{most}: {entries}");
        }
        assert_eq!(size_of::<RecentKey>(), 64);
    }

    #[test]
    fn an_index_belongs_to_an_aggregate() {
        let mut recent = RecentKeys::default();
        recent.insert("a", number("a"), 0, AMPLE);
        let known = recent.find("a").unwrap();
        assert_eq!((known.index_in(0), known.index_in(1)), (None, None));
        known.note(1, 65_535);
        assert_eq!((known.index_in(1), known.index_in(2)), (Some(65_535), None));
        known.note(2, 65_536);
        assert_eq!((known.index_in(1), known.index_in(2)), (Some(65_535), None), "it fits no entry");
    }
}
