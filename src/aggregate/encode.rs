//! A list of user records at once, in canonical order and without a heap.

use crate::digest::Md5;
use crate::error::EncodeError;
use crate::frame::{FRAME_SIZE, MAGIC};
use crate::message::{EXPLICIT_HASH_KEY_TABLE, IndexedRecord, PARTITION_KEY_TABLE, UserRecord, hash};
use crate::wire::{Full, Writer, length_delimited_len};

/// Room for the index of one key, lent to [`encode`] and [`encoded_len`]. What it holds does not matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeySlot {
    hash: u32,
    /// Which user record the key is of.
    record: u32,
    /// The first user record with the same key; in the end, the index of the key.
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

/// Encodes user records into a buffer, in canonical order (rule E1), and answers with the written part of it.
///
/// No list is too long but for the buffer: the limits of Kinesis are the caller's to keep. An empty list encodes to
/// nothing at all, since an aggregate without user records would be read as a plain record. The outer keys are those
/// of the first user record (rule E8).
///
/// Finding equal keys takes a sort, so time grows with n log n for n user records, whatever the keys.
///
/// ```
/// use kinesis_aggregation::{KeySlot, UserRecord, encode};
///
/// let records = [UserRecord::new("device-7", "21.5"), UserRecord::new("device-7", "21.6")];
/// let mut buffer = [0; 64];
/// let data = encode(&records, &mut [KeySlot::EMPTY; 2], &mut buffer)?;
/// assert_eq!(data.len(), 20 + 10 + 2 * 10);
/// # Ok::<(), kinesis_aggregation::EncodeError>(())
/// ```
///
/// # Errors
///
/// Refuses lists with a user record that breaks rule E4 or E5 ([`UserRecord::validate`] tells which), and says how
/// many slots or bytes are needed where there are fewer.
pub fn encode<'b>(
    records: &[UserRecord<'_>],
    keys: &mut [KeySlot],
    buffer: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    let tables = Tables::index(records, keys)?;
    let (required, available) = (tables.encoded_len(records), buffer.len());
    let too_small = EncodeError::BufferTooSmall { required, available };
    let exact = buffer.get_mut(..required).ok_or(too_small)?;
    tables.write(records, exact).map_err(|Full| too_small)?;
    Ok(exact)
}

/// Counts the bytes that [`encode`] would write.
///
/// # Errors
///
/// As [`encode`], but for the buffer.
pub fn encoded_len(records: &[UserRecord<'_>], keys: &mut [KeySlot]) -> Result<usize, EncodeError> {
    Ok(Tables::index(records, keys)?.encoded_len(records))
}

/// The indexes of all keys: a slot for each user record, in their order.
struct Tables<'s> {
    partition_keys: &'s [KeySlot],
    /// Empty if there are no explicit hash keys.
    explicit_hash_keys: &'s [KeySlot],
}

impl<'s> Tables<'s> {
    fn index(records: &[UserRecord<'_>], slots: &'s mut [KeySlot]) -> Result<Self, EncodeError> {
        records.iter().try_for_each(UserRecord::validate)?;
        let (required, available) = (KeySlot::needed(records), slots.len());
        let too_few = EncodeError::KeySlotsTooFew { required, available };
        let slots = slots.get_mut(..required).ok_or(too_few)?;
        let (partition_keys, explicit_hash_keys) =
            slots.split_at_mut_checked(records.len()).ok_or(too_few)?;
        assign_indexes(partition_keys, |record| Some(records.get(record)?.partition_key));
        assign_indexes(explicit_hash_keys, |record| records.get(record)?.explicit_hash_key);
        Ok(Self { partition_keys, explicit_hash_keys })
    }

    /// Every user record with its indexes, and which of them are used for the first time.
    fn records<'r>(
        &self,
        records: &'r [UserRecord<'r>],
    ) -> impl Iterator<Item = (IndexedRecord<'r>, FirstUse<'r>)> {
        let mut partition_keys = FirstUses::default();
        let mut explicit_hash_keys = FirstUses::default();
        // Where there are no explicit hash keys, there are no slots for them.
        let explicit = self.explicit_hash_keys.iter().map(|slot| slot.index).chain(core::iter::repeat(0));
        records.iter().zip(self.partition_keys).zip(explicit).map(move |((record, slot), explicit)| {
            let indexed = IndexedRecord {
                partition_key_index: slot.index,
                explicit_hash_key_index: record.explicit_hash_key.map(|_| explicit),
                record: *record,
            };
            let first = FirstUse {
                partition_key: partition_keys.meet(slot.index).then_some(record.partition_key),
                explicit_hash_key: record.explicit_hash_key.filter(|_| explicit_hash_keys.meet(explicit)),
            };
            (indexed, first)
        })
    }

    fn encoded_len(&self, records: &[UserRecord<'_>]) -> usize {
        if records.is_empty() {
            return 0;
        }
        let entry_len = |key: Option<&str>| key.map_or(0, |key| length_delimited_len(key.len()));
        self.records(records).fold(FRAME_SIZE, |len, (indexed, first)| {
            len.saturating_add(entry_len(first.partition_key))
                .saturating_add(entry_len(first.explicit_hash_key))
                .saturating_add(indexed.field_len())
        })
    }

    fn write(&self, records: &[UserRecord<'_>], buffer: &mut [u8]) -> Result<(), Full> {
        if records.is_empty() {
            return Ok(());
        }
        let mut writer = Writer::new(buffer, 0);
        writer.bytes(&MAGIC)?;
        for key in self.records(records).filter_map(|(_, first)| first.partition_key) {
            writer.bytes_field(PARTITION_KEY_TABLE, key.as_bytes())?;
        }
        for key in self.records(records).filter_map(|(_, first)| first.explicit_hash_key) {
            writer.bytes_field(EXPLICIT_HASH_KEY_TABLE, key.as_bytes())?;
        }
        for (indexed, _) in self.records(records) {
            indexed.write(&mut writer)?;
        }
        let end = writer.position();
        let digest = Md5::digest(buffer.get(MAGIC.len()..end).ok_or(Full)?);
        Writer::new(buffer, end).bytes(&digest)
    }
}

/// The keys of a user record that no user record before it has.
struct FirstUse<'r> {
    partition_key: Option<&'r str>,
    explicit_hash_key: Option<&'r str>,
}

/// Tells indexes met for the first time: they come in ascending order.
#[derive(Default)]
struct FirstUses {
    next: u32,
}

impl FirstUses {
    fn meet(&mut self, index: u32) -> bool {
        let first = index == self.next;
        self.next = self.next.saturating_add(u32::from(first));
        first
    }
}

/// Gives each key its index in the order of first use.
///
/// Sorting brings equal keys together, the first user of each in front; sorting back restores the order, in which
/// the indexes are counted out. Keys decide the order only where their hashes are equal, so few are looked at.
fn assign_indexes<'r>(slots: &mut [KeySlot], key: impl Fn(usize) -> Option<&'r str>) {
    let key = |slot: &KeySlot| usize::try_from(slot.record).ok().and_then(&key);
    for (record, slot) in (0..).zip(slots.iter_mut()) {
        *slot = KeySlot { hash: 0, record, index: record };
        slot.hash = key(slot).map_or(0, |key| hash(key.as_bytes()));
    }
    heap_sort(slots, |a, b| {
        a.hash.cmp(&b.hash).then_with(|| key(a).cmp(&key(b))).then(a.record.cmp(&b.record)).is_lt()
    });
    let mut first: Option<KeySlot> = None;
    for slot in &mut *slots {
        match first {
            Some(first) if first.hash == slot.hash && key(&first) == key(slot) => slot.index = first.record,
            _ => first = Some(*slot),
        }
    }
    heap_sort(slots, |a, b| a.record < b.record);

    let mut entries: u32 = 0;
    for position in 0..slots.len() {
        let Some(&slot) = slots.get(position) else { break };
        let index = if key(&slot).is_none() {
            0
        } else if slot.index == slot.record {
            let index = entries;
            entries = entries.saturating_add(1);
            index
        } else {
            // The first user came before, so its slot already holds the index.
            usize::try_from(slot.index).ok().and_then(|first| slots.get(first)).map_or(0, |first| first.index)
        };
        if let Some(slot) = slots.get_mut(position) {
            slot.index = index;
        }
    }
}

/// Sorts in place, in n log n steps whatever the order was. The standard library's sorts are faster, but contain a
/// panic for orders that contradict themselves.
fn heap_sort<T: Copy>(items: &mut [T], less: impl Fn(&T, &T) -> bool) {
    for root in (0..items.len() / 2).rev() {
        sift_down(items, root, &less);
    }
    let mut rest = items;
    while let Some((last, heap)) = rest.split_last_mut() {
        if let Some(largest) = heap.first_mut() {
            core::mem::swap(largest, last);
        }
        sift_down(heap, 0, &less);
        rest = heap;
    }
}

/// Lets the item at `root` sink to where none below it is larger.
fn sift_down<T: Copy>(heap: &mut [T], mut root: usize, less: impl Fn(&T, &T) -> bool) {
    let Some(&item) = heap.get(root) else { return };
    loop {
        let left = root.saturating_mul(2).saturating_add(1);
        let right = left.saturating_add(1);
        let (child, &larger) = match (heap.get(left), heap.get(right)) {
            (Some(l), Some(r)) if less(l, r) => (right, r),
            (Some(l), _) => (left, l),
            (None, _) => break,
        };
        if !less(&item, &larger) {
            break;
        }
        if let Some(slot) = heap.get_mut(root) {
            *slot = larger;
        }
        root = child;
    }
    if let Some(slot) = heap.get_mut(root) {
        *slot = item;
    }
}
