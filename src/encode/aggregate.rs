//! Finished aggregates.

use core::fmt;

use crate::hash_key::HashKey;
use crate::wire::length_delimited_len;
#[cfg(feature = "alloc")]
use crate::{
    frame::{DIGEST_SIZE, MAGIC},
    md5::{Md5, digest_each},
};
#[cfg(feature = "alloc")]
use alloc::{string::String, vec::Vec};

/// A finished aggregate: the data of one Kinesis record, and the keys to put it with.
#[cfg(feature = "alloc")]
#[derive(Clone, PartialEq, Eq)]
#[must_use = "user records are lost unless their aggregate is sent"]
pub struct Aggregate {
    /// The data to put: magic, body and digest.
    pub data: Vec<u8>,
    /// The partition key to put it with: that of the first user record (rule E8).
    pub partition_key: String,
    /// The explicit hash key to put it with, if any: that of the first user record (rule E8).
    pub explicit_hash_key: Option<HashKey>,
    /// The number of user records, at least one.
    pub user_records: usize,
}

/// A finished aggregate in the buffer of an [`Encoder`](crate::Encoder).
#[derive(Clone, Copy, PartialEq, Eq)]
#[must_use = "user records are lost unless their aggregate is sent"]
pub struct AggregateRef<'b> {
    /// The data to put: magic, body and digest.
    pub data: &'b [u8],
    /// Not a `str`: making one takes 650 bytes of flash, which firmware that knows its key can do without.
    pub(crate) partition_key: &'b [u8],
    /// The explicit hash key to put it with, if any: that of the first user record (rule E8).
    pub explicit_hash_key: Option<HashKey>,
    /// The number of user records, at least one.
    pub user_records: usize,
}

#[cfg(feature = "alloc")]
impl Aggregate {
    /// Returns the number of bytes that Kinesis counts: the data and the partition key (rule E6).
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.data.len() + self.partition_key.len()
    }

    /// Fills in the digest, for which the last 16 bytes of the data are reserved.
    pub(crate) fn write_digest(&mut self) {
        if let Some((body, digest)) = split_digest(&mut self.data) {
            *digest = Md5::digest(body);
        }
    }
}

/// Fills in the digests of many aggregates, which takes a fraction of the time that [`Aggregate::write_digest`] takes for
/// each.
#[cfg(feature = "alloc")]
pub(crate) fn write_digests<'a>(aggregates: impl Iterator<Item = &'a mut Aggregate>) {
    let (bodies, mut digests): (Vec<&[u8]>, Vec<&mut [u8; DIGEST_SIZE]>) = aggregates
        .filter_map(|aggregate| {
            let (body, digest) = split_digest(&mut aggregate.data)?;
            Some((&*body, digest))
        })
        .unzip();
    digest_each(bodies.into_iter().enumerate(), |number, digest| {
        if let Some(own) = digests.get_mut(number) {
            **own = digest;
        }
    });
}

/// Splits the data of an aggregate into what is digested and the digest.
#[cfg(feature = "alloc")]
fn split_digest(data: &mut [u8]) -> Option<(&mut [u8], &mut [u8; DIGEST_SIZE])> {
    data.get_mut(MAGIC.len()..)?.split_last_chunk_mut()
}

impl<'b> AggregateRef<'b> {
    /// Returns the partition key to put it with: that of the first user record (rule E8).
    #[must_use]
    pub fn partition_key(&self) -> &'b str {
        text(self.partition_key)
    }

    /// Returns the number of bytes that Kinesis counts: the data and the partition key (rule E6).
    #[must_use]
    pub const fn size_bytes(&self) -> usize {
        self.data.len() + self.partition_key.len()
    }

    /// Copies the aggregate out of the buffer, which can then be used again.
    #[cfg(feature = "alloc")]
    pub fn to_owned(&self) -> Aggregate {
        Aggregate {
            data: self.data.into(),
            partition_key: self.partition_key().into(),
            explicit_hash_key: self.explicit_hash_key,
            user_records: self.user_records,
        }
    }
}

#[cfg(feature = "alloc")]
impl From<AggregateRef<'_>> for Aggregate {
    fn from(aggregate: AggregateRef<'_>) -> Self {
        aggregate.to_owned()
    }
}

/// Returns the first key of an encoded table. It has `len` bytes.
pub(crate) fn first_key(table: &[u8], len: usize) -> &[u8] {
    let start = length_delimited_len(len) - len;
    table.get(start..).and_then(|rest| rest.get(..len)).unwrap_or_default()
}

/// Returns a key as text.
pub(crate) fn text(key: &[u8]) -> &str {
    let text = core::str::from_utf8(key);
    debug_assert!(text.is_ok(), "keys are written as they are");
    text.unwrap_or_default()
}

#[cfg(feature = "alloc")]
impl fmt::Debug for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { data, partition_key, explicit_hash_key, user_records } = self;
        show("Aggregate", data.len(), partition_key, *explicit_hash_key, *user_records, f)
    }
}

impl fmt::Debug for AggregateRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { data, explicit_hash_key, user_records, .. } = self;
        show("AggregateRef", data.len(), self.partition_key(), *explicit_hash_key, *user_records, f)
    }
}

/// Shows the length of the data only: it is long and binary.
fn show(
    name: &str,
    data: usize,
    partition_key: &str,
    explicit_hash_key: Option<HashKey>,
    user_records: usize,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    f.debug_struct(name)
        .field("data", &format_args!("{data} bytes"))
        .field("partition_key", &partition_key)
        .field("explicit_hash_key", &explicit_hash_key)
        .field("user_records", &user_records)
        .finish()
}

#[cfg(feature = "alloc")]
#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec};

    /// An aggregate with a body of `len` bytes, and without its digest.
    fn undigested(len: usize) -> Aggregate {
        let body = (0..len).map(|i| (i * 7) as u8);
        let data = MAGIC.into_iter().chain(body).chain([0; DIGEST_SIZE]).collect();
        Aggregate { data, partition_key: "key".into(), explicit_hash_key: None, user_records: 1 }
    }

    #[test]
    fn digests_of_many_are_those_of_each() {
        for count in [0, 1, 2, 5, 33] {
            let mut many: Vec<_> = (0..count).map(|number| undigested(number * 37 % 200)).collect();
            write_digests(many.iter_mut());
            for aggregate in many {
                let (body, digest) = aggregate.data[MAGIC.len()..].split_last_chunk().unwrap();
                assert_eq!(*digest, Md5::digest(body), "{} bytes, {count} aggregates", body.len());
                let mut alone = undigested(body.len());
                alone.write_digest();
                assert_eq!(alone, aggregate, "{count} aggregates");
            }
        }
    }

    #[test]
    fn data_without_room_for_a_digest_stays_as_it_is() {
        let mut short = Aggregate { data: vec![7; 19], ..undigested(0) };
        short.write_digest();
        write_digests(core::iter::once(&mut short));
        assert_eq!(short.data, [7; 19]);
    }

    #[test]
    fn aggregates_are_shown_with_the_length_of_their_data() {
        let mut aggregate = undigested(5);
        aggregate.explicit_hash_key = Some(HashKey::new(7));
        let fields = r#"{ data: 25 bytes, partition_key: "key", explicit_hash_key: Some(HashKey(7)), user_records: 1 }"#;
        assert_eq!(format!("{aggregate:?}"), format!("Aggregate {fields}"));
        let Aggregate { data, partition_key, explicit_hash_key, user_records } = &aggregate;
        let (explicit_hash_key, user_records) = (*explicit_hash_key, *user_records);
        let partition_key = partition_key.as_bytes();
        let borrowed = AggregateRef { data, partition_key, explicit_hash_key, user_records };
        assert_eq!(format!("{borrowed:?}"), format!("AggregateRef {fields}"));
        assert_eq!(Aggregate::from(borrowed), aggregate);
    }
}
