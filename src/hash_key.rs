//! Hash keys: the 128-bit numbers by which Kinesis assigns records to shards.

use core::fmt;
use core::str::FromStr;

use crate::error::HashKeyError;
use crate::md5::{Md5, digest_each};
use crate::message::UserRecord;

/// A hash key: a number of 128 bits.
///
/// ```
/// use kinesis_aggregation::HashKey;
///
/// let of_partition_key = HashKey::of_partition_key("device-7");
/// let explicit: HashKey = "42".parse()?;
/// assert_eq!(explicit, HashKey::new(42));
/// assert!(explicit < of_partition_key);
/// # Ok::<(), kinesis_aggregation::HashKeyError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HashKey(u128);

impl HashKey {
    /// The lowest hash key: 0.
    pub const MIN: Self = Self(0);

    /// The highest hash key: 2^128 - 1.
    pub const MAX: Self = Self(u128::MAX);

    /// The hash key with this number.
    #[must_use]
    pub const fn new(number: u128) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u128 {
        self.0
    }

    /// The hash key that Kinesis gives to a partition key: the MD5 of its UTF-8 bytes, read as a big-endian number.
    #[must_use]
    pub fn of_partition_key(partition_key: &str) -> Self {
        Self(u128::from_be_bytes(Md5::digest(partition_key.as_bytes())))
    }

    /// The hash keys of many partition keys, as many as there is room for: each as [`Self::of_partition_key`] gives it,
    /// together several times as fast, as [`Md5::digest_each`] says.
    pub fn of_partition_keys<P: AsRef<str>>(partition_keys: &[P], hash_keys: &mut [Self]) {
        let keys = partition_keys.iter().map(|key| key.as_ref().as_bytes()).take(hash_keys.len());
        digest_each(keys.enumerate(), |position, digest| {
            if let Some(place) = hash_keys.get_mut(position) {
                *place = Self(u128::from_be_bytes(digest));
            }
        });
    }

    /// The effective hash key of a user record (rule R1): the explicit one where there is one, else that of the
    /// partition key.
    ///
    /// # Errors
    ///
    /// Says what is wrong with an explicit hash key that is no number.
    pub fn of(record: &UserRecord<'_>) -> Result<Self, HashKeyError> {
        match record.explicit_hash_key {
            Some(explicit) => explicit.parse(),
            None => Ok(Self::of_partition_key(record.partition_key)),
        }
    }
}

/// Reads canonical decimal (rule E4): no sign, no leading zero, nothing around it.
impl FromStr for HashKey {
    type Err = HashKeyError;

    fn from_str(text: &str) -> Result<Self, HashKeyError> {
        parse_hash_key(text).map(Self)
    }
}

/// Writes decimal, as Kinesis does.
impl fmt::Display for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By hand: what `core` has for 128 bits indexes, and on 32-bit machines the compiler cannot see that it stays
        // inside.
        let mut digits = [0; 39];
        let mut rest = self.0;
        let mut leading = digits.len();
        for digit in digits.iter_mut().rev() {
            let [ones, ..] = (rest % 10).to_le_bytes();
            *digit = b'0' | ones;
            leading = leading.saturating_sub(1);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        let digits = digits.get(leading..).and_then(|digits| core::str::from_utf8(digits).ok());
        f.pad_integral(true, "", digits.unwrap_or_default())
    }
}

impl From<u128> for HashKey {
    fn from(number: u128) -> Self {
        Self(number)
    }
}

impl From<HashKey> for u128 {
    fn from(key: HashKey) -> Self {
        key.0
    }
}

/// The hash keys from a first to a last one, both of them included: at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HashKeyRange {
    start: HashKey,
    end: HashKey,
}

impl HashKeyRange {
    /// All hash keys.
    pub const ALL: Self = Self { start: HashKey::MIN, end: HashKey::MAX };

    /// The range from `start` to `end`, both included, unless it would be empty.
    #[must_use]
    pub const fn new(start: HashKey, end: HashKey) -> Option<Self> {
        if start.0 <= end.0 { Some(Self { start, end }) } else { None }
    }

    /// The range from the two texts that Kinesis describes a shard with: `StartingHashKey` and `EndingHashKey`.
    ///
    /// # Errors
    ///
    /// Says which of them is no hash key, and why, or that there is nothing between them.
    pub fn parse(starting_hash_key: &str, ending_hash_key: &str) -> Result<Self, HashKeyRangeError> {
        let start = starting_hash_key.parse().map_err(HashKeyRangeError::Start)?;
        let end = ending_hash_key.parse().map_err(HashKeyRangeError::End)?;
        Self::new(start, end).ok_or(HashKeyRangeError::Empty { start, end })
    }

    /// The first hash key.
    #[must_use]
    pub const fn start(&self) -> HashKey {
        self.start
    }

    /// The last hash key, which belongs to the range.
    #[must_use]
    pub const fn end(&self) -> HashKey {
        self.end
    }

    /// Says whether a hash key is in the range.
    #[must_use]
    pub const fn contains(&self, key: HashKey) -> bool {
        self.start.0 <= key.0 && key.0 <= self.end.0
    }
}

/// Reads `START-END`.
impl FromStr for HashKeyRange {
    type Err = HashKeyRangeError;

    fn from_str(text: &str) -> Result<Self, HashKeyRangeError> {
        let (start, end) = text.split_once('-').ok_or(HashKeyRangeError::NoDash)?;
        Self::parse(start, end)
    }
}

impl fmt::Display for HashKeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.start, self.end)
    }
}

/// Why a text is no range of hash keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HashKeyRangeError {
    /// The first hash key is none.
    Start(HashKeyError),
    /// The last hash key is none.
    End(HashKeyError),
    /// The first hash key is above the last.
    Empty {
        /// The first hash key.
        start: HashKey,
        /// The last hash key.
        end: HashKey,
    },
    /// There is no dash between two hash keys.
    NoDash,
}

impl fmt::Display for HashKeyRangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "start of the range: {error}"),
            Self::End(error) => write!(f, "end of the range: {error}"),
            Self::Empty { start, end } => write!(f, "empty range: {start} is above {end}"),
            Self::NoDash => f.write_str("no range: START-END is expected"),
        }
    }
}

impl core::error::Error for HashKeyRangeError {}

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

/// Reads the one way to write a number below 2^128 (rule E4).
pub(crate) fn parse_hash_key(text: &str) -> Result<u128, HashKeyError> {
    let digits = text.as_bytes();
    if let Some(offset) = digits.iter().position(|byte| !byte.is_ascii_digit()) {
        return Err(HashKeyError::NotADigit { offset });
    }
    match digits {
        [] => return Err(HashKeyError::Empty),
        [b'0', _, ..] => return Err(HashKeyError::LeadingZero),
        _ => {}
    }
    // Nineteen digits fit 64 bits, in which the arithmetic is far cheaper than in 128.
    let mut number: u128 = 0;
    for chunk in digits.chunks(19) {
        let (value, scale) = chunk.iter().fold((0u64, 1u64), |(value, scale), byte| {
            let digit = u64::from(byte & 0x0f);
            (value.wrapping_mul(10).wrapping_add(digit), scale.wrapping_mul(10))
        });
        number = number
            .checked_mul(u128::from(scale))
            .and_then(|number| number.checked_add(u128::from(value)))
            .ok_or(HashKeyError::TooLarge)?;
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn partition_keys() {
        // As `hashlib` of Python gives them; the last is chosen for its leading zero bytes.
        for (key, number) in [
            ("", 0xd41d8cd98f00b204e9800998ecf8427e),
            ("a", 0x0cc175b9c0f1b6a831c399e269772661),
            ("clé-漢字-🚀", 0x1b4750f2d2e0d29dbe31a73a0602577e),
            ("5329", 0x00003e3b9e5336685200ae85d21b4f5e),
        ] {
            assert_eq!(HashKey::of_partition_key(key).get(), number, "{key}");
        }
    }

    #[test]
    fn ranges() {
        let range: HashKeyRange = "5-9".parse().unwrap();
        for (key, inside) in [(4, false), (5, true), (9, true), (10, false)] {
            assert_eq!(range.contains(HashKey::new(key)), inside, "{key}");
        }
        assert_eq!(range.to_string(), "5-9");
        assert_eq!(HashKeyRange::ALL.to_string(), "0-340282366920938463463374607431768211455");
        assert!(HashKeyRange::ALL.contains(HashKey::MIN) && HashKeyRange::ALL.contains(HashKey::MAX));
        let one = HashKeyRange::new(HashKey::new(7), HashKey::new(7)).unwrap();
        assert!(one.contains(HashKey::new(7)) && !one.contains(HashKey::new(6)));
        for (text, message) in [
            ("9-5", "empty range: 9 is above 5"),
            ("5", "no range: START-END is expected"),
            ("-5", "start of the range: no digits"),
            ("5-", "end of the range: no digits"),
            ("5-9-", "end of the range: not a digit at byte 1"),
            ("05-9", "start of the range: leading zero"),
        ] {
            assert_eq!(text.parse::<HashKeyRange>().unwrap_err().to_string(), message, "{text}");
        }
    }

    use HashKeyError::*;

    #[test]
    fn numbers() {
        let powers = (0..128).map(|bits| 1u128 << bits);
        for number in
            powers.flat_map(|power| [power - 1, power, power + 1]).chain([0, u128::MAX - 1, u128::MAX])
        {
            assert_eq!(parse_hash_key(&number.to_string()), Ok(number));
        }
        for digits in 1..=38 {
            let nines = "9".repeat(digits);
            assert_eq!(parse_hash_key(&nines), Ok(nines.parse().unwrap()));
        }
    }

    #[test]
    fn what_is_wrong() {
        let long_zeros = "0".repeat(40);
        for (text, error) in [
            ("", Empty),
            ("00", LeadingZero),
            ("007", LeadingZero),
            (&*long_zeros, LeadingZero),
            ("+5", NotADigit { offset: 0 }),
            ("-5", NotADigit { offset: 0 }),
            (" 5", NotADigit { offset: 0 }),
            ("5 ", NotADigit { offset: 1 }),
            ("0x1", NotADigit { offset: 1 }),
            ("1e3", NotADigit { offset: 1 }),
            ("12٣", NotADigit { offset: 2 }),
            ("340282366920938463463374607431768211456", TooLarge),
            ("999999999999999999999999999999999999999", TooLarge),
            ("1000000000000000000000000000000000000000", TooLarge),
            ("10000000000000000000000000000000000000000000000000000000000000", TooLarge),
        ] {
            assert_eq!(parse_hash_key(text), Err(error), "{text:?}");
        }
    }
}
