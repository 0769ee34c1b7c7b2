//! The head of a common record, which is everything before its data: read and written in a few instructions.
//!
//! ```text
//! 1a length   08 index   [ 10 index ]   1a length   data …
//! record      partition    explicit     data
//!             key          hash key
//! ```
//!
//! A common record is as a producer writes it: these fields in this order, no tags, indexes of one to three bytes, lengths of
//! one or two. Its head has at most 14 bytes, so all of it is in the 16 bytes that are loaded or stored. `record.rs` reads
//! and writes every record; it asks here first. Nothing here decides what is valid: what is not common is left to the
//! general code, and what is common means the same to both.
//!
//! There are branches on lengths, which repeat from record to record, so that a processor predicts where the next record
//! begins. There are none on the sizes of indexes: with more than 128 keys in use, those are random.
//!
//! Where registers have 32 bits, this would cost more flash than it is worth. No record is common there.

/// The bytes that are loaded or stored at once.
pub(crate) const HEAD_SIZE: usize = 16;

#[cfg(target_pointer_width = "64")]
pub(super) use common::{EncodedHead, RecordHead};
#[cfg(not(target_pointer_width = "64"))]
pub(super) use none::{EncodedHead, RecordHead};

#[cfg(target_pointer_width = "64")]
mod common {
    use super::HEAD_SIZE;
    use crate::message::{
        RECORD_DATA, RECORD_EXPLICIT_HASH_KEY_INDEX, RECORD_PARTITION_KEY_INDEX, RECORDS, UserRecord,
    };
    use crate::wire::{length_delimited_tag, varint_tag};

    const RECORD: u8 = length_delimited_tag(RECORDS);
    const PARTITION_KEY_INDEX: u8 = varint_tag(RECORD_PARTITION_KEY_INDEX);
    const EXPLICIT_HASH_KEY_INDEX: u8 = varint_tag(RECORD_EXPLICIT_HASH_KEY_INDEX);
    const DATA: u8 = length_delimited_tag(RECORD_DATA);

    /// The head of a common record, as read.
    pub(in crate::message) struct RecordHead {
        pub(in crate::message) partition_key_index: usize,
        pub(in crate::message) explicit_hash_key_index: Option<usize>,
        /// Where the data begins, counted from the record's tag.
        pub(in crate::message) data_start: usize,
        /// Where the record ends, and with it the data.
        pub(in crate::message) end: usize,
    }

    impl RecordHead {
        /// Reads the head of a common record that begins at the first of these bytes. The data may go beyond them.
        #[inline(always)]
        pub(in crate::message) fn read(bytes: &[u8]) -> Option<Self> {
            let mut head = Unread { bytes: bytes.first_chunk()?, position: 0 };
            let record_len = head.length(RECORD)?;
            let end = head.position + record_len;
            let partition_key_index = head.index(PARTITION_KEY_INDEX)?;
            let explicit_hash_key_index = if head.begins_with(EXPLICIT_HASH_KEY_INDEX) {
                Some(head.index(EXPLICIT_HASH_KEY_INDEX)?)
            } else {
                None
            };
            let data_len = head.length(DATA)?;
            let data_start = head.position;
            (data_start + data_len == end).then_some(Self {
                partition_key_index,
                explicit_hash_key_index,
                data_start,
                end,
            })
        }
    }

    /// The part of a head that is still to be read.
    struct Unread<'b> {
        bytes: &'b [u8; HEAD_SIZE],
        position: usize,
    }

    impl Unread<'_> {
        /// Loads the next four bytes, the first one lowest: a tag and up to three bytes of its value.
        #[inline(always)]
        fn load(&self) -> Option<u32> {
            Some(u32::from_le_bytes(*self.bytes.get(self.position..)?.first_chunk()?))
        }

        #[inline(always)]
        fn begins_with(&self, tag: u8) -> bool {
            self.bytes.get(self.position) == Some(&tag)
        }

        /// Takes a tag and a length of one or two bytes.
        #[inline(always)]
        fn length(&mut self, tag: u8) -> Option<usize> {
            let [found, first, second, _] = self.load()?.to_le_bytes();
            if found != tag {
                return None;
            }
            if first < 0x80 {
                self.position += 2;
                return Some(usize::from(first));
            }
            if second < 0x80 {
                self.position += 3;
                return Some(usize::from(first & 0x7f) | usize::from(second) << 7);
            }
            None
        }

        /// Takes a tag and an index of one to three bytes, without a branch on its size.
        #[inline(always)]
        #[expect(clippy::as_conversions, reason = "widened")]
        fn index(&mut self, tag: u8) -> Option<usize> {
            let field = self.load()?;
            let varint = field >> 8;
            let last = !varint & 0x80_8080;
            if field.to_le_bytes()[0] != tag || last == 0 {
                return None;
            }
            // 8, 16 or 24.
            let bits = last.trailing_zeros() + 1;
            self.position += 1 + (bits / 8) as usize;
            let digits = varint & ((1 << bits) - 1);
            Some((digits & 0x7f | digits >> 1 & 0x3f80 | digits >> 2 & 0x1f_c000) as usize)
        }
    }

    /// The head of a common record, to be written. It is built from its end.
    ///
    /// There is no `Option` and no early return here: they make the compiler keep it in memory, in parts, and read it back
    /// as a whole, for which processors wait.
    #[derive(Clone, Copy, Debug, Default)]
    pub(in crate::message) struct EncodedHead {
        /// The first byte is the lowest.
        bytes: u128,
        len: usize,
        /// Whether the record is not common: something does not fit, or is not part of a head.
        overflowed: bool,
    }

    impl EncodedHead {
        #[inline(always)]
        pub(in crate::message) fn new(
            record: &UserRecord<'_>,
            partition_key_index: u32,
            explicit_hash_key_index: Option<u32>,
        ) -> Self {
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
        pub(in crate::message) const fn is_common(&self) -> bool {
            !self.overflowed
        }

        #[inline(always)]
        pub(in crate::message) const fn len(&self) -> usize {
            self.len
        }

        /// Returns the head, followed by zeros.
        #[inline(always)]
        pub(in crate::message) const fn to_bytes(self) -> [u8; HEAD_SIZE] {
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

        /// Puts a tag and a length of one or two bytes before the rest.
        #[inline(always)]
        #[expect(clippy::as_conversions, reason = "widened")]
        const fn length_before(self, length: usize, tag: u8) -> Self {
            if length < 1 << 7 {
                let field = length << 8 | tag as usize;
                return Self { bytes: self.bytes << 16 | field as u128, len: self.len + 2, ..self };
            }
            let field = ((length & 0x3f80) << 1 | 0x80 | length & 0x7f) << 8 | tag as usize;
            Self {
                bytes: self.bytes << 24 | field as u128,
                len: self.len + 3,
                overflowed: self.overflowed | (length >= 1 << 14),
            }
        }
    }
}

/// Where no record is common.
#[cfg(not(target_pointer_width = "64"))]
mod none {
    use super::HEAD_SIZE;
    use crate::message::UserRecord;

    pub(in crate::message) struct RecordHead {
        pub(in crate::message) partition_key_index: usize,
        pub(in crate::message) explicit_hash_key_index: Option<usize>,
        pub(in crate::message) data_start: usize,
        pub(in crate::message) end: usize,
    }

    impl RecordHead {
        #[inline(always)]
        pub(in crate::message) const fn read(_: &[u8]) -> Option<Self> {
            None
        }
    }

    #[derive(Clone, Copy, Debug)]
    pub(in crate::message) struct EncodedHead;

    impl EncodedHead {
        #[inline(always)]
        pub(in crate::message) const fn new(_: &UserRecord<'_>, _: u32, _: Option<u32>) -> Self {
            Self
        }

        #[inline(always)]
        pub(in crate::message) const fn is_common(&self) -> bool {
            false
        }

        #[inline(always)]
        pub(in crate::message) const fn len(&self) -> usize {
            0
        }

        #[inline(always)]
        pub(in crate::message) const fn to_bytes(self) -> [u8; HEAD_SIZE] {
            [0; HEAD_SIZE]
        }
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;
    use crate::message::record::{IndexedRecord, RawRecord};
    use crate::message::{RecordTag, UserRecord};
    use crate::wire::{Reader, Value, Writer};
    use alloc::vec;
    use alloc::vec::Vec;

    /// Both sides of every size at which an index or a length gets longer.
    const INDEXES: [u32; 10] = [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 0x1f_ffff, 0x20_0000, 0xfff_ffff, u32::MAX];
    const LENGTHS: [usize; 12] = [0, 1, 2, 3, 120, 121, 127, 128, 16_370, 16_378, 16_383, 16_384];

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
        for length in LENGTHS {
            for partition_key_index in INDEXES {
                for explicit_hash_key_index in INDEXES.map(Some).into_iter().chain([None]) {
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
                            && head.len() - 3 + length < 1 << 14;
                        assert_eq!(head.is_common(), fits && tags.is_empty(), "{name:?}");
                        assert_eq!(check_read(&buffer, &name), head.is_common(), "{name:?}");
                        common += usize::from(head.is_common());
                    }
                }
            }
        }
        assert!(common > 500, "{common}");
    }

    /// All varints whose bytes are at a boundary, in each place of a head.
    #[test]
    fn reads_every_varint_like_the_general_code() {
        let bytes = [0, 1, 2, 4, 0x7f, 0x80, 0x81, 0xff];
        let mut varints: Vec<Vec<u8>> = vec![];
        for a in bytes {
            varints.push(vec![a]);
            for b in bytes {
                varints.push(vec![a, b]);
                varints.extend(bytes.map(|c| vec![a, b, c]));
            }
        }
        let mut common = 0;
        for varint in &varints {
            for place in 0..4 {
                let value = |number: usize, other: &[u8]| {
                    if number == place { varint.clone() } else { other.to_vec() }
                };
                for data_len in 0..6u8 {
                    let message = [
                        vec![0x08],
                        value(1, &[5]),
                        vec![0x10],
                        value(2, &[6]),
                        vec![0x1a],
                        value(3, &[data_len]),
                        vec![7; data_len.into()],
                    ]
                    .concat();
                    let len = message.len() as u8;
                    let bytes = [vec![0x1a], value(0, &[len]), message, vec![0; 200]].concat();
                    common += usize::from(check_read(&bytes, &bytes));
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
            ("over-long lengths of two bytes", b"\x1a\x88\x00\x08\x00\x1a\x83\x00abc", true),
            ("a record length of three", b"\x1a\x88\x80\x00\x08\x00\x1a\x04abcd", false),
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
            let exactly: Vec<u8> = padded[..HEAD_SIZE].to_vec();
            assert_eq!(check_read(&exactly, &name), common, "{name}, in 16 bytes");
            assert!(RecordHead::read(&padded[..HEAD_SIZE - 1]).is_none(), "{name}, in 15 bytes");
        }
    }
}
