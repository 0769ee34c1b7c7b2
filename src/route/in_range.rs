//! Reading only what belongs to a shard (rule R4).

use core::fmt;

use crate::error::HashKeyError;
use crate::message::UserRecord;
use crate::route::{HashKey, HashKeyRange};

/// What is kept of an aggregate whose user records lie in and outside a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RangeMode {
    /// Each user record that lies inside, by itself.
    #[default]
    Each,
    /// All of them, if all lie inside; otherwise none. What the KCL does, but that it loses an aggregate with an explicit
    /// hash key that is no number, which here is an error of that user record alone.
    All,
}

impl HashKeyRange {
    /// Reads only those of an aggregate's user records whose hash keys lie in this range. What is left out is counted.
    ///
    /// A user record whose explicit hash key is no number is neither inside nor outside: it comes out as an error, and
    /// the rest goes on.
    ///
    /// ```
    /// use kinesis_aggregation::{HashKeyRange, RangeMode, UserRecord};
    ///
    /// let records = [("5", "a"), ("50", "b"), ("7", "c")]
    ///     .map(|(hash_key, data)| UserRecord::new("key", data).with_explicit_hash_key(hash_key));
    /// let range: HashKeyRange = "0-9".parse()?;
    ///
    /// let mut inside = range.filter(records, RangeMode::Each);
    /// let data: Vec<_> = inside.by_ref().flatten().map(|user| user.data).collect();
    /// assert_eq!(data, [b"a", b"c"]);
    /// assert_eq!(inside.left_out(), 1);
    /// assert_eq!(range.filter(records, RangeMode::All).count(), 0);
    /// # Ok::<(), kinesis_aggregation::HashKeyRangeError>(())
    /// ```
    pub fn filter<'a, I>(self, records: I, mode: RangeMode) -> InRange<I::IntoIter>
    where
        I: IntoIterator<Item = UserRecord<'a>>,
        I::IntoIter: Clone,
    {
        let records = records.into_iter();
        let outside = |record: UserRecord<'_>| HashKey::of(&record).is_ok_and(|key| !self.contains(key));
        let keep = match mode {
            RangeMode::Each => Keep::Inside,
            RangeMode::All if records.clone().any(outside) => Keep::Nothing,
            RangeMode::All => Keep::Inside,
        };
        InRange { records, range: self, keep, left_out: 0, faulty: 0 }
    }
}

/// The user records of an aggregate that lie in a range.
#[derive(Clone, Debug)]
pub struct InRange<I> {
    records: I,
    range: HashKeyRange,
    keep: Keep,
    left_out: u64,
    faulty: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Inside,
    Nothing,
}

impl<I> InRange<I> {
    /// Counts the user records left out so far.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Counts the user records so far whose explicit hash key is no number.
    #[must_use]
    pub const fn faulty(&self) -> u64 {
        self.faulty
    }
}

impl<'a, I: Iterator<Item = UserRecord<'a>>> Iterator for InRange<I> {
    type Item = Result<UserRecord<'a>, FaultyHashKey<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let record = self.records.next()?;
            match HashKey::of(&record) {
                Err(error) => {
                    self.faulty = self.faulty.saturating_add(1);
                    return Some(Err(FaultyHashKey { record, error }));
                }
                Ok(key) if self.keep == Keep::Inside && self.range.contains(key) => return Some(Ok(record)),
                Ok(_) => self.left_out = self.left_out.saturating_add(1),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.records.size_hint().1)
    }
}

impl<'a, I: core::iter::FusedIterator<Item = UserRecord<'a>>> core::iter::FusedIterator for InRange<I> {}

/// A user record whose explicit hash key is no number (rule D14), so that no shard owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultyHashKey<'a> {
    /// The user record.
    pub record: UserRecord<'a>,
    /// What is wrong with its explicit hash key.
    pub error: HashKeyError,
}

impl fmt::Display for FaultyHashKey<'_> {
    // Without the key itself: to make it harmless for a terminal, the standard library takes ways that may panic.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user record {}: explicit hash key: {}", self.record.sub_sequence_number, self.error)
    }
}

impl core::error::Error for FaultyHashKey<'_> {}
