//! User records that own what they hold.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::message::{RecordTag, Tags, UserRecord};
use crate::testing::piece::{Piece, varint};
use crate::wire::{Reader, widen};

/// A user record that owns all it holds. It is made from a [`UserRecord`].
///
/// ```
/// use kinesis_aggregation::testing::OwnedUserRecord;
/// use kinesis_aggregation::UserRecord;
/// use kinesis_aggregation::decode::RecordTag;
///
/// let tags = [RecordTag { key: "unit", value: Some("°C") }];
/// let record = UserRecord::new("device-7", b"21.5").with_explicit_hash_key("0").with_tags(&tags);
/// assert_eq!(OwnedUserRecord::from(record).as_user_record(), record);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnedUserRecord {
    /// The partition key.
    pub partition_key: String,
    /// The explicit hash key, where there is one.
    pub explicit_hash_key: Option<String>,
    /// The payload of the user record.
    pub data: Vec<u8>,
    tags: OwnedTags,
}

impl OwnedUserRecord {
    /// Lends what it holds. The sub-sequence number is 0.
    #[must_use]
    pub fn as_user_record(&self) -> UserRecord<'_> {
        let mut record = UserRecord::new(&self.partition_key, &self.data);
        record.explicit_hash_key = self.explicit_hash_key.as_deref();
        record.tags = self.tags.as_tags();
        record
    }

    /// Replaces the tags.
    pub(crate) fn set_tags<'t>(&mut self, tags: impl IntoIterator<Item = RecordTag<'t>>) {
        self.tags = tags.into_iter().collect();
    }
}

impl From<UserRecord<'_>> for OwnedUserRecord {
    fn from(record: UserRecord<'_>) -> Self {
        Self {
            partition_key: record.partition_key.to_owned(),
            explicit_hash_key: record.explicit_hash_key.map(str::to_owned),
            data: record.data.to_vec(),
            tags: record.tags.collect(),
        }
    }
}

/// Tags, as the fields of a record: so they can be lent without another list of what they borrow.
#[derive(Clone, Default, PartialEq, Eq)]
struct OwnedTags {
    fields: Vec<u8>,
    count: usize,
}

impl OwnedTags {
    fn as_tags(&self) -> Tags<'_> {
        Tags::encoded(Reader::new(&self.fields, 0), self.count)
    }
}

impl<'t> FromIterator<RecordTag<'t>> for OwnedTags {
    fn from_iter<I: IntoIterator<Item = RecordTag<'t>>>(tags: I) -> Self {
        // The numbers of the fields are 1 to 15, so a tag takes one byte: the number, and the wire type 2.
        let field =
            |tag: u8, content: &[u8]| Piece::from([tag]).then(varint(widen(content.len()), 0)).then(content);
        let mut owned = Self::default();
        for tag in tags {
            let mut message = field(0x0a, tag.key.as_bytes());
            if let Some(value) = tag.value {
                message = message.then(field(0x12, value.as_bytes()));
            }
            owned.fields.extend(field(0x22, &message.bytes).bytes);
            owned.count = owned.count.saturating_add(1);
        }
        owned
    }
}

impl fmt::Debug for OwnedTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_tags().fmt(f)
    }
}
