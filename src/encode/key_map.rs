//! Key maps: which index in a key table a key has.
//!
//! A key table must not contain a key twice in canonical order, and should not in streamed order (rule E3). Both maps are
//! hash tables whose entries point to where the key was written, so they hold no copies of keys. [`FixedKeyMap`] has a
//! fixed capacity and forgets what exceeds it; [`GrowingKeyMap`] grows on the heap and knows every key.
//!
//! Both remember the last key used, since consecutive user records often share their keys.

#[cfg(feature = "alloc")]
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};

use crate::wire::{Full, Writer, equal, length_delimited_len, widen};

/// The result of looking up a key. All numbers have 32 bits, so that it is passed in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The key is the last one used.
    Last { index: u32 },
    /// The key is in the table, and in the hash table's entry at `position`, unless that is [`NO_ENTRY`].
    Known { index: u32, position: u32 },
    /// The key is to be written as index `index` of the table. The hash table's entry at `vacant` is free for it, unless
    /// that is [`NO_ENTRY`].
    New { index: u32, hash: u32, vacant: u32 },
}

/// A position without an entry.
const NO_ENTRY: u32 = u32::MAX;

impl Lookup {
    /// A key of the first user record of an aggregate.
    pub(crate) const FIRST: Self = Self::New { index: 0, hash: 0, vacant: NO_ENTRY };

    /// A key that is known to have this index.
    #[cfg(feature = "alloc")]
    pub(crate) const fn at(index: u32) -> Self {
        Self::Known { index, position: NO_ENTRY }
    }

    #[inline(always)]
    pub(crate) const fn is_new(self) -> bool {
        matches!(self, Self::New { .. })
    }

    /// The index that the key has, or will have once it is written.
    #[inline(always)]
    pub(crate) const fn index(self) -> u32 {
        let (Self::Last { index } | Self::Known { index, .. } | Self::New { index, .. }) = self;
        index
    }

    /// The bytes by which the table grows.
    #[inline(always)]
    pub(crate) const fn cost(self, key: &str) -> usize {
        if self.is_new() { length_delimited_len(key.len()) } else { 0 }
    }

    /// Writes the key as an entry of table `table` if it is new. Returns where the key itself begins.
    #[inline]
    pub(crate) fn write(self, table: u32, key: &str, writer: &mut Writer<'_>) -> Result<usize, Full> {
        if self.is_new() {
            writer.bytes_field(table, key.as_bytes())?;
        }
        Ok(writer.position().saturating_sub(key.len()))
    }
}

/// The first `KEYS` keys written to a table, and the last one used.
///
/// There are two entries per key, which keeps probing short. A key without an entry is written again when it is used
/// again, unless it was the last one: this costs bytes, never correctness (rule E3).
#[derive(Clone, Debug)]
pub(crate) struct FixedKeyMap<const KEYS: usize> {
    entries: [[Entry; 2]; KEYS],
    taken: usize,
    /// One more than the position of the key used last; 0 means `without_entry`. This way an empty map is all zeros, and
    /// takes no flash.
    after_last: u32,
    /// The last key that found no entry.
    without_entry: Entry,
    /// The number of keys in the table, which is the index of the next one.
    keys: u32,
}

impl<const KEYS: usize> FixedKeyMap<KEYS> {
    pub(crate) const EMPTY: Self = Self {
        entries: [[Entry::VACANT; 2]; KEYS],
        taken: 0,
        after_last: 0,
        without_entry: Entry::VACANT,
        keys: 0,
    };

    /// Looks up a key among those written to `output`.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn find(&self, key: &str, output: &[u8]) -> Lookup {
        let last = entry_at(self.entries.as_flattened(), self.after_last.wrapping_sub(1))
            .unwrap_or(&self.without_entry);
        if last.holds(key.as_bytes(), output) {
            return Lookup::Last { index: last.index };
        }
        self.search(key.as_bytes(), output)
    }

    #[cfg_attr(target_pointer_width = "64", inline(never))]
    fn search(&self, key: &[u8], output: &[u8]) -> Lookup {
        let hash = hash(key);
        let vacant = match probe(self.entries.as_flattened(), key, hash, output) {
            Probe::Known { index, position } => return Lookup::Known { index, position },
            Probe::Vacant(position) if self.taken < KEYS => position,
            Probe::Vacant(_) | Probe::Exhausted => NO_ENTRY,
        };
        Lookup::New { index: self.keys, hash, vacant }
    }

    /// Notes that a key was used. A new one was just written to the output, at `offset`.
    #[inline]
    pub(crate) fn note(&mut self, lookup: Lookup, key: &str, offset: usize) {
        match lookup {
            Lookup::Last { .. } => {}
            Lookup::Known { position, .. } => self.after_last = position.wrapping_add(1),
            Lookup::New { index, hash, vacant } => {
                self.keys += 1;
                self.after_last = vacant.wrapping_add(1);
                let entry = match entry_at_mut(self.entries.as_flattened_mut(), vacant) {
                    Some(entry) => {
                        self.taken += 1;
                        entry
                    }
                    None => &mut self.without_entry,
                };
                // An offset that does not fit an entry, which no output within the limits of Kinesis has, is forgotten.
                *entry = Entry::new(offset, key.len(), index, hash).unwrap_or(Entry::VACANT);
            }
        }
    }
}

/// The fewest entries of a [`GrowingKeyMap`], once it has any.
#[cfg(feature = "alloc")]
const MIN_ENTRIES: usize = 16;

/// Every key written to a table.
///
/// At most half of the entries are taken. A key that finds no vacant entry within [`MAX_PROBES`], which takes an attacker
/// or bad luck, is kept in a search tree, so that no choice of keys makes lookups slower than by a logarithm (rule E3).
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, Default)]
pub(crate) struct GrowingKeyMap {
    entries: Vec<Entry>,
    taken: usize,
    without_entry: BTreeMap<Box<[u8]>, Entry>,
    /// The total length of the keys in the tree.
    without_entry_bytes: usize,
    /// A recently used key, or a vacant entry.
    last: Entry,
    /// The number of keys in the table, which is the index of the next one.
    keys: u32,
}

#[cfg(feature = "alloc")]
impl GrowingKeyMap {
    /// Looks up a key among those written to `output`.
    #[inline(always)]
    pub(crate) fn find(&self, key: &str, output: &[u8]) -> Lookup {
        if self.last.holds(key.as_bytes(), output) {
            return Lookup::Last { index: self.last.index };
        }
        self.search(key.as_bytes(), output)
    }

    #[inline(never)]
    fn search(&self, key: &[u8], output: &[u8]) -> Lookup {
        let hash = hash(key);
        let vacant = match probe(&self.entries, key, hash, output) {
            Probe::Known { index, position } => return Lookup::Known { index, position },
            Probe::Vacant(position) => position,
            Probe::Exhausted => NO_ENTRY,
        };
        // Not only if probing was exhausted: the map may have grown since a key went into the tree.
        if let Some(entry) = self.without_entry.get(key) {
            return Lookup::Known { index: entry.index, position: NO_ENTRY };
        }
        Lookup::New { index: self.keys, hash, vacant }
    }

    /// Notes that a known key was used.
    #[inline(always)]
    pub(crate) fn note_known(&mut self, position: u32) {
        if let Some(entry) = entry_at(&self.entries, position) {
            self.last = *entry;
        }
    }

    /// Inserts a key of `len` bytes that [`Self::find`] did not find, and that is now the end of `output`.
    #[inline(never)]
    pub(crate) fn insert(
        &mut self,
        len: usize,
        index: u32,
        hash: u32,
        vacant: u32,
        output: &[u8],
    ) -> Result<(), Full> {
        let entry = Entry::new(output.len().saturating_sub(len), len, index, hash).ok_or(Full)?;
        self.last = entry;
        self.keys += 1;
        let crowded = self.taken >= self.entries.len() / 2;
        match entry_at_mut(&mut self.entries, vacant) {
            Some(vacant) if !crowded => {
                *vacant = entry;
                self.taken += 1;
            }
            _ => self.insert_last_anyhow(hash, crowded, output),
        }
        Ok(())
    }

    /// Inserts the last key. Passed as an argument, each new entry would be written to memory in parts and read back as a whole,
    /// for which processors wait.
    #[cold]
    #[inline(never)]
    fn insert_last_anyhow(&mut self, hash: u32, crowded: bool, output: &[u8]) {
        if crowded {
            self.grow(output);
        }
        self.place(self.last, hash, output);
    }

    /// Doubles the number of entries.
    fn grow(&mut self, output: &[u8]) {
        self.resize((2 * self.entries.len()).max(MIN_ENTRIES), output);
    }

    /// Gives up entries that are not needed, down to four for each key.
    pub(crate) fn shrink(&mut self, output: &[u8]) {
        let len = (4 * self.taken).next_power_of_two().max(MIN_ENTRIES);
        if len < self.entries.len() {
            self.resize(len, output);
        }
    }

    /// Sets the number of entries.
    fn resize(&mut self, len: usize, output: &[u8]) {
        let old = core::mem::replace(&mut self.entries, alloc::vec![Entry::VACANT; len]);
        self.taken = 0;
        for entry in old.into_iter().filter(|entry| !entry.is_vacant()) {
            let hash = entry.key(output).map_or(0, hash);
            self.place(entry, hash, output);
        }
    }

    /// Inserts an entry for a key that has none.
    fn place(&mut self, entry: Entry, hash: u32, output: &[u8]) {
        let key = entry.key(output).unwrap_or_default();
        let vacant = match probe(&self.entries, key, hash, output) {
            Probe::Vacant(position) => entry_at_mut(&mut self.entries, position),
            Probe::Known { .. } | Probe::Exhausted => None,
        };
        match vacant {
            Some(vacant) => {
                *vacant = entry;
                self.taken += 1;
            }
            None => {
                self.without_entry.insert(key.into(), entry);
                self.without_entry_bytes += key.len();
            }
        }
    }

    /// The number of bytes allocated. Those of the tree are a generous estimate.
    pub(crate) fn memory(&self) -> usize {
        const NODE: usize = 2 * size_of::<(Box<[u8]>, Entry)>() + 64;
        self.entries.capacity() * size_of::<Entry>()
            + self.without_entry.len() * NODE
            + self.without_entry_bytes
    }

    /// Removes all keys. A map that was much too large for what it held shrinks by half: clearing it would cost more than
    /// filling it did.
    pub(crate) fn clear(&mut self) {
        let len = self.entries.len();
        if len > MIN_ENTRIES && self.taken < len / 8 {
            self.entries.truncate(len / 2);
            self.entries.shrink_to_fit();
        }
        self.entries.fill(Entry::VACANT);
        self.taken = 0;
        self.without_entry.clear();
        self.without_entry_bytes = 0;
        self.last = Entry::VACANT;
        self.keys = 0;
    }
}

/// The most entries that are probed for a key. Keys come from strangers, who may choose them so that all begin at the same
/// entry. After this many probes a key counts as unknown, so that the cost stays linear (rule E3).
const MAX_PROBES: u32 = 16;

/// The position at which a key was written, and its index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Entry {
    offset: u32,
    index: u32,
    /// 0 marks a vacant entry: no valid key is empty, and none has more than 1,024 bytes.
    len: u16,
    /// The lower bits of the hash, so that the bytes of other keys are seldom compared.
    hash_bits: u16,
}

impl Entry {
    const VACANT: Self = Self { offset: 0, index: 0, len: 0, hash_bits: 0 };

    /// The entry for a key of `len` bytes written at `offset`. Returns `None` if that does not fit, which cannot happen
    /// within the limits of Kinesis.
    fn new(offset: usize, len: usize, index: u32, hash: u32) -> Option<Self> {
        Some(Self {
            offset: u32::try_from(offset).ok()?,
            index,
            len: u16::try_from(len).ok()?,
            hash_bits: lower_bits(hash),
        })
    }

    /// The bytes of the key in the output it was written to.
    #[inline]
    fn key<'w>(&self, output: &'w [u8]) -> Option<&'w [u8]> {
        let start = usize::try_from(self.offset).ok()?;
        output.get(start..)?.get(..usize::from(self.len))
    }

    #[inline]
    const fn is_vacant(&self) -> bool {
        self.len == 0
    }

    /// Returns whether this is the entry of `key`. A vacant entry holds no key, not even an empty one.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn holds(&self, key: &[u8], output: &[u8]) -> bool {
        usize::from(self.len) == key.len()
            && !self.is_vacant()
            && self.key(output).is_some_and(|own| equal(own, key))
    }
}

/// The result of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    /// The key has this index, and the entry at `position`.
    Known { index: u32, position: u32 },
    /// The key is unknown, and this entry is free for it.
    Vacant(u32),
    /// The key was not found in [`MAX_PROBES`] entries, and none of them is vacant.
    Exhausted,
}

#[cfg_attr(target_pointer_width = "64", inline(always))]
fn probe(entries: &[Entry], key: &[u8], hash: u32, output: &[u8]) -> Probe {
    for position in positions(entries, hash) {
        match entry_at(entries, position) {
            Some(entry) if entry.is_vacant() => return Probe::Vacant(position),
            Some(entry) if entry.hash_bits == lower_bits(hash) && entry.holds(key, output) => {
                return Probe::Known { index: entry.index, position };
            }
            _ => {}
        }
    }
    Probe::Exhausted
}

#[inline]
fn entry_at(entries: &[Entry], position: u32) -> Option<&Entry> {
    entries.get(usize::try_from(position).ok()?)
}

#[inline]
fn entry_at_mut(entries: &mut [Entry], position: u32) -> Option<&mut Entry> {
    entries.get_mut(usize::try_from(position).ok()?)
}

/// The entries to probe for a key, in order. They are spread over the whole table, which need not have a power of two of
/// entries, so keys that begin at the same entry part at the next one.
fn positions(entries: &[Entry], hash: u32) -> impl Iterator<Item = u32> {
    let len = entries.len();
    (0..MAX_PROBES).map(move |attempt| scale(hash.wrapping_add(attempt.wrapping_mul(0x9e37_79b9)), len))
}

/// The position of a hash in a table of `len` entries.
#[cfg(feature = "alloc")]
#[inline]
pub(crate) fn slot_of_hash(hash: u32, len: usize) -> usize {
    usize::try_from(scale(hash, len)).unwrap_or(usize::MAX)
}

/// Maps a hash to 0 up to, not including, `len` by its upper bits.
#[inline]
#[expect(clippy::as_conversions, reason = "widened, and the upper half of 64 bits has 32")]
const fn scale(hash: u32, len: usize) -> u32 {
    let len = widen(len) & 0xffff_ffff;
    ((hash as u64 * len) >> 32) as u32
}

/// The lower bits of a hash: the upper ones choose the entry.
#[expect(clippy::as_conversions, reason = "cut to 16 bits on purpose")]
const fn lower_bits(hash: u32) -> u16 {
    hash as u16
}

/// The word that hashing works on. 64-bit multiplications take 150 bytes of flash on a Cortex-M4.
#[cfg(target_pointer_width = "64")]
type Word = u64;
#[cfg(not(target_pointer_width = "64"))]
type Word = u32;

const WORD_SIZE: usize = size_of::<Word>();

/// Hashes a key, a word at a time. It need not withstand attacks, since the number of probes is limited.
///
/// Each word is multiplied by a factor of its own, so that the multiplications do not wait for each other.
#[cfg_attr(target_pointer_width = "64", inline(always))]
#[expect(
    clippy::as_conversions,
    reason = "the upper bits of a word, and a length of which the lower bits do"
)]
pub(crate) fn hash(key: &[u8]) -> u32 {
    const FACTOR: Word = (0x9e37_79b9_7f4a_7c15u64 >> (u64::BITS - Word::BITS)) as Word;
    let mut factor = FACTOR;
    let mut sum = key.len() as Word;
    let mut take_in = |word: Word| {
        factor = factor.rotate_left(23) | 1;
        sum = sum.wrapping_add(word.wrapping_mul(factor));
    };
    let mut rest = key;
    while let Some((word, after)) = rest.split_first_chunk::<WORD_SIZE>() {
        take_in(Word::from_le_bytes(*word));
        rest = after;
    }
    if !rest.is_empty() {
        take_in(last_word(key));
    }
    let mixed = (sum ^ sum >> (Word::BITS / 2)).wrapping_mul(FACTOR);
    (mixed >> (Word::BITS - u32::BITS)) as u32
}

/// The last bytes of a key as a word; the whole key if it is shorter.
#[inline]
fn last_word(bytes: &[u8]) -> Word {
    match bytes.last_chunk::<WORD_SIZE>() {
        Some(word) => Word::from_le_bytes(*word),
        None => bytes.iter().rev().fold(0, |word, &byte| word << 8 | Word::from(byte)),
    }
}

#[cfg(feature = "alloc")]
#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    #[test]
    fn every_bit_of_a_key_moves_half_of_its_hash() {
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        for len in [1, 2, 7, 8, 9, 16, 23] {
            for bit in 0..8 * len {
                let moved: u32 = (0..64)
                    .map(|_| {
                        let mut key: alloc::vec::Vec<u8> = (0..len).map(|_| random()).collect();
                        let before = hash(&key);
                        key[bit / 8] ^= 1 << (bit % 8);
                        (before ^ hash(&key)).count_ones()
                    })
                    .sum();
                assert!(
                    (12 * 64..20 * 64).contains(&moved),
                    "bit {bit} of {len} bytes: {moved} bits of 64 hashes"
                );
            }
        }
    }

    #[test]
    fn an_entry_is_known_by_its_hash_bits_and_its_bytes() {
        let hash = hash(b"b");
        for (name, stored, written, known) in [
            ("the key itself", hash, b"b", true),
            ("another key with the same hash bits", hash, b"a", false),
            ("other hash bits: its bytes are not compared", hash ^ 1, b"b", false),
        ] {
            let entry = Entry::new(0, 1, 0, stored).unwrap();
            let expected = if known { Probe::Known { index: 0, position: 0 } } else { Probe::Exhausted };
            assert_eq!(probe(&[entry], b"b", hash, written), expected, "{name}");
        }
    }

    /// A [`GrowingKeyMap`] with what was written to its table.
    #[derive(Default)]
    struct Table {
        written: Vec<u8>,
        map: GrowingKeyMap,
    }

    /// Looks up a key, and inserts it if it is new. Returns its index.
    fn insert(table: &mut Table, key: &str) -> u32 {
        let lookup = table.map.find(key, &table.written);
        match lookup {
            Lookup::Last { .. } => {}
            Lookup::Known { position, .. } => table.map.note_known(position),
            Lookup::New { index, hash, vacant } => {
                table.written.extend(key.as_bytes());
                table.map.insert(key.len(), index, hash, vacant, &table.written).unwrap();
            }
        }
        lookup.index()
    }

    /// Keys that all begin at one entry, as an attacker would choose them.
    fn colliding(count: usize) -> Vec<String> {
        let target = hash(b"0") >> 20;
        (0..)
            .map(|i: u32| format!("{i}"))
            .filter(|key| hash(key.as_bytes()) >> 20 == target)
            .take(count)
            .collect()
    }

    #[test]
    fn keys_without_entry_are_found_after_growth() {
        let keys = colliding(40);
        let mut table = Table::default();
        for key in &keys {
            insert(&mut table, key);
        }
        let bytes: usize = table.map.without_entry.keys().map(|key| key.len()).sum();
        let entries = table.map.entries.len() * size_of::<Entry>();
        // A node may be half empty, and has some words of its own.
        let node = 2 * size_of::<(Box<[u8]>, Entry)>() + 64;
        assert!(bytes > 0, "some found no entry");
        assert_eq!(table.map.memory(), entries + bytes + table.map.without_entry.len() * node);
        for i in 0..10_000 {
            insert(&mut table, &format!("other-{i}"));
        }
        for (i, key) in keys.iter().enumerate() {
            assert_eq!(insert(&mut table, key), i as u32, "{key}");
        }
        table.written.clear();
        table.map.clear();
        for (i, key) in keys.iter().rev().enumerate() {
            assert_eq!(insert(&mut table, key), i as u32, "{key}, after clearing");
        }
    }

    #[test]
    fn a_map_doubles_when_half_of_it_is_taken() {
        let mut table = Table::default();
        assert_eq!(table.map.memory(), 0);
        for taken in 1..200usize {
            insert(&mut table, &format!("key-{taken}"));
            let entries = (2 * taken).next_power_of_two().max(MIN_ENTRIES);
            assert_eq!((table.map.taken, table.map.entries.len()), (taken, entries));
            assert_eq!(table.map.memory(), entries * size_of::<Entry>());
        }
    }

    #[test]
    fn a_cleared_map_halves_if_less_than_an_eighth_was_taken() {
        let mut table = Table::default();
        for (taken, entries) in [(17, 64), (8, 64), (7, 32), (4, 32), (3, 16), (1, 16), (0, 16)] {
            for key in 0..taken {
                insert(&mut table, &format!("key-{key}"));
            }
            table.written.clear();
            table.map.clear();
            assert_eq!(table.map.entries.len(), entries, "{taken} were taken");
            assert_eq!(table.map.entries.capacity(), entries, "{taken} were taken");
            assert!(table.map.taken == 0 && table.map.entries.iter().all(Entry::is_vacant));
        }
    }
}
