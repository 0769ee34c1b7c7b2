//! The `Record` message as it stands on the wire: with indexes in place of keys.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::message::{
    RECORD_DATA, RECORD_EXPLICIT_HASH_KEY_INDEX, RECORD_PARTITION_KEY_INDEX, RECORD_TAGS, RECORDS, Tags,
    UserRecord,
};
use crate::wire::{
    FAST_PATHS, Full, Head, Reader, Value, Window, Writer, length_delimited_len, length_delimited_tag,
    varint, varint_tag, widen,
};

/// The tags of what is usual in a record, and of the record itself.
const PARTITION_KEY_INDEX: u8 = varint_tag(RECORD_PARTITION_KEY_INDEX);
const EXPLICIT_HASH_KEY_INDEX: u8 = varint_tag(RECORD_EXPLICIT_HASH_KEY_INDEX);
const DATA: u8 = length_delimited_tag(RECORD_DATA);
const RECORD_FIELD: u8 = length_delimited_tag(RECORDS);

/// A user record that is read, its indexes not yet resolved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawRecord<'a> {
    pub(crate) partition_key_index: Index,
    pub(crate) explicit_hash_key_index: Option<Index>,
    pub(crate) data: &'a [u8],
    pub(crate) tags: Tags<'a>,
}

/// An index into a key table, and where it stands in the payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Index {
    /// One that does not fit `usize` is past the end of every table, and so is the largest that fits.
    pub(crate) value: usize,
    pub(crate) offset: usize,
}

impl<'a> RawRecord<'a> {
    /// Takes the next field if it is a user record as producers write it: the indexes, then the data and nothing more,
    /// each length and index of one to three bytes. Otherwise takes nothing.
    ///
    /// [`Reader::field`] and [`Self::parse`] would read it just the same. Here, where the next record begins is known as
    /// soon as the length is there, and nothing is looked at twice.
    #[inline(always)]
    pub(crate) fn take_usual(fields: &mut Reader<'a>) -> Option<Self> {
        if !FAST_PATHS {
            return None;
        }
        match ShortHead::peek(fields) {
            // What this does not take, the other would not take either.
            Some(head) => head.take(fields),
            None => Self::take_medium(fields),
        }
    }

    /// Takes the next field if it is a usual user record whose head, after the length, is within eight bytes.
    #[inline]
    fn take_medium(fields: &mut Reader<'a>) -> Option<Self> {
        let mut ahead = *fields;
        if ahead.byte()? != RECORD_FIELD {
            return None;
        }
        let len = usize::try_from(ahead.short_varint()?).ok()?;
        // The window may show what follows the record. Its head ends where the data begins, and they together where
        // the record does, so nothing of that is taken for the record's.
        let mut head = Window::peek(&ahead)?;
        let message = ahead.take(len)?;
        if !head.begins_with(PARTITION_KEY_INDEX) {
            return None;
        }
        let partition_key_index = Index::new(head.tagged_varint()?, message.offset().wrapping_add(1));
        let explicit_hash_key_index = if head.begins_with(EXPLICIT_HASH_KEY_INDEX) {
            let offset = message.offset().wrapping_add(head.taken()?).wrapping_add(1);
            Some(Index::new(head.tagged_varint()?, offset))
        } else {
            None
        };
        if !head.begins_with(DATA) {
            return None;
        }
        let data_len = head.tagged_varint()?;
        let data = message.bytes().get(head.taken()?..)?;
        if widen(data.len()) != data_len {
            return None;
        }
        *fields = ahead;
        Some(Self { partition_key_index, explicit_hash_key_index, data, tags: Tags::NONE })
    }

    /// Reads the fields of a user record whose tag is at `offset`. Of repeated fields the last one counts
    /// (rule D10), but all are checked, unless the tags were.
    ///
    /// Inlined where speed counts: the result is too large to be returned in registers.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn parse(
        message: Reader<'a>,
        offset: usize,
        tags_to_check: bool,
    ) -> Result<Self, DecodeError> {
        let mut partition_key_index = None;
        let mut explicit_hash_key_index = None;
        let mut data = None;
        let mut first_tag = None;
        let mut tags = 0usize;
        let mut fields = message;
        loop {
            let before = fields;
            let Some(field) = fields.field()? else { break };
            match (field.number, field.value) {
                (RECORD_PARTITION_KEY_INDEX, Value::Varint { value, offset }) => {
                    partition_key_index = Some(Index::new(value, offset));
                }
                (RECORD_EXPLICIT_HASH_KEY_INDEX, Value::Varint { value, offset }) => {
                    explicit_hash_key_index = Some(Index::new(value, offset));
                }
                (RECORD_DATA, Value::LengthDelimited(bytes)) => data = Some(bytes.bytes()),
                (RECORD_TAGS, Value::LengthDelimited(tag)) => {
                    if tags_to_check {
                        Tags::check(tag, field.offset)?;
                    }
                    first_tag = first_tag.or(Some(before));
                    tags += 1;
                }
                _ => {}
            }
        }
        let partition_key_index =
            partition_key_index.ok_or(DecodeErrorKind::MissingPartitionKeyIndex.at(offset))?;
        let data = data.ok_or(DecodeErrorKind::MissingData.at(offset))?;
        let tags = first_tag.map_or(Tags::NONE, |fields| Tags::encoded(fields, tags));
        Ok(Self { partition_key_index, explicit_hash_key_index, data, tags })
    }

    /// Looks up its keys; `keys` are both tables, `partition_keys` of them from the first.
    #[inline(always)]
    pub(crate) fn resolve(
        self,
        keys: &[&'a str],
        partition_keys: usize,
        sub_sequence_number: u64,
    ) -> Option<UserRecord<'a>> {
        let key = |index: usize, from: usize| keys.get(from.checked_add(index)?).copied();
        Some(UserRecord {
            partition_key: key(self.partition_key_index.value, 0)?,
            explicit_hash_key: match self.explicit_hash_key_index {
                Some(index) => Some(key(index.value, partition_keys)?),
                None => None,
            },
            data: self.data,
            tags: self.tags,
            sub_sequence_number,
        })
    }
}

/// What stands before the data of a user record of less than 128 bytes, without explicit hash key.
///
/// It is all in one register then, at places that are known but for the length of the index, on which there is no branch: a
/// tenth of the work of reading byte by byte.
struct ShortHead {
    index: u64,
    /// Where the data begins, counted from the tag of the record.
    data_start: u64,
    /// Where the data ends.
    data_end: u64,
    /// Where the record ends.
    end: u64,
}

impl ShortHead {
    #[inline(always)]
    fn peek(fields: &Reader<'_>) -> Option<Self> {
        let mut head = Window::peek(fields)?;
        // The tag of the record, a length of one byte, and the tag of the index.
        if !head.matches(&[RECORD_FIELD, 0, PARTITION_KEY_INDEX], &[0xff, 0x80, 0xff]) {
            return None;
        }
        let end = head.nth_byte(1).wrapping_add(2);
        head.skip(2);
        let index = head.tagged_varint()?;
        // The tag of the data, and a length of one byte: at most eight bytes up to here.
        if !head.matches(&[DATA, 0], &[0xff, 0x80]) {
            return None;
        }
        let data_len = head.nth_byte(1);
        head.skip(2);
        let data_start = u64::from(head.bytes_taken());
        Some(Self { index, data_start, data_end: data_start.wrapping_add(data_len), end })
    }

    /// Takes the user record, if there is nothing after its data, and all of it is there.
    #[inline(always)]
    fn take<'a>(&self, fields: &mut Reader<'a>) -> Option<RawRecord<'a>> {
        if self.data_end != self.end {
            return None;
        }
        let offset = fields.offset().wrapping_add(3);
        let record = fields.take(usize::try_from(self.end).ok()?)?;
        let data = record.bytes().get(usize::try_from(self.data_start).ok()?..)?;
        Some(RawRecord {
            partition_key_index: Index::new(self.index, offset),
            explicit_hash_key_index: None,
            data,
            tags: Tags::NONE,
        })
    }
}

impl Index {
    #[inline(always)]
    fn new(value: u64, offset: usize) -> Self {
        Self { value: usize::try_from(value).unwrap_or(usize::MAX), offset }
    }

    /// The length of the shortest table that it lies in.
    #[inline(always)]
    pub(crate) const fn needs(self) -> usize {
        self.value.saturating_add(1)
    }
}

/// A user record as most are: without tags, with indexes and lengths of three bytes at most, so that all before its data
/// is put together in a register.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UsualRecord<'r> {
    head: Head,
    data: &'r [u8],
}

impl<'r> UsualRecord<'r> {
    #[inline(always)]
    pub(crate) fn new(
        record: &UserRecord<'r>,
        partition_key_index: u32,
        explicit_hash_key_index: Option<u32>,
    ) -> Option<Self> {
        let head = usual_head(record, partition_key_index, explicit_hash_key_index);
        let usual = FAST_PATHS && head.is_whole() && record.tags.len() == 0;
        usual.then_some(Self { head, data: record.data })
    }

    /// The bytes of the message with its tag and length.
    #[inline(always)]
    pub(crate) const fn field_len(&self) -> usize {
        self.head.len() + self.data.len()
    }

    #[inline(always)]
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.head(self.head)?;
        writer.short_bytes(self.data)
    }
}

/// A user record that is to be written: its keys, and their places in the tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexedRecord<'r> {
    partition_key_index: u32,
    explicit_hash_key_index: Option<u32>,
    pub(crate) record: &'r UserRecord<'r>,
    /// The bytes of the message with its tag and length.
    pub(crate) field_len: usize,
    /// The same as most are, if it is.
    usual: Option<UsualRecord<'r>>,
}

impl<'r> IndexedRecord<'r> {
    #[inline]
    pub(crate) fn new(
        record: &'r UserRecord<'r>,
        partition_key_index: u32,
        explicit_hash_key_index: Option<u32>,
    ) -> Self {
        let usual = UsualRecord::new(record, partition_key_index, explicit_hash_key_index);
        let field_len = match &usual {
            Some(usual) => usual.field_len(),
            None => length_delimited_len(message_len(record, partition_key_index, explicit_hash_key_index)),
        };
        Self { partition_key_index, explicit_hash_key_index, record, field_len, usual }
    }

    /// Writes the message with its tag and length, fields ascending.
    #[inline]
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        match &self.usual {
            Some(usual) => usual.write(writer),
            None => self.write_any(writer),
        }
    }

    /// By value: a reference would keep every record in memory for the sake of the unusual ones.
    fn write_any(self, writer: &mut Writer<'_>) -> Result<(), Full> {
        let len = message_len(self.record, self.partition_key_index, self.explicit_hash_key_index);
        writer.length_prefix(RECORDS, len)?;
        writer.varint_field(RECORD_PARTITION_KEY_INDEX, u64::from(self.partition_key_index))?;
        if let Some(index) = self.explicit_hash_key_index {
            writer.varint_field(RECORD_EXPLICIT_HASH_KEY_INDEX, u64::from(index))?;
        }
        writer.bytes_field(RECORD_DATA, self.record.data)?;
        self.record.tags.write(writer)
    }
}

/// The bytes of the message alone.
fn message_len(
    record: &UserRecord<'_>,
    partition_key_index: u32,
    explicit_hash_key_index: Option<u32>,
) -> usize {
    let index_len = |index: u32| 1 + varint::encoded_len(u64::from(index));
    let indexes = index_len(partition_key_index) + explicit_hash_key_index.map_or(0, index_len);
    // Several tags may borrow the same bytes: their sum need not fit memory.
    indexes.saturating_add(length_delimited_len(record.data.len())).saturating_add(record.tags.encoded_len())
}

/// What stands before the data of a record whose indexes and lengths take three bytes at most: as
/// [`IndexedRecord::write_any`] would write it byte by byte.
#[inline(always)]
fn usual_head(
    record: &UserRecord<'_>,
    partition_key_index: u32,
    explicit_hash_key_index: Option<u32>,
) -> Head {
    if !FAST_PATHS {
        return Head::default();
    }
    // What does not fit is too large for a head as well.
    let number = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
    let data_len = record.data.len();
    let mut head = Head::default().put_length_before(number(data_len), DATA);
    if let Some(index) = explicit_hash_key_index {
        head = head.put_before(index, EXPLICIT_HASH_KEY_INDEX);
    }
    head = head.put_before(partition_key_index, PARTITION_KEY_INDEX);
    head.put_length_before(number(data_len.saturating_add(head.len())), RECORD_FIELD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    /// What is read, the tags left out: the usual way knows none.
    fn shown(record: &RawRecord<'_>) -> alloc::string::String {
        format!("{:?}, {:?}, {:?}", record.partition_key_index, record.explicit_hash_key_index, record.data)
    }

    #[test]
    fn usual_records_are_taken_short_ways_and_like_any_other() {
        let long = [&b"\x1a\x86\x01\x08\x00\x1a\x81\x01"[..], &[7; 129]].concat();
        let longest_short = [&b"\x1a\x7f\x08\x00\x1a\x7b"[..], &[7; 123]].concat();
        let shortest_medium = [&b"\x1a\x80\x01\x08\x00\x1a\x7c"[..], &[7; 124]].concat();
        // Fields of a body, whether the first of them is taken as a short one, and whether as a medium one.
        let cases: &[(&str, &[u8], bool, bool)] = &[
            ("index and data", b"\x1a\x08\x08\x00\x1a\x04abcd", true, true),
            ("no data, and eight bytes of the payload", b"\x1a\x04\x08\x00\x1a\x00\x0a\x02aa", true, true),
            ("eight bytes with the length", b"\x1a\x06\x08\x00\x1a\x02ab", true, false),
            ("seven", b"\x1a\x05\x08\x00\x1a\x01a", false, false),
            ("an index of two bytes", b"\x1a\x06\x08\xff\x7f\x1a\x01a\x0a\x00", true, true),
            ("an index of three bytes", b"\x1a\x07\x08\xff\xff\x7f\x1a\x01a", true, false),
            ("an index of four bytes", b"\x1a\x09\x08\x81\x80\x80\x00\x1a\x02ab", false, false),
            ("both indexes", b"\x1a\x08\x08\x01\x10\x02\x1a\x02ab", false, true),
            (
                "indexes of three bytes and one",
                b"\x1a\x0a\x08\x81\x80\x00\x10\x00\x1a\x00\x0a\x00",
                false,
                false,
            ),
            ("a head of eight bytes", b"\x1a\x09\x08\x81\x00\x10\x82\x00\x1a\x01a", false, true),
            ("a head of nine", b"\x1a\x0a\x08\x81\x00\x10\x82\x80\x00\x1a\x01a", false, false),
            ("127 bytes", &longest_short, true, true),
            ("128 bytes", &shortest_medium, false, true),
            ("data of 129 bytes", &long, false, true),
            ("over-long length of the record", b"\x1a\x88\x80\x00\x08\x00\x1a\x04abcd", false, true),
            ("and of four bytes", b"\x1a\x88\x80\x80\x00\x08\x00\x1a\x04abcd", false, false),
            ("over-long length of the data", b"\x1a\x07\x08\x00\x1a\x82\x00ab", false, false),
            ("and eight bytes", b"\x1a\x08\x08\x00\x1a\x83\x00abc", false, true),
            ("a field after the data", b"\x1a\x0a\x08\x00\x1a\x02ab\x48\x00\x48\x00", false, false),
            ("data first", b"\x1a\x08\x1a\x04abcd\x08\x00", false, false),
            ("data past the record", b"\x1a\x05\x08\x00\x1a\x02abcd", false, false),
            ("head past the record", b"\x1a\x02\x08\x00\x1a\x00\x0a\x02aa", false, false),
            ("record past the payload", b"\x1a\x09\x08\x00\x1a\x05abcd", false, false),
            ("index twice", b"\x1a\x08\x08\x00\x08\x01\x1a\x02ab", false, false),
            ("another field", b"\x22\x08\x08\x00\x1a\x04abcd", false, false),
            ("another field in it first", b"\x1a\x08\x48\x00\x1a\x04abcd", false, false),
        ];
        for &(name, bytes, short, medium) in cases {
            type Take<'a> = fn(&mut Reader<'a>) -> Option<RawRecord<'a>>;
            let ways: [(Take<'_>, bool); 2] =
                [(|fields| ShortHead::peek(fields)?.take(fields), short), (RawRecord::take_medium, medium)];
            for (take, taken) in ways {
                let mut usual = Reader::new(bytes, 4);
                let Some(record) = take(&mut usual) else {
                    assert_eq!((taken, usual.offset()), (false, 4), "{name}: nothing is taken");
                    continue;
                };
                assert!(taken, "{name}");
                let mut any = Reader::new(bytes, 4);
                let field = any.field().unwrap().unwrap();
                let Value::LengthDelimited(message) = field.value else { panic!("{name}") };
                let expected = RawRecord::parse(message, field.offset, true).unwrap();
                assert_eq!((shown(&record), usual.offset()), (shown(&expected), any.offset()), "{name}");
            }
            let usual = RawRecord::take_usual(&mut Reader::new(bytes, 4));
            assert_eq!(usual.is_some(), FAST_PATHS && (short || medium), "{name}");
        }
    }
}
