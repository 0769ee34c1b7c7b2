//! Positions in a shard, in the order in which its records are read.

use core::cmp::Ordering;
use core::fmt;

/// A sequence number of Kinesis: a large decimal number, or one of four names for a position before or after all numbers.
///
/// The order is that of the KCL: `AT_TIMESTAMP`, `TRIM_HORIZON`, `LATEST`, the numbers by their value, `SHARD_END`.
#[derive(Clone, Copy, Debug)]
pub struct SequenceNumber<'a> {
    text: &'a str,
    /// Without leading zeros; empty for 0.
    digits: &'a str,
    rank: Rank,
}

/// The order among kinds of sequence numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    AtTimestamp,
    TrimHorizon,
    Latest,
    Number,
    ShardEnd,
}

impl<'a> SequenceNumber<'a> {
    /// The position before all records that a shard still has.
    pub const TRIM_HORIZON: SequenceNumber<'static> =
        SequenceNumber { text: "TRIM_HORIZON", digits: "", rank: Rank::TrimHorizon };

    /// The position after all records that a shard had when reading began.
    pub const LATEST: SequenceNumber<'static> =
        SequenceNumber { text: "LATEST", digits: "", rank: Rank::Latest };

    /// The position at a point in time, which is kept elsewhere.
    pub const AT_TIMESTAMP: SequenceNumber<'static> =
        SequenceNumber { text: "AT_TIMESTAMP", digits: "", rank: Rank::AtTimestamp };

    /// The position after the last record of a closed shard.
    pub const SHARD_END: SequenceNumber<'static> =
        SequenceNumber { text: "SHARD_END", digits: "", rank: Rank::ShardEnd };

    /// Parses a sequence number from Kinesis or from a checkpoint table: any number of ASCII digits, or one of the four
    /// names. Returns `None` for any other text.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        for name in [Self::TRIM_HORIZON, Self::LATEST, Self::AT_TIMESTAMP, Self::SHARD_END] {
            if name.text == text {
                return Some(name);
            }
        }
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Self { text, digits: text.trim_start_matches('0'), rank: Rank::Number })
    }

    /// Returns the text it was parsed from.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.text
    }
}

impl PartialEq for SequenceNumber<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for SequenceNumber<'_> {}

impl PartialOrd for SequenceNumber<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SequenceNumber<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank
            .cmp(&other.rank)
            // Of numbers without leading zeros, the longer one is larger; of equally long ones, the one that sorts later.
            .then_with(|| self.digits.len().cmp(&other.digits.len()))
            .then_with(|| self.digits.cmp(other.digits))
    }
}

impl fmt::Display for SequenceNumber<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// The position of a user record in a shard: the sequence number of its Kinesis record, then its sub-sequence number.
///
/// ```
/// use kinesis_aggregation::decode::{ExtendedSequenceNumber, SequenceNumber};
///
/// let at = |sequence, sub| ExtendedSequenceNumber::new(SequenceNumber::parse(sequence).unwrap(), sub);
/// assert!(at("99", 7) < at("100", 0));
/// assert!(at("100", 0) < at("100", 1));
/// assert!(at("TRIM_HORIZON", 9) < at("0", 0));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ExtendedSequenceNumber<'a> {
    /// The sequence number of the Kinesis record.
    pub sequence_number: SequenceNumber<'a>,
    /// The position in its aggregate, from 0.
    pub sub_sequence_number: u64,
}

impl<'a> ExtendedSequenceNumber<'a> {
    /// Combines a sequence number and a sub-sequence number.
    #[must_use]
    pub const fn new(sequence_number: SequenceNumber<'a>, sub_sequence_number: u64) -> Self {
        Self { sequence_number, sub_sequence_number }
    }
}

/// The order of the KCL: any two `SHARD_END` are equal; of other equal sequence numbers, the sub-sequence number decides.
impl Ord for ExtendedSequenceNumber<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_sequence_number = self.sequence_number.cmp(&other.sequence_number);
        match self.sequence_number.rank {
            Rank::ShardEnd => by_sequence_number,
            _ => by_sequence_number.then(self.sub_sequence_number.cmp(&other.sub_sequence_number)),
        }
    }
}

impl PartialOrd for ExtendedSequenceNumber<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ExtendedSequenceNumber<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ExtendedSequenceNumber<'_> {}

/// Writes `SEQUENCE/SUB`.
impl fmt::Display for ExtendedSequenceNumber<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.sequence_number, self.sub_sequence_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn at(sequence_number: &str, sub_sequence_number: u64) -> ExtendedSequenceNumber<'_> {
        ExtendedSequenceNumber::new(SequenceNumber::parse(sequence_number).unwrap(), sub_sequence_number)
    }

    #[test]
    fn order() {
        let ascending = [
            at("AT_TIMESTAMP", 0),
            at("TRIM_HORIZON", 0),
            at("TRIM_HORIZON", 5),
            at("LATEST", 0),
            at("0", 0),
            at("0", 1),
            at("1", 0),
            at("9", u64::MAX),
            at("10", 0),
            at("49590338271490256608559692538361571095921575989136588898", 0),
            at("49590338271490256608559692538361571095921575989136588899", 0),
            at("100000000000000000000000000000000000000000000000000000000", 0),
            at("SHARD_END", 0),
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!((a.cmp(b), a.partial_cmp(b)), (i.cmp(&j), Some(i.cmp(&j))), "{a} and {b}");
                let (a, b) = (a.sequence_number, b.sequence_number);
                assert_eq!(a.partial_cmp(&b), Some(a.cmp(&b)), "{a} and {b}");
                assert_eq!(a == b, a.as_str() == b.as_str(), "{a} and {b}");
            }
        }
    }

    #[test]
    fn equality() {
        assert_eq!(at("007", 1), at("7", 1));
        assert_eq!(at("0", 1), at("000", 1));
        assert_eq!(at("SHARD_END", 1), at("SHARD_END", 2));
        assert_ne!(at("LATEST", 1), at("LATEST", 2));
    }

    #[test]
    fn invalid_texts() {
        for text in ["", "-1", "+1", "1 ", "latest", "1e5", "٣"] {
            assert_eq!(SequenceNumber::parse(text), None, "{text:?}");
        }
        assert_eq!(at("12", 3).to_string(), "12/3");
    }
}
