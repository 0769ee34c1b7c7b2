//! How far a shard was read.

use core::cmp::Ordering;
use core::fmt;

use crate::decode::{AggregatedRecord, UserRecords};
use crate::message::KeyRoom;

/// A sequence number of Kinesis: a large decimal number, or a mark that stands before or behind all of them.
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
    /// Before all records that a shard still has.
    pub const TRIM_HORIZON: SequenceNumber<'static> =
        SequenceNumber { text: "TRIM_HORIZON", digits: "", rank: Rank::TrimHorizon };

    /// Behind all records that a shard had when reading began.
    pub const LATEST: SequenceNumber<'static> =
        SequenceNumber { text: "LATEST", digits: "", rank: Rank::Latest };

    /// At a point in time that is kept elsewhere.
    pub const AT_TIMESTAMP: SequenceNumber<'static> =
        SequenceNumber { text: "AT_TIMESTAMP", digits: "", rank: Rank::AtTimestamp };

    /// Behind the last record of a closed shard.
    pub const SHARD_END: SequenceNumber<'static> =
        SequenceNumber { text: "SHARD_END", digits: "", rank: Rank::ShardEnd };

    /// Reads what Kinesis or a checkpoint table holds: ASCII digits, any number of them, or one of the four marks.
    ///
    /// # Errors
    ///
    /// Says that the text is neither.
    pub fn parse(text: &'a str) -> Result<Self, SequenceNumberError> {
        for mark in [Self::TRIM_HORIZON, Self::LATEST, Self::AT_TIMESTAMP, Self::SHARD_END] {
            if mark.text == text {
                return Ok(mark);
            }
        }
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SequenceNumberError);
        }
        Ok(Self { text, digits: text.trim_start_matches('0'), rank: Rank::Number })
    }

    /// The text it was read from.
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

/// A text is neither a sequence number nor one of the marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SequenceNumberError;

impl fmt::Display for SequenceNumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("neither a sequence number nor TRIM_HORIZON, LATEST, AT_TIMESTAMP or SHARD_END")
    }
}

impl core::error::Error for SequenceNumberError {}

/// The place of a user record in a shard: the sequence number of its Kinesis record, then its sub-sequence number.
///
/// ```
/// use kinesis_aggregation::{ExtendedSequenceNumber, SequenceNumber};
///
/// let at = |sequence, sub| Ok(ExtendedSequenceNumber::new(SequenceNumber::parse(sequence)?, sub));
/// assert!(at("99", 7)? < at("100", 0)?);
/// assert!(at("100", 0)? < at("100", 1)?);
/// assert!(at("TRIM_HORIZON", 9)? < at("0", 0)?);
/// # Ok::<(), kinesis_aggregation::SequenceNumberError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ExtendedSequenceNumber<'a> {
    /// The sequence number of the Kinesis record.
    pub sequence_number: SequenceNumber<'a>,
    /// The position in its aggregate, from 0.
    pub sub_sequence_number: u64,
}

impl<'a> ExtendedSequenceNumber<'a> {
    /// Puts the two together.
    #[must_use]
    pub const fn new(sequence_number: SequenceNumber<'a>, sub_sequence_number: u64) -> Self {
        Self { sequence_number, sub_sequence_number }
    }
}

/// As in the KCL: any two `SHARD_END` are equal; of other equal sequence numbers, the sub-sequence number decides.
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

#[cfg(feature = "alloc")]
impl<'r, R: crate::decode::KinesisRecord> crate::decode::SourcedRecord<'r, R> {
    /// Its place in the shard, if its Kinesis record has a sequence number: what to keep as a checkpoint.
    #[must_use]
    pub fn extended_sequence_number(&self) -> Option<ExtendedSequenceNumber<'r>> {
        let sequence_number = SequenceNumber::parse(self.record.sequence_number()?).ok()?;
        Some(ExtendedSequenceNumber::new(sequence_number, self.user.sub_sequence_number))
    }
}

impl<'a, K: KeyRoom<'a>> AggregatedRecord<'a, K> {
    /// Yields the user records after the one with this sub-sequence number: what is left to do where a checkpoint was
    /// made in the middle of the aggregate. Their own sub-sequence numbers stay what they are. To read the aggregate again, ask
    /// Kinesis for a shard iterator `AT_SEQUENCE_NUMBER`, not `AFTER_SEQUENCE_NUMBER`.
    ///
    /// ```
    /// use kinesis_aggregation::{AggregatedRecord, KeySlot, UserRecord, encode};
    ///
    /// let records = ["a", "b", "c"].map(|data| UserRecord::new("key", data));
    /// let mut buffer = [0; 64];
    /// let payload = encode(&records, &mut [KeySlot::EMPTY; 3], &mut buffer)?;
    ///
    /// let aggregate = AggregatedRecord::parse(payload, [""; 1])?;
    /// let rest: Vec<_> = aggregate.records_after(0).map(|user| user.sub_sequence_number).collect();
    /// assert_eq!(rest, [1, 2]);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn records_after(&self, sub_sequence_number: u64) -> UserRecords<'_, 'a> {
        let mut records = self.records();
        // Past the end there is nothing left, as there should be.
        _ = records.nth(usize::try_from(sub_sequence_number).unwrap_or(usize::MAX));
        records
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
    fn what_is_equal() {
        assert_eq!(at("007", 1), at("7", 1));
        assert_eq!(at("0", 1), at("000", 1));
        assert_eq!(at("SHARD_END", 1), at("SHARD_END", 2));
        assert_ne!(at("LATEST", 1), at("LATEST", 2));
    }

    #[test]
    fn what_is_none() {
        for text in ["", "-1", "+1", "1 ", "latest", "1e5", "٣"] {
            assert_eq!(SequenceNumber::parse(text), Err(SequenceNumberError), "{text:?}");
        }
        assert_eq!(at("12", 3).to_string(), "12/3");
    }
}
