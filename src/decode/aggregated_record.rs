//! A checked aggregate and the walk over its user records.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;

use crate::decode::ParseError;
use crate::decode::payload::parse_body;
use crate::frame::DigestCheck;
use crate::message::{Body, Cursor, KeyRoom, UserRecord};

/// An aggregated record that was checked from end to end.
///
/// Its length is exact and its iterators cannot fail: nothing from a bad body is ever delivered. It may hold no
/// user records at all (rule D15). Data that is itself an aggregated record is data, and is not expanded again
/// (rule D16).
#[derive(Clone)]
pub struct AggregatedRecord<'a, K> {
    body: Body<'a>,
    keys: K,
}

#[cfg(feature = "alloc")]
impl<'a> AggregatedRecord<'a, Vec<&'a str>> {
    /// Allocates exactly the room that is needed.
    pub(crate) fn with_own_room(body: Body<'a>) -> Self {
        let mut keys = alloc::vec![""; body.keys()];
        body.fill(&mut keys);
        Self { body, keys }
    }
}

impl<'a, K: KeyRoom<'a>> AggregatedRecord<'a, K> {
    /// Parses a payload that has to be an aggregated record. The room for its keys may be any [`KeyRoom`].
    ///
    /// # Errors
    ///
    /// Answers with the reason where the payload is plain, and with the room needed where there is too little; a
    /// malformed payload is called malformed in any room.
    pub fn parse(payload: &'a [u8], keys: K) -> Result<Self, ParseError> {
        Self::parse_with(payload, keys, DigestCheck::Verify)
    }

    /// The same, with the choice not to check the digest.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn parse_with(payload: &'a [u8], mut keys: K, check: DigestCheck) -> Result<Self, ParseError> {
        let body = parse_body(payload, check).map_err(ParseError::Plain)?;
        let needed = body.keys();
        let room = keys.make_room(needed).ok_or(ParseError::NeedsRoom { needed })?;
        body.fill(room);
        Ok(Self { body, keys })
    }

    /// Yields the user records in their order.
    #[must_use]
    pub fn records(&self) -> UserRecords<'_, 'a> {
        UserRecords {
            cursor: self.body.cursor(),
            keys: self.keys.keys(),
            partition_keys: self.body.partition_keys,
        }
    }

    /// The table of partition keys, used or not, in its order.
    #[must_use]
    pub fn partition_keys(&self) -> &[&'a str] {
        self.keys.keys().get(..self.body.partition_keys).unwrap_or_default()
    }

    /// The table of explicit hash keys, used or not, in its order.
    #[must_use]
    pub fn explicit_hash_keys(&self) -> &[&'a str] {
        self.keys.keys().get(self.body.partition_keys..self.body.keys()).unwrap_or_default()
    }
}

impl<K> AggregatedRecord<'_, K> {
    /// Counts the user records.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.body.user_records
    }

    /// Says whether there are no user records.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives the room back.
    #[must_use]
    pub fn into_room(self) -> K {
        self.keys
    }
}

impl<K> fmt::Debug for AggregatedRecord<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AggregatedRecord")
            .field("user_records", &self.body.user_records)
            .field("partition_keys", &self.body.partition_keys)
            .field("explicit_hash_keys", &self.body.explicit_hash_keys)
            .finish_non_exhaustive()
    }
}

impl<'k, 'a, K: KeyRoom<'a>> IntoIterator for &'k AggregatedRecord<'a, K> {
    type Item = UserRecord<'a>;
    type IntoIter = UserRecords<'k, 'a>;

    fn into_iter(self) -> UserRecords<'k, 'a> {
        self.records()
    }
}

impl<'a, K: KeyRoom<'a>> IntoIterator for AggregatedRecord<'a, K> {
    type Item = UserRecord<'a>;
    type IntoIter = IntoUserRecords<'a, K>;

    fn into_iter(self) -> IntoUserRecords<'a, K> {
        IntoUserRecords { cursor: self.body.cursor(), aggregate: self }
    }
}

/// The user records of an [`AggregatedRecord`], in their order.
#[derive(Clone, Debug)]
pub struct UserRecords<'k, 'a> {
    cursor: Cursor<'a>,
    keys: &'k [&'a str],
    partition_keys: usize,
}

impl<'a> Iterator for UserRecords<'_, 'a> {
    type Item = UserRecord<'a>;

    #[inline]
    fn next(&mut self) -> Option<UserRecord<'a>> {
        self.cursor.next(self.keys, self.partition_keys)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.cursor.remaining, Some(self.cursor.remaining))
    }
}

impl ExactSizeIterator for UserRecords<'_, '_> {}
impl FusedIterator for UserRecords<'_, '_> {}

/// The user records of an [`AggregatedRecord`], in their order, with the room for their keys in the iterator.
#[derive(Clone, Debug)]
pub struct IntoUserRecords<'a, K> {
    cursor: Cursor<'a>,
    aggregate: AggregatedRecord<'a, K>,
}

impl<'a, K: KeyRoom<'a>> Iterator for IntoUserRecords<'a, K> {
    type Item = UserRecord<'a>;

    #[inline]
    fn next(&mut self) -> Option<UserRecord<'a>> {
        self.cursor.next(self.aggregate.keys.keys(), self.aggregate.body.partition_keys)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.cursor.remaining, Some(self.cursor.remaining))
    }
}

impl<'a, K: KeyRoom<'a>> ExactSizeIterator for IntoUserRecords<'a, K> {}
impl<'a, K: KeyRoom<'a>> FusedIterator for IntoUserRecords<'a, K> {}

/// Empties a room and unties it from the payloads it was lent to, so that one allocation serves a loop over payloads
/// that do not live equally long.
///
/// ```
/// use kinesis_aggregation::{Payload, recycle};
/// # let receive = || {
/// #     let records = [kinesis_aggregation::UserRecord::new("a", "1")];
/// #     kinesis_aggregation::encode(&records, &mut [Default::default()], &mut [0; 64]).unwrap().to_vec()
/// # };
///
/// let mut keys = Vec::new();
/// for _ in 0..3 {
///     let payload: Vec<u8> = receive();
///     let mut room = keys;
///     if let Payload::Aggregated(aggregate) = Payload::parse(&payload, &mut room) {
///         println!("{} user records", aggregate.len());
///     }
///     keys = recycle(room);
/// }
/// ```
#[cfg(feature = "alloc")]
#[must_use]
pub fn recycle(mut room: Vec<&str>) -> Vec<&'static str> {
    room.clear();
    // Of an empty vector this copies nothing, and the standard library keeps its allocation.
    room.into_iter().map(|_| "").collect()
}
