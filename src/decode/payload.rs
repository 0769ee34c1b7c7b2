//! A payload, which is either an aggregated record or plain, and the walk over an aggregate's user records.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;

use crate::frame::{DigestCheck, Frame, PlainReason, verify_all};
use crate::message::{Body, Cursor, UserRecord};

/// The data of a Kinesis record, parsed: an aggregated record, or plain.
///
/// ```
/// use kinesis_aggregation::Payload;
///
/// # let payload = b"plain";
/// let mut keys = [""; 16];
/// match Payload::parse(payload, &mut keys) {
///     Payload::Aggregated(aggregate) => {
///         for user in &aggregate {
///             println!("{}: {} bytes", user.partition_key, user.data.len());
///         }
///     }
///     Payload::Plain(reason) => println!("not aggregated: {reason}"),
///     Payload::NeedsKeys { needed } => println!("has {needed} keys, more than the buffer takes"),
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub enum Payload<'k, 'a> {
    /// A valid aggregated record. Validation happened before this: iteration cannot fail.
    Aggregated(AggregatedRecord<'k, 'a>),
    /// Not an aggregated record. The payload is the user's own data, to be passed on unchanged.
    Plain(PlainReason),
    /// A valid aggregated record with more keys than the buffer takes.
    NeedsKeys {
        /// The number of its keys: the entries of both tables.
        needed: usize,
    },
}

impl<'k, 'a> Payload<'k, 'a> {
    /// Parses a payload and verifies its digest, with a buffer for the keys of an aggregate.
    ///
    /// The buffer gets one entry for each key: the partition key table first, then the explicit hash key table. What it
    /// held before is overwritten. A malformed payload is plain, however small the buffer is.
    ///
    /// An entry takes 16 bytes on a 64-bit target, and a key as few as 2 bytes of the payload, so that the keys of a
    /// hostile payload take up to eight times its size. Where that is too much, the buffer's length is the limit. With
    /// `alloc`, [`AggregatedRecord::parse`] needs no buffer.
    pub fn parse(payload: &'a [u8], keys: &'k mut [&'a str]) -> Self {
        Self::parse_with(payload, keys, DigestCheck::Verify)
    }

    /// Parses a payload with or without verifying its digest. Otherwise the same as [`Self::parse`].
    pub fn parse_with(payload: &'a [u8], keys: &'k mut [&'a str], check: DigestCheck) -> Self {
        let body = match parse_body(payload, check) {
            Ok(body) => body,
            Err(reason) => return Self::Plain(reason),
        };
        let needed = body.keys();
        let Some(keys) = keys.get_mut(..needed) else { return Self::NeedsKeys { needed } };
        body.fill(keys);
        Self::Aggregated(AggregatedRecord { body, keys: Keys::Borrowed(keys) })
    }

    /// Verifies the digests of many payloads at the same time, as many as there are verdicts.
    ///
    /// This takes a fraction of the time that it takes one by one, as described at [`Md5::digest_each`]. An `Err` is the
    /// reason why its payload is plain. The other payloads are to be parsed, with [`DigestCheck::Skip`], which may still
    /// find them malformed. With `alloc`, [`deaggregate_all`](crate::decode::deaggregate_all) does both.
    ///
    /// [`Md5::digest_each`]: crate::decode::Md5::digest_each
    ///
    /// ```
    /// use kinesis_aggregation::Payload;
    /// use kinesis_aggregation::decode::DigestCheck;
    ///
    /// let payloads = [b"plain".to_vec(), b"as well".to_vec()];
    /// let mut verdicts = [Ok(()); 2];
    /// Payload::verify_each(&payloads, &mut verdicts);
    /// for (payload, verdict) in payloads.iter().zip(verdicts) {
    ///     let mut keys = [""; 16];
    ///     match verdict.map(|()| Payload::parse_with(payload, &mut keys, DigestCheck::Skip)) {
    ///         Ok(Payload::Aggregated(aggregate)) => println!("{} user records", aggregate.len()),
    ///         Ok(Payload::NeedsKeys { needed }) => println!("has {needed} keys, more than the buffer takes"),
    ///         Ok(Payload::Plain(reason)) | Err(reason) => println!("not aggregated: {reason}"),
    ///     }
    /// }
    /// ```
    pub fn verify_each<P: AsRef<[u8]>>(payloads: &[P], verdicts: &mut [Result<(), PlainReason>]) {
        verify_all(payloads.iter().map(AsRef::as_ref), verdicts);
    }
}

/// Finds the body of an aggregated record and validates it.
pub(crate) fn parse_body(payload: &[u8], check: DigestCheck) -> Result<Body<'_>, PlainReason> {
    let frame = Frame::split(payload)?;
    if check == DigestCheck::Verify {
        frame.verify()?;
    }
    Body::parse(frame.body()).map_err(PlainReason::Malformed)
}

/// A valid aggregated record.
///
/// Its length is exact, and iteration cannot fail: nothing of a malformed payload is ever delivered. It may have no
/// user records (rule D15). Data that is itself an aggregated record stays as it is (rule D16).
///
/// Without a heap, it comes from [`Payload::parse`] and borrows its keys from the caller's buffer. With `alloc`,
/// [`AggregatedRecord::parse`] returns one that owns them.
#[derive(Clone)]
pub struct AggregatedRecord<'k, 'a> {
    body: Body<'a>,
    keys: Keys<'k, 'a>,
}

/// Both key tables, one after the other.
#[derive(Clone)]
enum Keys<'k, 'a> {
    Borrowed(&'k [&'a str]),
    #[cfg(feature = "alloc")]
    Owned(Vec<&'a str>),
}

#[cfg(feature = "alloc")]
impl<'k, 'a> AggregatedRecord<'k, 'a> {
    /// Parses a payload that has to be an aggregated record, and verifies its digest. The keys are allocated.
    ///
    /// # Errors
    ///
    /// The reason why the payload is plain.
    ///
    /// ```
    /// use kinesis_aggregation::decode::{AggregatedRecord, PlainReason};
    ///
    /// assert_eq!(AggregatedRecord::parse(b"plain").err(), Some(PlainReason::NoMagic));
    /// ```
    pub fn parse(payload: &'a [u8]) -> Result<Self, PlainReason> {
        Self::parse_with(payload, DigestCheck::Verify)
    }

    /// Parses a payload with or without verifying its digest. Otherwise the same as [`Self::parse`].
    ///
    /// # Errors
    ///
    /// The reason why the payload is plain.
    pub fn parse_with(payload: &'a [u8], check: DigestCheck) -> Result<Self, PlainReason> {
        let body = parse_body(payload, check)?;
        Ok(Self { keys: Keys::Owned(body.collect_keys()), body })
    }

    /// Parses a payload into a vector for its keys, which is reused and grows where it has to.
    ///
    /// It allocates at most once for payloads with equally many keys, provided that all of them live as long as the
    /// vector.
    ///
    /// # Errors
    ///
    /// The reason why the payload is plain.
    ///
    /// ```
    /// use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck};
    ///
    /// let payloads = [b"one".to_vec(), b"two".to_vec()];
    /// let mut keys = Vec::new();
    /// for payload in &payloads {
    ///     match AggregatedRecord::parse_reusing(payload, &mut keys, DigestCheck::Verify) {
    ///         Ok(aggregate) => println!("{} user records", aggregate.len()),
    ///         Err(reason) => println!("not aggregated: {reason}"),
    ///     }
    /// }
    /// ```
    pub fn parse_reusing(
        payload: &'a [u8],
        keys: &'k mut Vec<&'a str>,
        check: DigestCheck,
    ) -> Result<Self, PlainReason> {
        let body = parse_body(payload, check)?;
        keys.clear();
        keys.resize(body.keys(), "");
        body.fill(keys);
        Ok(Self { body, keys: Keys::Borrowed(keys) })
    }
}

impl<'a> AggregatedRecord<'_, 'a> {
    /// Iterates over the user records, in order.
    #[must_use]
    pub fn records(&self) -> UserRecords<'_, 'a> {
        UserRecords { cursor: self.body.cursor(), keys: self.keys() }
    }

    /// Iterates over the user records after the one with this sub-sequence number.
    ///
    /// These are the ones still to be processed where a checkpoint was made inside the aggregate. Their sub-sequence
    /// numbers do not change. To read the aggregate again, ask Kinesis for a shard iterator `AT_SEQUENCE_NUMBER`, not
    /// `AFTER_SEQUENCE_NUMBER`.
    ///
    /// ```
    /// use kinesis_aggregation::{Payload, UserRecord};
    ///
    /// # fn process(_: UserRecord<'_>) {}
    /// fn resume(payload: &[u8], last_processed: u64) {
    ///     let mut keys = [""; 16];
    ///     if let Payload::Aggregated(aggregate) = Payload::parse(payload, &mut keys) {
    ///         aggregate.records_after(last_processed).for_each(process);
    ///     }
    /// }
    /// # resume(b"plain", 0);
    /// ```
    #[must_use]
    pub fn records_after(&self, sub_sequence_number: u64) -> UserRecords<'_, 'a> {
        let mut records = self.records();
        // Past the end, none are left.
        _ = records.nth(usize::try_from(sub_sequence_number).unwrap_or(usize::MAX));
        records
    }

    /// Returns the partition key table in order, unused keys included.
    #[must_use]
    pub fn partition_keys(&self) -> &[&'a str] {
        self.keys().get(..self.body.partition_keys).unwrap_or_default()
    }

    /// Returns the explicit hash key table in order, unused keys included.
    #[must_use]
    pub fn explicit_hash_keys(&self) -> &[&'a str] {
        self.keys().get(self.body.partition_keys..).unwrap_or_default()
    }

    /// Returns the number of user records.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.body.user_records
    }

    /// Returns whether there are no user records.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn keys(&self) -> &[&'a str] {
        match &self.keys {
            Keys::Borrowed(keys) => keys,
            #[cfg(feature = "alloc")]
            Keys::Owned(keys) => keys,
        }
    }
}

impl fmt::Debug for AggregatedRecord<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AggregatedRecord")
            .field("partition_keys", &self.partition_keys())
            .field("explicit_hash_keys", &self.explicit_hash_keys())
            .field("user_records", &self.records())
            .finish()
    }
}

impl<'s, 'a> IntoIterator for &'s AggregatedRecord<'_, 'a> {
    type Item = UserRecord<'a>;
    type IntoIter = UserRecords<'s, 'a>;

    fn into_iter(self) -> UserRecords<'s, 'a> {
        self.records()
    }
}

/// The user records of an [`AggregatedRecord`], in order.
#[derive(Clone)]
pub struct UserRecords<'k, 'a> {
    pub(super) cursor: Cursor<'a>,
    pub(super) keys: &'k [&'a str],
}

impl<'a> Iterator for UserRecords<'_, 'a> {
    type Item = UserRecord<'a>;

    // Left to itself, the compiler inlines it only where a program has one or two loops: 33 instructions for each record.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline)]
    fn next(&mut self) -> Option<UserRecord<'a>> {
        self.cursor.next(self.keys)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.cursor.remaining, Some(self.cursor.remaining))
    }
}

impl ExactSizeIterator for UserRecords<'_, '_> {}
impl FusedIterator for UserRecords<'_, '_> {}

/// Lists the user records that are left.
impl fmt::Debug for UserRecords<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
