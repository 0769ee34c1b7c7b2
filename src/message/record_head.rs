//! The head of a common record, which is everything before its data: read and written in a few instructions.
//!
//! ```text
//! 1a length   08 index   [ 10 index ]   1a length   data …
//! record      partition    explicit     data
//!             key          hash key
//! ```
//!
//! A common record is as a producer writes it: these fields in this order, no tags, indexes and lengths of one to three bytes.
//! Its head has at most 16 bytes, which are loaded in two or three registers and written with one store. `record.rs` reads and
//! writes every record; it asks here first. Nothing here decides what is valid: what is not common is left to the general
//! code, and what is common means the same to both.
//!
//! There are branches on lengths, which repeat from record to record, so that a processor predicts where the next record
//! begins. There are none on the sizes of indexes: with more than 128 keys in use, those are random.
//!
//! Where registers have 32 bits, this would cost more flash than it is worth. No record is common there.

use crate::message::{
    RECORD_DATA, RECORD_EXPLICIT_HASH_KEY_INDEX, RECORD_PARTITION_KEY_INDEX, RECORDS, UserRecord,
};
use crate::wire::{FAST_PATHS, widen};

/// The number of bytes that are loaded or stored together.
pub(crate) const HEAD_SIZE: usize = 16;

/// The tags. Field numbers are below 16, so they have one byte; a varint is wire type 0, a length 2.
const RECORD: u8 = tag(RECORDS, 2);
const PARTITION_KEY_INDEX: u8 = tag(RECORD_PARTITION_KEY_INDEX, 0);
const EXPLICIT_HASH_KEY_INDEX: u8 = tag(RECORD_EXPLICIT_HASH_KEY_INDEX, 0);
const DATA: u8 = tag(RECORD_DATA, 2);

#[expect(clippy::as_conversions, reason = "field numbers below 16 leave the upper bits clear")]
const fn tag(number: u32, wire_type: u32) -> u8 {
    (number << 3 | wire_type) as u8
}

/// The head of a common record, as read.
pub(super) struct RecordHead {
    pub(super) partition_key_index: usize,
    pub(super) explicit_hash_key_index: Option<usize>,
    /// The start of the data, counted from the record's tag.
    pub(super) data_start: usize,
    /// The end of the record, and of its data.
    pub(super) end: usize,
}

impl RecordHead {
    /// Reads the head of a common record that begins at the first of these bytes. The data may go beyond them.
    #[inline(always)]
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        if !FAST_PATHS {
            return None;
        }
        let head: &[u8; HEAD_SIZE] = bytes.first_chunk()?;
        let fields = Unread::load(head, 0)?;
        let digits = |byte: u8, shift: u32| usize::from(byte & 0x7f) << shift;
        let [_, first, second, third, ..] = *head;
        // One byte, two, or three: the first ones have their top bit set, the last one has not.
        if fields.match_masked([RECORD, 0, PARTITION_KEY_INDEX], [0xff, 0x80, 0xff]) {
            Self::read_indexes(head, 3, digits(first, 0))
        } else if fields.match_masked([RECORD, 0x80, 0, PARTITION_KEY_INDEX], [0xff, 0x80, 0x80, 0xff]) {
            Self::read_indexes(head, 4, digits(first, 0) | digits(second, 7))
        } else if fields
            .match_masked([RECORD, 0x80, 0x80, 0, PARTITION_KEY_INDEX], [0xff, 0x80, 0x80, 0x80, 0xff])
        {
            Self::read_indexes(head, 5, digits(first, 0) | digits(second, 7) | digits(third, 14))
        } else {
            None
        }
    }

    /// Reads on at the partition key index of a record of `len` bytes, whose tag is the last byte before `start`.
    #[inline(always)]
    fn read_indexes(head: &[u8; HEAD_SIZE], start: usize, len: usize) -> Option<Self> {
        let end = start - 1 + len;
        let (partition_key_index, mut rest) = Unread::load(head, start)?.index()?;
        let mut explicit_hash_key_index = None;
        if rest.begins_with(EXPLICIT_HASH_KEY_INDEX) {
            // Loaded with its tag, to stay within the head.
            let (index, after) = Unread::load(head, rest.position)?.skip_tag().index()?;
            (explicit_hash_key_index, rest) = (Some(index), after);
        }
        // The data ends with the record: that is the only length it may have.
        let data_start = rest.position + 2;
        let data_len = end.checked_sub(data_start)?;
        if data_len < 1 << 7 {
            if rest.bytes & 0xffff != length_field(DATA, data_len, 1) {
                return None;
            }
            return Some(Self { partition_key_index, explicit_hash_key_index, data_start, end });
        }
        let (data_start, data_len) = (data_start + 1, data_len - 1);
        if data_len < 1 << 14 {
            if rest.bytes & 0xff_ffff != length_field(DATA, data_len, 2) {
                return None;
            }
            return Some(Self { partition_key_index, explicit_hash_key_index, data_start, end });
        }
        let (data_start, data_len) = (data_start + 1, data_len - 1);
        if rest.bytes & 0xffff_ffff != length_field(DATA, data_len, 3) {
            return None;
        }
        Some(Self { partition_key_index, explicit_hash_key_index, data_start, end })
    }
}

/// Eight bytes of a head, or what was not taken of them: enough for an index, a tag, and a length.
#[derive(Clone, Copy)]
struct Unread {
    /// The next byte is the lowest.
    bytes: u64,
    /// Its position in the head.
    position: usize,
}

impl Unread {
    #[inline(always)]
    fn load(head: &[u8; HEAD_SIZE], position: usize) -> Option<Self> {
        let bytes = u64::from_le_bytes(*head.get(position..)?.first_chunk()?);
        Some(Self { bytes, position })
    }

    /// Returns whether the next bytes are these ones, in the bits of a mask.
    #[inline(always)]
    fn match_masked<const N: usize>(self, bytes: [u8; N], mask: [u8; N]) -> bool {
        let register =
            |bytes: [u8; N]| bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte));
        self.bytes & register(mask) == register(bytes)
    }

    #[inline(always)]
    const fn skip_tag(self) -> Self {
        Self { bytes: self.bytes >> 8, position: self.position + 1 }
    }

    #[inline(always)]
    const fn begins_with(self, byte: u8) -> bool {
        self.bytes.to_le_bytes()[0] == byte
    }

    /// Takes an index of one to three bytes, without a branch on its size.
    #[inline(always)]
    #[expect(clippy::as_conversions, reason = "widened, on 64 bits")]
    const fn index(self) -> Option<(usize, Self)> {
        // The top bit of the last byte, and those of bytes after it.
        let last = !self.bytes & 0x80_8080;
        if last == 0 {
            return None;
        }
        let digits = self.bytes & (last ^ (last - 1));
        let index = digits & 0x7f | digits >> 1 & 0x3f80 | digits >> 2 & 0x1f_c000;
        // 8, 16 or 24.
        let bits = last.trailing_zeros() + 1;
        let rest = Self { bytes: self.bytes >> bits, position: self.position + (bits / 8) as usize };
        Some((index as usize, rest))
    }
}

/// Encodes a tag and a length, which takes `size` bytes, the first byte lowest.
#[inline(always)]
fn length_field(tag: u8, length: usize, size: usize) -> u64 {
    let length = widen(length);
    let varint = match size {
        1 => length,
        2 => (length & 0x3f80) << 1 | 0x80 | length & 0x7f,
        _ => (length & 0x1f_c000) << 2 | (length & 0x3f80) << 1 | 0x8080 | length & 0x7f,
    };
    varint << 8 | u64::from(tag)
}

/// The head of a common record, to be written. It is built from its end.
///
/// There is no `Option` and no early return here: they make the compiler keep it in memory, in parts, and read it back
/// as a whole, for which processors wait.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EncodedHead {
    /// The first byte is the lowest.
    bytes: u128,
    len: usize,
    /// True if the record is not common: something does not fit, or is not part of a head.
    overflowed: bool,
}

impl EncodedHead {
    #[inline(always)]
    pub(super) fn new(
        record: &UserRecord<'_>,
        partition_key_index: u32,
        explicit_hash_key_index: Option<u32>,
    ) -> Self {
        if !FAST_PATHS {
            return Self { overflowed: true, ..Self::default() };
        }
        let data_len = record.data.len();
        let tagged = record.tags.len() != 0;
        let mut head = Self { overflowed: tagged, ..Self::default() }.length_before(data_len, DATA);
        if let Some(index) = explicit_hash_key_index {
            head = head.index_before(index, EXPLICIT_HASH_KEY_INDEX);
        }
        head = head.index_before(partition_key_index, PARTITION_KEY_INDEX);
        let record_len = head.len + data_len;
        head.length_before(record_len, RECORD)
    }

    /// Returns whether the record is common. If not, the rest has no meaning.
    #[inline(always)]
    pub(super) const fn is_common(&self) -> bool {
        !self.overflowed
    }

    #[inline(always)]
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Returns the head, followed by zeros.
    #[inline(always)]
    pub(super) const fn to_bytes(self) -> [u8; HEAD_SIZE] {
        self.bytes.to_le_bytes()
    }

    /// Puts a tag and an index of one to three bytes before the rest, without a branch on its size.
    #[inline(always)]
    #[expect(clippy::as_conversions, reason = "bools become 0 or 1, numbers are widened")]
    const fn index_before(self, index: u32, tag: u8) -> Self {
        // 0, 8 or 16 bits: all bytes but the last one are marked.
        let marked = 8 * (index >= 1 << 7) as u32 + 8 * (index >= 1 << 14) as u32;
        let marks = 0x8080 & ((1 << marked) - 1);
        let digits = index & 0x7f | (index & 0x3f80) << 1 | (index & 0x1f_c000) << 2;
        let field = (digits | marks) << 8 | tag as u32;
        Self {
            bytes: self.bytes << (16 + marked) | field as u128,
            len: self.len + 2 + (marked / 8) as usize,
            overflowed: self.overflowed | (index >= 1 << 21),
        }
    }

    /// Puts a tag and a length of one to three bytes before the rest.
    #[inline(always)]
    fn length_before(self, length: usize, tag: u8) -> Self {
        let before = |size| Self {
            bytes: self.bytes << (8 + 8 * size) | u128::from(length_field(tag, length, size)),
            len: self.len + 1 + size,
            overflowed: self.overflowed | (widen(length) >= 1 << 21),
        };
        if length < 1 << 7 {
            before(1)
        } else if length < 1 << 14 {
            before(2)
        } else {
            before(3)
        }
    }
}

#[cfg(test)]
#[cfg(target_pointer_width = "64")]
mod tests {
    use super::*;
    use crate::message::record::{IndexedRecord, RawRecord};
    use crate::message::{RecordTag, UserRecord};
    use crate::wire::{Reader, Value, Writer};
    use alloc::vec;

    /// Both sides of every size at which an index or a length gets longer.
    const INDEXES: [u32; 10] = [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 0x1f_ffff, 0x20_0000, 0xfff_ffff, u32::MAX];
    const LENGTHS: [usize; 10] = [0, 1, 2, 120, 121, 128, 16_370, 16_378, 16_384, 20_000];
    /// With fewer indexes, as they take their time.
    const LARGE_LENGTHS: [usize; 3] = [0x1f_fff0, 0x1f_fff8, 0x1f_ffff];

    fn read_general(bytes: &[u8]) -> Option<(RawRecord<'_>, usize)> {
        let mut fields = Reader::new(bytes, 4);
        let field = fields.field().unwrap()?;
        let Value::LengthDelimited(message) = field.value else { return None };
        Some((RawRecord::parse(message, field.offset, true).ok()?, fields.offset() - 4))
    }

    /// Asserts that a record is read as the general code reads it. Returns whether it is common.
    fn check_read(bytes: &[u8], name: &dyn core::fmt::Debug) -> bool {
        let Some(head) = RecordHead::read(bytes) else { return false };
        if head.end > bytes.len() {
            return false;
        }
        let (record, end) = read_general(bytes).unwrap();
        assert_eq!((head.end, &bytes[head.data_start..head.end]), (end, record.data), "{name:?}");
        assert_eq!(head.partition_key_index, record.partition_key_index, "{name:?}");
        assert_eq!(head.explicit_hash_key_index, record.explicit_hash_key_index, "{name:?}");
        assert_eq!(record.tags.len(), 0, "{name:?}");
        true
    }

    #[test]
    fn writes_and_reads_like_the_general_code() {
        let mut common = 0;
        let tags = [RecordTag { key: "k", value: None }];
        for length in LENGTHS.into_iter().chain(LARGE_LENGTHS) {
            let indexes = if length < 100_000 { &INDEXES[..] } else { &INDEXES[..1] };
            for &partition_key_index in indexes {
                for explicit_hash_key_index in indexes.iter().copied().map(Some).chain([None]) {
                    for tags in [&[][..], &tags] {
                        let name = (length, partition_key_index, explicit_hash_key_index, tags.len());
                        let data = vec![0x1a; length];
                        let record = UserRecord::new("", &data).with_tags(tags);
                        let indexed =
                            IndexedRecord::new(&record, partition_key_index, explicit_hash_key_index);

                        let mut general = vec![0; indexed.field_len + HEAD_SIZE];
                        let end = indexed.write_general(&mut general, 0).unwrap();
                        assert_eq!(end, indexed.field_len, "{name:?}");
                        let mut buffer = vec![0; indexed.field_len + HEAD_SIZE];
                        let mut writer = Writer::new(&mut buffer, 0);
                        indexed.write(&mut writer).unwrap();
                        assert_eq!(writer.position(), end, "{name:?}");
                        assert!(buffer == general, "{name:?}");

                        let head = EncodedHead::new(&record, partition_key_index, explicit_hash_key_index);
                        let fits = partition_key_index < 1 << 21
                            && explicit_hash_key_index.is_none_or(|index| index < 1 << 21)
                            && head.len() - 4 + length < 1 << 21;
                        assert_eq!(head.is_common(), fits && tags.is_empty(), "{name:?}");
                        assert_eq!(check_read(&buffer, &name), head.is_common(), "{name:?}");
                        common += usize::from(head.is_common());
                    }
                }
            }
        }
        assert!(common > 500, "{common}");
    }

    #[test]
    fn what_is_common() {
        let cases: &[(&str, &[u8], bool)] = &[
            ("index and data", b"\x1a\x08\x08\x00\x1a\x04abcd", true),
            ("no data", b"\x1a\x04\x08\x00\x1a\x00", true),
            ("both indexes", b"\x1a\x08\x08\x01\x10\x02\x1a\x02ab", true),
            ("indexes of three bytes", b"\x1a\x0a\x08\x81\x80\x00\x10\x81\x80\x00\x1a\x00", true),
            ("an index of four bytes", b"\x1a\x09\x08\x81\x80\x80\x00\x1a\x02ab", false),
            ("an over-long record length", b"\x1a\x88\x00\x08\x00\x1a\x04abcd", true),
            ("an over-long data length", b"\x1a\x08\x08\x00\x1a\x83\x00abc", false),
            ("a record length of three bytes", b"\x1a\x88\x80\x00\x08\x00\x1a\x04abcd", true),
            ("a record length of four bytes", b"\x1a\x88\x80\x80\x00\x08\x00\x1a\x04abcd", false),
            ("a data length of three", b"\x1a\x08\x08\x00\x1a\x82\x80\x00ab", false),
            ("a field after the data", b"\x1a\x0a\x08\x00\x1a\x02ab\x48\x00\x48\x00", false),
            ("data first", b"\x1a\x08\x1a\x04abcd\x08\x00", false),
            ("explicit hash key first", b"\x1a\x08\x10\x02\x08\x01\x1a\x02ab", false),
            ("data past the record", b"\x1a\x05\x08\x00\x1a\x02abcd", false),
            ("head past the record", b"\x1a\x02\x08\x00\x1a\x00\x0a\x02aa", false),
            ("index twice", b"\x1a\x08\x08\x00\x08\x01\x1a\x02ab", false),
            ("no index", b"\x1a\x04\x1a\x02ab", false),
            ("another field", b"\x22\x08\x08\x00\x1a\x04abcd", false),
            ("another field in it first", b"\x1a\x08\x48\x00\x1a\x04abcd", false),
        ];
        for &(name, bytes, common) in cases {
            let padded = [bytes, &[0; HEAD_SIZE]].concat();
            assert_eq!(check_read(&padded, &name), common, "{name}");
            assert_eq!(check_read(&padded[..HEAD_SIZE], &name), common, "{name}, in 16 bytes");
            assert!(RecordHead::read(&padded[..HEAD_SIZE - 1]).is_none(), "{name}, in 15 bytes");
        }
    }
}
