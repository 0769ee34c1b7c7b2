//! Finished aggregates.

use core::fmt;

use crate::decode::payload::parse_body;
use crate::encode::packer::Pending;
use crate::frame::{DigestCheck, MAGIC};
use crate::hash_key::HashKey;
use crate::message::UserRecord;
use crate::wire::length_delimited_len;
#[cfg(feature = "alloc")]
use crate::{
    frame::DIGEST_SIZE,
    md5::{Md5, digest_each},
};
#[cfg(feature = "alloc")]
use alloc::{string::String, vec::Vec};

/// A finished aggregate: the data of one Kinesis record, and the keys to put it with.
///
/// Only the data has to be stored: [`AggregateRef::from_data`] recovers the rest.
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

/// A finished aggregate in the buffer of an [`Encoder`](crate::Encoder), or in the caller's storage.
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

/// An aggregate that is finished except for its digest, so it cannot be sent yet.
///
/// Several aggregates take less time if their digests are computed together, by [`Self::digest_all`]. With 16 or more,
/// aggregating takes about half as long, and less with the feature `simd`.
///
/// ```
/// use kinesis_aggregation::encode::Undigested;
/// use kinesis_aggregation::{Limits, RecordAggregator, UserRecord};
///
/// let mut aggregator = RecordAggregator::new(Limits::KPL);
/// let mut full: Vec<Undigested> = Vec::new();
/// for number in 0..10_000 {
///     let reading = format!("reading {number}");
///     full.extend(aggregator.add_undigested(UserRecord::new("device-7", &reading))?);
/// }
/// full.extend(aggregator.finish_undigested());
/// for aggregate in Undigested::digest_all(full) {
///     println!("put {} bytes with {}", aggregate.data.len(), aggregate.partition_key);
/// }
/// # Ok::<(), kinesis_aggregation::encode::EncodeError>(())
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "user records are lost unless their aggregate is sent"]
pub struct Undigested(pub(crate) Aggregate);

#[cfg(feature = "alloc")]
impl Undigested {
    /// Computes the digest of this aggregate alone.
    pub fn digest(self) -> Aggregate {
        let mut aggregate = self.0;
        aggregate.write_digest();
        aggregate
    }

    /// Computes the digests of all aggregates together. They stay in order.
    #[must_use = "user records are lost unless their aggregate is sent"]
    pub fn digest_all(aggregates: impl IntoIterator<Item = Self>) -> Vec<Aggregate> {
        let mut all: Vec<Aggregate> = aggregates.into_iter().map(|undigested| undigested.0).collect();
        write_digests(all.iter_mut().map(|aggregate| &mut *aggregate.data));
        all
    }

    /// Returns [`Aggregate::size_bytes`] of the aggregate with its digest.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }
}

/// Fills in the digests in the data of many aggregates, which takes a fraction of the time that [`Aggregate::write_digest`] takes for
/// each.
#[cfg(feature = "alloc")]
pub(crate) fn write_digests<'a>(data: impl Iterator<Item = &'a mut [u8]>) {
    let (bodies, mut digests): (Vec<&[u8]>, Vec<&mut [u8; DIGEST_SIZE]>) = data
        .filter_map(|data| {
            let (body, digest) = split_digest(data)?;
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
    /// Recovers an aggregate from its data, which was stored in flash or a queue: checks frame, digest and body, and finds
    /// the outer keys and the number of user records. It takes no memory.
    ///
    /// Returns `None` unless the data is an aggregated record with a user record and with outer keys that Kinesis accepts:
    /// for example, if the power failed while it was written. [`Payload::parse`](crate::Payload::parse) returns the reason.
    ///
    /// The explicit hash key is that of the first user record, if it has one. Aggregates that were routed to shards have one
    /// of their own, which is not in the data (rule E8).
    ///
    /// ```
    /// use kinesis_aggregation::encode::AggregateRef;
    /// # use kinesis_aggregation::{Encoder, Limits, UserRecord};
    /// # let mut buffer = [0; 64];
    /// # let mut encoder = Encoder::<1>::new(&mut buffer, Limits::IOT_CORE);
    /// # assert!(encoder.add(UserRecord::new("device-7", "21.5")).is_ok());
    /// # let flash = encoder.finish().unwrap().data;
    ///
    /// let stored = AggregateRef::from_data(flash).unwrap();
    /// assert_eq!((stored.partition_key(), stored.user_records), ("device-7", 1));
    /// // The power failed before the last byte was written.
    /// assert!(AggregateRef::from_data(&flash[..flash.len() - 1]).is_none());
    /// ```
    #[must_use]
    pub fn from_data(data: &'b [u8]) -> Option<Self> {
        let body = parse_body(data, DigestCheck::Verify).ok()?;
        let (partition_key, explicit_hash_key) = body.first_keys()?;
        UserRecord::new(partition_key, "").validate_partition_key().ok()?;
        let explicit_hash_key = match explicit_hash_key {
            Some(key) => Some(key.parse().ok()?),
            None => None,
        };
        let partition_key = partition_key.as_bytes();
        Some(Self { data, partition_key, explicit_hash_key, user_records: body.user_records })
    }

    /// The aggregate that an [`Encoder`](crate::Encoder) has written to the first `len` bytes of a buffer.
    #[inline]
    pub(super) fn in_buffer(buffer: &'b [u8], len: usize, pending: Pending) -> Option<Self> {
        let data = buffer.get(..len)?;
        Some(Self {
            data,
            partition_key: first_key(
                data.get(MAGIC.len()..).unwrap_or_default(),
                pending.partition_key_len(),
            ),
            explicit_hash_key: pending.explicit_hash_key,
            user_records: pending.user_records,
        })
    }

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

/// A buffer that an [`Encoder`](crate::Encoder) has filled and that was exchanged for another one, with the finished
/// aggregate in it, if there is one.
#[must_use = "user records are lost unless their aggregate is sent"]
pub struct FinishedBuffer<'b> {
    pub(super) buffer: &'b mut [u8],
    /// The length of the aggregate; 0 if there is none.
    pub(super) len: usize,
    pub(super) pending: Pending,
}

impl<'b> FinishedBuffer<'b> {
    /// Returns the aggregate. Returns `None` if nothing was pending.
    #[must_use]
    pub fn aggregate(&self) -> Option<AggregateRef<'_>> {
        if self.len == 0 { None } else { AggregateRef::in_buffer(self.buffer, self.len, self.pending) }
    }

    /// Returns the whole buffer. The data of the aggregate are its first bytes.
    #[must_use]
    pub const fn into_buffer(self) -> &'b mut [u8] {
        self.buffer
    }
}

impl fmt::Debug for FinishedBuffer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FinishedBuffer")
            .field("buffer", &self.buffer.len())
            .field("aggregate", &self.aggregate())
            .finish()
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
        let &Self { ref data, ref partition_key, explicit_hash_key, user_records } = self;
        let partition_key = partition_key.as_bytes();
        AggregateRef { data, partition_key, explicit_hash_key, user_records }.show("Aggregate", f)
    }
}

impl fmt::Debug for AggregateRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show("AggregateRef", f)
    }
}

impl AggregateRef<'_> {
    /// Shows the length of the data only: it is long and binary.
    fn show(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("data", &format_args!("{} bytes", self.data.len()))
            .field("partition_key", &self.partition_key())
            .field("explicit_hash_key", &self.explicit_hash_key)
            .field("user_records", &self.user_records)
            .finish()
    }
}

#[cfg(feature = "alloc")]
#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

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
            write_digests(many.iter_mut().map(|aggregate| &mut *aggregate.data));
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
    fn undigested_aggregates_stay_in_order() {
        let all = || (0..40).map(|number| Undigested(undigested(40 - number)));
        let alone: Vec<Aggregate> = all().map(Undigested::digest).collect();
        assert_eq!(Undigested::digest_all(all()), alone);
        assert!(Undigested::digest_all([]).is_empty());
        let first = Undigested(undigested(40));
        assert_eq!(first.size_bytes(), alone[0].size_bytes());
        assert_eq!(format!("{first:?}"), format!("Undigested({:?})", alone[0]));
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
