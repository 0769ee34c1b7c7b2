//! The `Record` message as it stands on the wire: with indexes in place of keys.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::message::{
    RECORD_DATA, RECORD_EXPLICIT_HASH_KEY_INDEX, RECORD_PARTITION_KEY_INDEX, RECORD_TAGS, Tags, UserRecord,
};
use crate::wire::{Full, Reader, Value, Writer, length_delimited_len, varint};

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
    pub(crate) value: u64,
    pub(crate) offset: usize,
}

impl<'a> RawRecord<'a> {
    /// Reads the fields of a user record whose tag is at `offset`. Of repeated fields the last one counts
    /// (rule D10), but all are checked.
    #[inline(always)]
    pub(crate) fn parse(message: Reader<'a>, offset: usize) -> Result<Self, DecodeError> {
        match Self::parse_usual(message) {
            Some(record) => Ok(record),
            None => Self::parse_any(message, offset),
        }
    }

    /// Reads a user record as producers write it: the indexes, then the data and nothing more.
    ///
    /// [`Self::parse_any`] would read it just the same. Without a loop there is nothing to keep in memory: twice as fast.
    #[inline(always)]
    fn parse_usual(message: Reader<'a>) -> Option<Self> {
        let mut rest = message;
        let partition_key_index = Index::parse_usual(&mut rest, RECORD_PARTITION_KEY_INDEX)?;
        let explicit_hash_key_index = Index::parse_usual(&mut rest, RECORD_EXPLICIT_HASH_KEY_INDEX);
        let data = rest.short_length_delimited(RECORD_DATA)?;
        rest.is_empty().then_some(Self {
            partition_key_index,
            explicit_hash_key_index,
            data: data.bytes(),
            tags: Tags::NONE,
        })
    }

    /// Reads any user record.
    #[inline(never)]
    fn parse_any(message: Reader<'a>, offset: usize) -> Result<Self, DecodeError> {
        let mut partition_key_index = None;
        let mut explicit_hash_key_index = None;
        let mut data = None;
        let mut tags = 0usize;
        let mut fields = message;
        while let Some(field) = fields.field()? {
            match (field.number, field.value) {
                (RECORD_PARTITION_KEY_INDEX, Value::Varint { value, offset }) => {
                    partition_key_index = Some(Index { value, offset });
                }
                (RECORD_EXPLICIT_HASH_KEY_INDEX, Value::Varint { value, offset }) => {
                    explicit_hash_key_index = Some(Index { value, offset });
                }
                (RECORD_DATA, Value::LengthDelimited(bytes)) => data = Some(bytes.bytes()),
                (RECORD_TAGS, Value::LengthDelimited(tag)) => {
                    Tags::check(tag, field.offset)?;
                    tags = tags.saturating_add(1);
                }
                _ => {}
            }
        }
        let partition_key_index =
            partition_key_index.ok_or(DecodeErrorKind::MissingPartitionKeyIndex.at(offset))?;
        let data = data.ok_or(DecodeErrorKind::MissingData.at(offset))?;
        let tags = if tags == 0 { Tags::NONE } else { Tags::encoded(message, tags) };
        Ok(Self { partition_key_index, explicit_hash_key_index, data, tags })
    }
}

impl Index {
    /// Takes field `number` if it is next and has a short number in it.
    #[inline(always)]
    fn parse_usual(fields: &mut Reader<'_>, number: u32) -> Option<Self> {
        let (value, offset) = fields.short_number(number)?;
        Some(Self { value: u64::from(value), offset })
    }
}

/// A user record that is to be written: its keys, and their places in the tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexedRecord<'r> {
    pub(crate) partition_key_index: u32,
    pub(crate) explicit_hash_key_index: Option<u32>,
    pub(crate) record: UserRecord<'r>,
}

impl IndexedRecord<'_> {
    /// The bytes of the message with its tag and length.
    pub(crate) fn field_len(&self) -> usize {
        length_delimited_len(self.message_len())
    }

    fn message_len(&self) -> usize {
        let index_len = |index: u32| 1usize.saturating_add(varint::encoded_len(u64::from(index)));
        index_len(self.partition_key_index)
            .saturating_add(self.explicit_hash_key_index.map_or(0, index_len))
            .saturating_add(length_delimited_len(self.record.data.len()))
            .saturating_add(self.record.tags.encoded_len())
    }

    /// Writes the message with its tag and length, fields ascending.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.length_prefix(super::RECORDS, self.message_len())?;
        writer.varint_field(RECORD_PARTITION_KEY_INDEX, u64::from(self.partition_key_index))?;
        if let Some(index) = self.explicit_hash_key_index {
            writer.varint_field(RECORD_EXPLICIT_HASH_KEY_INDEX, u64::from(index))?;
        }
        writer.bytes_field(RECORD_DATA, self.record.data)?;
        self.record.tags.write(writer)
    }
}
