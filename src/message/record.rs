//! The `Record` message: read, measured and written with indexes in place of keys.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::message::record_head::{EncodedHead, RecordHead};
use crate::message::{
    RECORD_DATA, RECORD_EXPLICIT_HASH_KEY_INDEX, RECORD_PARTITION_KEY_INDEX, RECORD_TAGS, RECORDS, Tags,
    UserRecord,
};
use crate::wire::{Full, Reader, Value, Writer, length_delimited_len, varint_len};

/// A record as it is read: its indexes are not looked up yet.
///
/// An index that does not fit `usize` is past the end of every table, and so is the largest that fits.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawRecord<'a> {
    pub(super) partition_key_index: usize,
    pub(super) explicit_hash_key_index: Option<usize>,
    pub(super) data: &'a [u8],
    pub(super) tags: Tags<'a>,
}

impl<'a> RawRecord<'a> {
    /// Takes the next field of a body if it is a common record. Otherwise takes nothing.
    ///
    /// [`Reader::field`] and [`Self::parse`] would read it with the same result.
    #[inline(always)]
    pub(super) fn take_common(fields: &mut Reader<'a>) -> Option<Self> {
        let RecordHead { partition_key_index, explicit_hash_key_index, data_start, end } =
            RecordHead::read(fields.bytes())?;
        let mut ahead = *fields;
        let data = ahead.take(end)?.bytes().get(data_start..)?;
        *fields = ahead;
        Some(Self { partition_key_index, explicit_hash_key_index, data, tags: Tags::NONE })
    }

    /// Reads any record whose tag is at `offset`. Of repeated fields the last one counts (rule D10), but all are
    /// validated; the tags only if asked for, since that is needed once.
    ///
    /// Inlined where speed counts: the result is too large to be returned in registers.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn parse(
        message: Reader<'a>,
        offset: usize,
        validate_tags: bool,
    ) -> Result<Self, DecodeError> {
        let index = |value: u64| Some(usize::try_from(value).unwrap_or(usize::MAX));
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
                (RECORD_PARTITION_KEY_INDEX, Value::Varint { value, .. }) => {
                    partition_key_index = index(value);
                }
                (RECORD_EXPLICIT_HASH_KEY_INDEX, Value::Varint { value, .. }) => {
                    explicit_hash_key_index = index(value);
                }
                (RECORD_DATA, Value::LengthDelimited(bytes)) => data = Some(bytes.bytes()),
                (RECORD_TAGS, Value::LengthDelimited(tag)) => {
                    if validate_tags {
                        Tags::validate(tag, field.offset)?;
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

    /// Finds the value of an index in a record that has one: the last one counts.
    #[cold]
    pub(super) fn offset_of_index(mut message: Reader<'a>, number: u32) -> usize {
        let mut last = message.offset();
        while let Ok(Some(field)) = message.field() {
            match field.value {
                Value::Varint { offset, .. } if field.number == number => last = offset,
                _ => {}
            }
        }
        last
    }

    /// Looks up the keys. `keys` are both tables, the first `partition_keys` of them partition keys.
    #[inline(always)]
    pub(super) fn resolve(
        self,
        keys: &[&'a str],
        partition_keys: usize,
        sub_sequence_number: u64,
    ) -> Option<UserRecord<'a>> {
        Some(UserRecord {
            partition_key: keys.get(self.partition_key_index).copied()?,
            explicit_hash_key: match self.explicit_hash_key_index {
                Some(index) => Some(keys.get(partition_keys + index).copied()?),
                None => None,
            },
            data: self.data,
            tags: self.tags,
            sub_sequence_number,
        })
    }
}

/// A record to be written: a user record and the indexes of its keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexedRecord<'r> {
    pub(crate) record: &'r UserRecord<'r>,
    partition_key_index: u32,
    explicit_hash_key_index: Option<u32>,
    /// The bytes of the message with its tag and length.
    pub(crate) field_len: usize,
    head: EncodedHead,
}

impl<'r> IndexedRecord<'r> {
    #[inline(always)]
    pub(crate) fn new(
        record: &'r UserRecord<'r>,
        partition_key_index: u32,
        explicit_hash_key_index: Option<u32>,
    ) -> Self {
        let head = EncodedHead::new(record, partition_key_index, explicit_hash_key_index);
        let field_len = if head.is_common() {
            head.len() + record.data.len()
        } else {
            length_delimited_len(message_len(record, partition_key_index, explicit_hash_key_index))
        };
        Self { record, partition_key_index, explicit_hash_key_index, field_len, head }
    }

    /// Writes the message with its tag and length. There has to be space for [`HEAD_SIZE`](super::HEAD_SIZE) bytes more.
    #[inline(always)]
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        if self.head.is_common() {
            writer.chunk(self.head.to_bytes(), self.head.len())?;
            writer.short_bytes(self.record.data)
        } else {
            writer.write_with(|buffer, position| self.write_general(buffer, position))
        }
    }

    /// Writes any record: fields ascending, varints as short as they can be. Returns the position after it.
    #[inline(always)]
    pub(super) fn write_general(&self, buffer: &mut [u8], position: usize) -> Result<usize, Full> {
        // Values, not `self`: a reference would keep the head of every record in memory.
        write_general(self.record, self.partition_key_index, self.explicit_hash_key_index, buffer, position)
    }
}

#[cfg_attr(target_pointer_width = "64", inline(never))]
fn write_general(
    record: &UserRecord<'_>,
    partition_key_index: u32,
    explicit_hash_key_index: Option<u32>,
    buffer: &mut [u8],
    position: usize,
) -> Result<usize, Full> {
    let mut writer = Writer::new(buffer, position);
    writer.length_prefix(RECORDS, message_len(record, partition_key_index, explicit_hash_key_index))?;
    writer.varint_field(RECORD_PARTITION_KEY_INDEX, u64::from(partition_key_index))?;
    if let Some(index) = explicit_hash_key_index {
        writer.varint_field(RECORD_EXPLICIT_HASH_KEY_INDEX, u64::from(index))?;
    }
    writer.bytes_field(RECORD_DATA, record.data)?;
    record.tags.write(&mut writer)?;
    Ok(writer.position())
}

/// Counts the bytes of the message alone. On 32-bit targets it is smaller inlined: what a program does not use is left out.
#[cfg_attr(target_pointer_width = "64", inline(never))]
#[cfg_attr(not(target_pointer_width = "64"), inline(always))]
fn message_len(
    record: &UserRecord<'_>,
    partition_key_index: u32,
    explicit_hash_key_index: Option<u32>,
) -> usize {
    let index_len = |index: u32| 1 + varint_len(u64::from(index));
    let indexes = index_len(partition_key_index) + explicit_hash_key_index.map_or(0, index_len);
    // Several tags may borrow the same bytes, so their sum may exceed the memory there is.
    indexes.saturating_add(length_delimited_len(record.data.len())).saturating_add(record.tags.encoded_len())
}
