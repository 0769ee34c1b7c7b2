//! Hash keys: the 128-bit numbers by which Kinesis assigns records to shards.

use core::fmt;
use core::iter::FusedIterator;
use core::str::FromStr;

use crate::md5::{Md5, digest_each};
use crate::message::UserRecord;

/// A hash key: a 128-bit number that decides which shard takes a record.
///
/// ```
/// use kinesis_aggregation::route::HashKey;
///
/// let of_partition_key = HashKey::of_partition_key("device-7");
/// let explicit: HashKey = "42".parse()?;
/// assert_eq!(explicit, HashKey::new(42));
/// assert!(explicit < of_partition_key);
/// # Ok::<(), kinesis_aggregation::route::HashKeyError>(())
/// ```
// A `u128` is aligned to 16 bytes, and the tag of an `Option` of it has 16 bytes too. So would the tag of every enum that stores
// its own in it, such as the result of adding a user record: written in two halves and read back as a whole, for which
// processors wait.
#[repr(Rust, packed(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HashKey(u128);

impl HashKey {
    /// The lowest hash key: 0.
    pub const MIN: Self = Self(0);

    /// The highest hash key: 2^128 - 1.
    pub const MAX: Self = Self(u128::MAX);

    /// Makes a hash key from its number.
    #[must_use]
    pub const fn new(number: u128) -> Self {
        Self(number)
    }

    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> u128 {
        self.0
    }

    /// Computes the hash key of a partition key as Kinesis does: the MD5 digest of its UTF-8 bytes, read as a big-endian
    /// number.
    #[must_use]
    pub fn of_partition_key(partition_key: &str) -> Self {
        Self(u128::from_be_bytes(Md5::digest(partition_key.as_bytes())))
    }

    /// Computes the hash keys of many partition keys, several times as fast as one after the other.
    ///
    /// The hash key of `partition_keys[i]` goes to `hash_keys[i]`. Where one slice is longer than the other, the rest of it is
    /// ignored.
    pub fn of_partition_keys<P: AsRef<str>>(partition_keys: &[P], hash_keys: &mut [Self]) {
        let keys = partition_keys.iter().map(|key| key.as_ref().as_bytes()).take(hash_keys.len());
        digest_each(keys.enumerate(), |position, digest| {
            if let Some(hash_key) = hash_keys.get_mut(position) {
                *hash_key = Self(u128::from_be_bytes(digest));
            }
        });
    }
}

/// Parses canonical decimal (rule E4): ASCII digits only, without a sign or leading zeros.
impl FromStr for HashKey {
    type Err = HashKeyError;

    fn from_str(text: &str) -> Result<Self, HashKeyError> {
        let digits = text.as_bytes();
        if let Some(offset) = digits.iter().position(|byte| !byte.is_ascii_digit()) {
            return Err(HashKeyError::NotADigit { offset });
        }
        match digits {
            [] => return Err(HashKeyError::Empty),
            [b'0', _, ..] => return Err(HashKeyError::LeadingZero),
            _ => {}
        }
        // 19 digits fit in 64 bits, where arithmetic is far cheaper than in 128.
        let mut number: u128 = 0;
        for chunk in digits.chunks(19) {
            let (value, scale) = chunk.iter().fold((0u64, 1u64), |(value, scale), digit| {
                (value * 10 + u64::from(digit & 0x0f), scale * 10)
            });
            number = number
                .checked_mul(u128::from(scale))
                .and_then(|number| number.checked_add(u128::from(value)))
                .ok_or(HashKeyError::TooLarge)?;
        }
        Ok(Self(number))
    }
}

/// Writes decimal, as Kinesis does.
impl fmt::Display for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `core` prints 128-bit numbers with indexing. On 32-bit targets the compiler cannot prove that it stays within
        // bounds, so a panic path would be left.
        let mut digits = [0; 39];
        let mut rest = self.0;
        let mut leading = digits.len();
        for digit in digits.iter_mut().rev() {
            let [ones, ..] = (rest % 10).to_le_bytes();
            *digit = b'0' | ones;
            leading -= 1;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        let digits = digits.get(leading..).and_then(|digits| core::str::from_utf8(digits).ok());
        f.pad_integral(true, "", digits.unwrap_or_default())
    }
}

/// The error of a text that is not a hash key: a decimal number below 2^128, without a sign or leading zeros (rule E4).
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HashKeyError {
    /// The text is empty.
    Empty,
    /// A character is not an ASCII digit.
    NotADigit {
        /// The offset of its first byte.
        offset: usize,
    },
    /// A number of more than one digit begins with 0.
    LeadingZero,
    /// The number is 2^128 or more.
    TooLarge,
}

impl fmt::Display for HashKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no digits"),
            Self::NotADigit { offset } => write!(f, "not a digit at byte {offset}"),
            Self::LeadingZero => f.write_str("leading zero"),
            Self::TooLarge => f.write_str("2^128 or more"),
        }
    }
}

impl core::error::Error for HashKeyError {}

/// A range of hash keys, both ends included. It is never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HashKeyRange {
    start: HashKey,
    end: HashKey,
}

impl HashKeyRange {
    /// All hash keys.
    pub const ALL: Self = Self { start: HashKey::MIN, end: HashKey::MAX };

    /// Makes the range from `start` to `end`, both included. Returns `None` if it would be empty.
    #[must_use]
    pub const fn new(start: HashKey, end: HashKey) -> Option<Self> {
        if start.0 <= end.0 { Some(Self { start, end }) } else { None }
    }

    /// Parses the two texts with which Kinesis describes the range of a shard: `StartingHashKey` and `EndingHashKey`.
    ///
    /// # Errors
    ///
    /// Returns an error if one of them is not a hash key, or if the range is empty.
    pub fn parse(starting_hash_key: &str, ending_hash_key: &str) -> Result<Self, HashKeyRangeError> {
        let start = starting_hash_key.parse().map_err(HashKeyRangeError::Start)?;
        let end = ending_hash_key.parse().map_err(HashKeyRangeError::End)?;
        Self::new(start, end).ok_or(HashKeyRangeError::Empty { start, end })
    }

    /// Returns the first hash key.
    #[must_use]
    pub const fn start(&self) -> HashKey {
        self.start
    }

    /// Returns the last hash key. It belongs to the range.
    #[must_use]
    pub const fn end(&self) -> HashKey {
        self.end
    }

    /// The range of one hash key.
    #[cfg(feature = "alloc")]
    pub(crate) const fn of(key: HashKey) -> Self {
        Self { start: key, end: key }
    }

    /// The smallest range with all of this one and a hash key.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn including(self, key: HashKey) -> Self {
        Self { start: self.start.min(key), end: self.end.max(key) }
    }

    /// Returns whether a hash key is in the range.
    #[must_use]
    pub const fn contains(&self, key: HashKey) -> bool {
        self.start.0 <= key.0 && key.0 <= self.end.0
    }

    /// Keeps only the user records whose hash keys are in this range, and counts the others (rule R4).
    ///
    /// `records` are those of one aggregate. A user record whose explicit hash key is not a number is neither inside nor
    /// outside the range: it is returned as an error, and iteration continues.
    ///
    /// ```
    /// use kinesis_aggregation::UserRecord;
    /// use kinesis_aggregation::route::{HashKeyRange, RangeMode};
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
    /// # Ok::<(), kinesis_aggregation::route::HashKeyRangeError>(())
    /// ```
    pub fn filter<'a, I>(self, records: I, mode: RangeMode) -> InRange<I::IntoIter>
    where
        I: IntoIterator<Item = UserRecord<'a>>,
        I::IntoIter: Clone,
    {
        let records = records.into_iter();
        let outside = |record: UserRecord<'_>| record.hash_key().is_ok_and(|key| !self.contains(key));
        let range = match mode {
            RangeMode::All if records.clone().any(outside) => None,
            RangeMode::Each | RangeMode::All => Some(self),
        };
        InRange { records, range, left_out: 0, invalid: 0 }
    }
}

/// Parses `START-END`.
impl FromStr for HashKeyRange {
    type Err = HashKeyRangeError;

    fn from_str(text: &str) -> Result<Self, HashKeyRangeError> {
        let (start, end) = text.split_once('-').ok_or(HashKeyRangeError::NoDash)?;
        Self::parse(start, end)
    }
}

/// Writes `START-END`.
impl fmt::Display for HashKeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.start, self.end)
    }
}

/// The error of a text that is not a range of hash keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HashKeyRangeError {
    /// The start is not a hash key.
    Start(HashKeyError),
    /// The end is not a hash key.
    End(HashKeyError),
    /// The start is above the end.
    Empty {
        /// The start.
        start: HashKey,
        /// The end.
        end: HashKey,
    },
    /// There is no dash between the two hash keys.
    NoDash,
}

impl fmt::Display for HashKeyRangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "start of the range: {error}"),
            Self::End(error) => write!(f, "end of the range: {error}"),
            Self::Empty { start, end } => write!(f, "empty range: {start} is above {end}"),
            Self::NoDash => f.write_str("not a range: START-END is expected"),
        }
    }
}

impl core::error::Error for HashKeyRangeError {}

/// The user records that [`HashKeyRange::filter`] keeps if some of an aggregate are inside the range and some outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RangeMode {
    /// Each user record that is inside.
    #[default]
    Each,
    /// All user records if all are inside, otherwise none, as the KCL does. Unlike here, the KCL drops the whole aggregate if
    /// one explicit hash key is not a number.
    All,
}

/// An iterator over the user records of an aggregate that are in a range. Made by [`HashKeyRange::filter`].
#[derive(Clone, Debug)]
pub struct InRange<I> {
    records: I,
    /// `None` keeps nothing.
    range: Option<HashKeyRange>,
    left_out: u64,
    invalid: u64,
}

impl<I> InRange<I> {
    /// Returns how many user records have been left out so far.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Returns how many user records so far had an explicit hash key that is not a number.
    #[must_use]
    pub const fn invalid(&self) -> u64 {
        self.invalid
    }
}

impl<'a, I: Iterator<Item = UserRecord<'a>>> Iterator for InRange<I> {
    type Item = Result<UserRecord<'a>, InvalidHashKey<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let record = self.records.next()?;
            match record.hash_key() {
                Err(error) => {
                    self.invalid += 1;
                    return Some(Err(InvalidHashKey { record, error }));
                }
                Ok(key) if self.range.is_some_and(|range| range.contains(key)) => return Some(Ok(record)),
                Ok(_) => self.left_out += 1,
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, self.records.size_hint().1)
    }
}

impl<'a, I: FusedIterator<Item = UserRecord<'a>>> FusedIterator for InRange<I> {}

/// A user record whose explicit hash key is not a number (rule D14), so that no shard owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHashKey<'a> {
    /// The user record.
    pub record: UserRecord<'a>,
    /// The error in its explicit hash key.
    pub error: HashKeyError,
}

impl fmt::Display for InvalidHashKey<'_> {
    // Without the explicit hash key itself: escaping it with the standard library would leave panic paths.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user record {}: explicit hash key: {}", self.record.sub_sequence_number, self.error)
    }
}

impl core::error::Error for InvalidHashKey<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partition_keys_hash_to_their_md5() {
        // Computed with Python's `hashlib`; the last key is chosen for its leading zero bytes.
        for (key, number) in [
            ("", 0xd41d8cd98f00b204e9800998ecf8427e),
            ("a", 0x0cc175b9c0f1b6a831c399e269772661),
            ("clé-漢字-🚀", 0x1b4750f2d2e0d29dbe31a73a0602577e),
            ("5329", 0x00003e3b9e5336685200ae85d21b4f5e),
        ] {
            assert_eq!(HashKey::of_partition_key(key).get(), number, "{key}");
        }
    }
}
