//! Finding out whether a key was written before: open addressing over slots that point into the output.
//!
//! What is inlined for speed is not where registers have 32 bits: it would cost a twelfth of all flash there.

use crate::wire::{equal, widen};

/// How many slots are looked at for one key. Keys come from strangers, who may choose them so that all fall on the
/// same slots: past this the key counts as unknown, and the cost stays linear (rule E3).
const MAX_PROBES: u32 = 16;

/// A key that was written: where, and which index it got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slot {
    offset: u32,
    index: u32,
    /// 0 marks a vacant slot: no key that is written is empty, and none has more than 1,024 bytes.
    len: u16,
    /// Some bits of the hash, so that the bytes of another key are seldom looked at.
    tag: u16,
}

impl Slot {
    pub(crate) const VACANT: Self = Self { offset: 0, index: 0, len: 0, tag: 0 };

    /// The slot for a key of `len` bytes written at `offset`; none where that does not fit one, which no output
    /// within the limits of Kinesis gets to.
    pub(crate) fn new(offset: usize, len: usize, index: u32, hash: u32) -> Option<Self> {
        Some(Self {
            offset: u32::try_from(offset).ok()?,
            index,
            len: u16::try_from(len).ok()?,
            tag: tag(hash),
        })
    }

    #[inline]
    pub(crate) const fn index(&self) -> u32 {
        self.index
    }

    /// The bytes of the key in the output it was written to.
    #[inline]
    pub(crate) fn key<'w>(&self, written: &'w [u8]) -> Option<&'w [u8]> {
        let start = usize::try_from(self.offset).ok()?;
        written.get(start..)?.get(..usize::from(self.len))
    }

    #[inline]
    pub(crate) const fn is_vacant(&self) -> bool {
        self.len == 0
    }

    /// Whether this is where `key` was written. No vacant slot holds a key, not even an empty one.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn holds(&self, key: &[u8], written: &[u8]) -> bool {
        usize::from(self.len) == key.len()
            && !self.is_vacant()
            && self.key(written).is_some_and(|own| equal(own, key))
    }
}

/// Where a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// The key is known by this index, and in this slot.
    Known { index: u32, position: u32 },
    /// It is not known, and belongs in this slot.
    Vacant(u32),
    /// It was not found in as many slots as are looked at, and there is none to put it in.
    Exhausted,
}

/// Looks for a key.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(crate) fn probe(slots: &[Slot], key: &[u8], hash: u32, written: &[u8]) -> Probe {
    for position in positions(slots, hash) {
        match slot_at(slots, position) {
            Some(slot) if slot.is_vacant() => return Probe::Vacant(position),
            Some(slot) if slot.tag == tag(hash) && slot.holds(key, written) => {
                return Probe::Known { index: slot.index, position };
            }
            _ => {}
        }
    }
    Probe::Exhausted
}

/// Looks for the slot of a key that is known to be in none.
#[cfg(any(feature = "alloc", test))]
pub(crate) fn vacant(slots: &[Slot], hash: u32) -> Option<u32> {
    positions(slots, hash).find(|&position| slot_at(slots, position).is_some_and(Slot::is_vacant))
}

/// The slot at a position.
#[inline]
pub(crate) fn slot_at(slots: &[Slot], position: u32) -> Option<&Slot> {
    slots.get(usize::try_from(position).ok()?)
}

/// The slot at a position, to be written to.
#[inline]
pub(crate) fn slot_at_mut(slots: &mut [Slot], position: u32) -> Option<&mut Slot> {
    slots.get_mut(usize::try_from(position).ok()?)
}

/// The slots that a key may be in, in the order to look at them.
///
/// They are spread over the table, so that keys which begin at one slot part at the next; there is no need for a
/// power of two of them.
fn positions(slots: &[Slot], hash: u32) -> impl Iterator<Item = u32> {
    let len = slots.len();
    (0..MAX_PROBES).map(move |attempt| scale(hash.wrapping_add(attempt.wrapping_mul(0x9e37_79b9)), len))
}

/// The place of a hash in a table of `len`.
#[cfg(feature = "alloc")]
#[inline]
pub(crate) fn slot_of_hash(hash: u32, len: usize) -> usize {
    usize::try_from(scale(hash, len)).unwrap_or(usize::MAX)
}

/// Maps a hash to 0 up to, not including, `len` by its upper bits.
#[inline]
const fn scale(hash: u32, len: usize) -> u32 {
    let len = widen(len) & 0xffff_ffff;
    upper_half(widen_hash(hash).wrapping_mul(len))
}

#[expect(clippy::as_conversions, reason = "widened")]
const fn widen_hash(hash: u32) -> u64 {
    hash as u64
}

/// The lower bits: the upper ones choose the slot.
#[expect(clippy::as_conversions, reason = "cut to 16 bits on purpose")]
const fn tag(hash: u32) -> u16 {
    hash as u16
}

/// Hashes a key eight bytes at a time. It need not withstand attack: the probes are capped.
///
/// Each word is multiplied by a number of its own, so that none waits for the one before it.
#[cfg_attr(target_pointer_width = "64", inline(always))]
pub(crate) fn hash(key: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut factor = FACTOR;
    let mut sum = widen(key.len());
    let mut take_in = |word: u64| {
        factor = factor.rotate_left(23) | 1;
        sum = sum.wrapping_add(word.wrapping_mul(factor));
    };
    let mut rest = key;
    while let Some((word, after)) = rest.split_first_chunk() {
        take_in(u64::from_le_bytes(*word));
        rest = after;
    }
    if !rest.is_empty() {
        take_in(last_word(key));
    }
    upper_half((sum ^ sum >> 32).wrapping_mul(FACTOR))
}

/// The last eight bytes, or as many as there are.
#[inline]
fn last_word(bytes: &[u8]) -> u64 {
    match bytes.last_chunk() {
        Some(word) => u64::from_le_bytes(*word),
        None => bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}

#[expect(clippy::as_conversions, reason = "the upper half of 64 bits has 32")]
const fn upper_half(value: u64) -> u32 {
    (value >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    /// Puts keys into a table until one finds no slot; answers with how many went in.
    fn insert_all(slots: &mut [Slot], keys: impl Iterator<Item = String>) -> usize {
        let mut written = String::new();
        for (count, key) in keys.enumerate() {
            let hash = hash(key.as_bytes());
            match probe(slots, key.as_bytes(), hash, written.as_bytes()) {
                Probe::Vacant(position) => {
                    *slot_at_mut(slots, position).unwrap() =
                        Slot::new(written.len(), key.len(), count as u32, hash).unwrap();
                    written.push_str(&key);
                }
                Probe::Known { index, .. } => panic!("{key} taken for key {index}"),
                Probe::Exhausted => return count,
            }
            let Probe::Known { index, .. } = probe(slots, key.as_bytes(), hash, written.as_bytes()) else {
                panic!("{key} is not found");
            };
            assert_eq!(index, count as u32, "{key}");
        }
        usize::MAX
    }

    #[test]
    fn no_slots_at_all() {
        assert_eq!(probe(&[], b"a", hash(b"a"), b""), Probe::Exhausted);
    }

    #[test]
    fn a_small_table_fills_to_the_last_slot() {
        for size in 1..4 {
            let mut slots = alloc::vec![Slot::VACANT; size];
            assert_eq!(insert_all(&mut slots, (0..).map(|i| format!("key-{i}"))), size);
        }
    }

    #[test]
    fn half_full_tables_hold_usual_keys() {
        for size in [32, 200, 4096] {
            let mut slots = alloc::vec![Slot::VACANT; size];
            let keys = (0..size / 2).map(|i| format!("device-{i}"));
            assert_eq!(insert_all(&mut slots, keys), usize::MAX, "{size} slots");
        }
    }

    #[test]
    fn hashes_spread() {
        let mut buckets = [0; 64];
        for i in 0..6400 {
            buckets[scale(hash(format!("{i}").as_bytes()), 64) as usize] += 1;
        }
        assert!(buckets.iter().all(|&count| (50..150).contains(&count)), "{buckets:?}");
    }

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
    fn a_slot_is_known_by_its_tag_and_its_bytes() {
        let hash = hash(b"b");
        for (name, stored, written, known) in [
            ("the key itself", hash, b"b", true),
            ("another key with the same tag", hash, b"a", false),
            ("another tag: its bytes are not looked at", hash ^ 1, b"b", false),
        ] {
            let slot = Slot::new(0, 1, 0, stored).unwrap();
            let expected = if known { Probe::Known { index: 0, position: 0 } } else { Probe::Exhausted };
            assert_eq!(probe(&[slot], b"b", hash, written), expected, "{name}");
        }
    }

    #[test]
    fn the_vacant_slot_is_where_a_search_for_a_new_key_ends() {
        let mut slots = [Slot::VACANT; 16];
        let mut exhausted = 0;
        for i in 0..64 {
            let hash = hash(format!("key-{i}").as_bytes());
            match probe(&slots, b"a new key", hash, b"") {
                Probe::Vacant(position) => {
                    assert_eq!(vacant(&slots, hash), Some(position));
                    *slot_at_mut(&mut slots, position).unwrap() = Slot::new(0, 1, i, hash).unwrap();
                }
                Probe::Exhausted => {
                    assert_eq!(vacant(&slots, hash), None);
                    exhausted += 1;
                }
                Probe::Known { index, .. } => panic!("taken for key {index}"),
            }
        }
        assert!(exhausted > 0);
    }
}
