//! Hash keys: the 128-bit numbers by which Kinesis assigns records to shards.

use core::fmt;
use core::str::FromStr;

use crate::digest::{Md5, digest_each};
use crate::error::HashKeyError;
use crate::message::{UserRecord, parse_hash_key};

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
}
