//! The user record: what producers add and consumers get.

use core::fmt;

use crate::error::EncodeError;
use crate::hash_key::{HashKey, HashKeyError};
use crate::message::{RecordTag, Tags};

/// A user record: one of the records in an aggregate, or to be added to one.
///
/// It borrows everything. One that an aggregate yields borrows from the payload only, so it outlives the aggregate and the
/// buffer for its keys.
///
/// ```
/// use kinesis_aggregation::UserRecord;
///
/// let record = UserRecord::new("device-7", b"21.5").with_explicit_hash_key("0");
/// assert_eq!(record.explicit_hash_key, Some("0"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserRecord<'a> {
    /// The partition key. Producers may use 1 to 256 Unicode characters (rule E5); a payload may contain any text.
    pub partition_key: &'a str,
    /// The explicit hash key, if there is one. Producers may use a decimal number below 2^128 without sign and leading
    /// zeros (rule E4); a payload may contain any text (rule D14).
    pub explicit_hash_key: Option<&'a str>,
    /// The payload of the user record.
    pub data: &'a [u8],
    /// The tags. No known producer writes any.
    pub tags: Tags<'a>,
    /// The position in the aggregate it came from, starting at 0 (rule D17). Encoding ignores it. A plain record has 0.
    pub sub_sequence_number: u64,
}

/// Marks user records without a key: the sub-sequence number of no user record, which encoding ignores.
#[cfg(feature = "alloc")]
const WITHOUT_KEY: u64 = u64::MAX;

impl<'a> UserRecord<'a> {
    /// Creates a user record with a partition key and data.
    #[must_use]
    #[inline]
    pub fn new(partition_key: &'a str, data: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self {
            partition_key,
            explicit_hash_key: None,
            data: data.as_ref(),
            tags: Tags::given(&[]),
            sub_sequence_number: 0,
        }
    }

    /// Creates a user record without a key, for [`Producer`](crate::Producer), which chooses its keys when it routes it (rule
    /// P10). Everything else refuses it, as its partition key is empty.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn without_key(data: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { sub_sequence_number: WITHOUT_KEY, ..Self::new("", data) }
    }

    /// True if this is from [`Self::without_key`]. An empty partition key alone is a mistake.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) const fn is_without_key(&self) -> bool {
        self.partition_key.is_empty() && self.sub_sequence_number == WITHOUT_KEY
    }

    /// Sets the explicit hash key: a decimal number below 2^128.
    #[must_use]
    pub const fn with_explicit_hash_key(self, explicit_hash_key: &'a str) -> Self {
        Self { explicit_hash_key: Some(explicit_hash_key), ..self }
    }

    /// Sets the tags.
    #[must_use]
    pub const fn with_tags(self, tags: &'a [RecordTag<'a>]) -> Self {
        Self { tags: Tags::given(tags), ..self }
    }

    /// Checks the partition key (rule E5) and the explicit hash key (rule E4).
    ///
    /// Everything that encodes does this itself; this method is for checking in advance.
    ///
    /// # Errors
    ///
    /// [`EncodeError::PartitionKeyLength`] or [`EncodeError::ExplicitHashKey`].
    #[inline]
    pub fn validate(&self) -> Result<(), EncodeError> {
        self.validate_partition_key()?;
        match self.explicit_hash_key.map(str::parse::<HashKey>) {
            Some(Err(error)) => Err(EncodeError::ExplicitHashKey(error)),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    /// Returns the effective hash key, by which Kinesis would choose the shard (rule R1): the explicit hash key if there is
    /// one, otherwise the hash key of the partition key.
    ///
    /// # Errors
    ///
    /// Returns an error if the explicit hash key is not a decimal number below 2^128, without a sign or leading zeros.
    pub fn hash_key(&self) -> Result<HashKey, HashKeyError> {
        match self.explicit_hash_key {
            Some(explicit) => explicit.parse(),
            None => Ok(HashKey::of_partition_key(self.partition_key)),
        }
    }

    /// Checks the partition key alone (rule E5). One of at most 256 bytes needs no counting of characters.
    #[inline]
    pub(crate) fn validate_partition_key(&self) -> Result<(), EncodeError> {
        match self.partition_key.len() {
            1..=MAX_PARTITION_KEY_CHARACTERS => Ok(()),
            _ => validate_characters(self.partition_key),
        }
    }
}

/// Counts the characters of a partition key that may have too many.
fn validate_characters(partition_key: &str) -> Result<(), EncodeError> {
    // Every byte except the later ones of a character; `chars().count()` is many times as much code.
    let characters = partition_key.bytes().filter(|byte| byte & 0xc0 != 0x80).count();
    match characters {
        1..=MAX_PARTITION_KEY_CHARACTERS => Ok(()),
        _ => Err(EncodeError::PartitionKeyLength { characters }),
    }
}

/// Shows the data as a byte string.
impl fmt::Debug for UserRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserRecord")
            .field("partition_key", &self.partition_key)
            .field("explicit_hash_key", &self.explicit_hash_key)
            .field("data", &format_args!("b\"{}\"", self.data.escape_ascii()))
            .field("tags", &self.tags)
            .field("sub_sequence_number", &self.sub_sequence_number)
            .finish()
    }
}

/// The most Unicode characters a partition key may have.
const MAX_PARTITION_KEY_CHARACTERS: usize = 256;
