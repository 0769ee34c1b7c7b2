//! When an aggregate is full.

use core::time::Duration;

/// When an aggregate is full: by its size, its number of user records and of partition keys, and its age.
///
/// Sizes are in bytes, and count what Kinesis counts: the data of the aggregate and its partition key (rule E6). There are
/// two of them:
///
/// - the *target*: an aggregate of two or more user records is never larger;
/// - the *maximum*: no aggregate is ever larger. A user record that exceeds the target alone, but not the maximum, gets an
///   aggregate of its own, in order. One that exceeds the maximum is refused (rule E7).
///
/// ```
/// use core::time::Duration;
/// use kinesis_aggregation::Limits;
///
/// let limits = Limits::KPL.with_max_user_records(500).with_max_age(Duration::from_millis(100));
/// assert_eq!((limits.target_bytes(), limits.max_bytes()), (51_200, 1_048_576));
/// ```
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    target_bytes: u32,
    max_bytes: u32,
    max_partition_keys: u32,
    max_user_records: usize,
    max_age: Option<Duration>,
}

impl Limits {
    /// A target of 25,000 bytes: one PUT payload unit, the unit by which Kinesis bills records put to a provisioned stream.
    /// The maximum is that of [`Self::KINESIS_DEFAULT`].
    ///
    /// The pricing of Kinesis Data Streams says "25 KB" and does not define a KB. 25,000 bytes are one unit either way.
    pub const BILLING_UNIT: Self = Self::of_bytes(25_000, KINESIS_DEFAULT);

    /// The default of the Amazon Kinesis Producer Library: a target of 51,200 bytes, its `AggregationMaxSize`. The maximum is
    /// that of [`Self::KINESIS_DEFAULT`].
    pub const KPL: Self = Self::of_bytes(51_200, KINESIS_DEFAULT);

    /// The limits of an AWS IoT rule that puts into a stream: 131,072 bytes, the quota of 128 KB for the payload of a message to AWS
    /// IoT Core, and one partition key, since the rule puts each message with one. See the
    /// [guide](crate::guides::devices).
    pub const IOT_CORE: Self = Self::of_bytes(131_072, 131_072).with_max_partition_keys(1);

    /// The largest record that a stream accepts by default: 1,048,576 bytes (1 MiB), the quota of Kinesis Data Streams for
    /// data and partition key.
    pub const KINESIS_DEFAULT: Self = Self::of_bytes(KINESIS_DEFAULT, KINESIS_DEFAULT);

    /// The largest record that a stream can be configured to accept: 10,485,760 bytes (10 MiB), data and partition key.
    pub const KINESIS_MAX: Self = Self::of_bytes(KINESIS_MAX, KINESIS_MAX);

    const fn of_bytes(target_bytes: u32, max_bytes: u32) -> Self {
        Self {
            target_bytes,
            max_bytes,
            max_partition_keys: u32::MAX,
            max_user_records: usize::MAX,
            max_age: None,
        }
    }

    /// Sets the target, the size of an aggregate of two or more user records. A target above the maximum is lowered to it.
    #[must_use]
    pub const fn with_target_bytes(self, bytes: u32) -> Self {
        Self { target_bytes: min(bytes, self.max_bytes), ..self }
    }

    /// Sets the maximum, the size of any aggregate. A maximum above that of [`Self::KINESIS_MAX`] is lowered to it, and a
    /// target above the maximum is lowered to the maximum.
    #[must_use]
    pub const fn with_max_bytes(self, bytes: u32) -> Self {
        let max_bytes = min(bytes, KINESIS_MAX);
        Self { target_bytes: min(self.target_bytes, max_bytes), max_bytes, ..self }
    }

    /// Sets the number of user records in an aggregate. At least one always fits: 0 means 1.
    #[must_use]
    pub const fn with_max_user_records(self, count: usize) -> Self {
        Self { max_user_records: if count == 0 { 1 } else { count }, ..self }
    }

    /// Sets the number of partition keys in an aggregate. At least one always fits: 0 means 1.
    ///
    /// With 1, all user records of an aggregate have the same partition key, as something that puts it with a key of its own
    /// choice, such as an AWS IoT rule, requires. A key that an [`Encoder`](crate::Encoder) has forgotten counts again when
    /// it is used again.
    #[must_use]
    pub const fn with_max_partition_keys(self, count: u32) -> Self {
        Self { max_partition_keys: if count == 0 { 1 } else { count }, ..self }
    }

    /// Sets the age of an aggregate, from the earliest known time of its user records.
    ///
    /// It applies wherever a time is given: `add_at` finishes an aggregate that is too old, and `expired` says which one is.
    /// User records added without a time have no age.
    #[must_use]
    pub const fn with_max_age(self, age: Duration) -> Self {
        Self { max_age: Some(age), ..self }
    }

    /// Returns the largest size of an aggregate of two or more user records.
    #[must_use]
    pub const fn target_bytes(&self) -> u32 {
        self.target_bytes
    }

    /// Returns the largest size of any aggregate.
    #[must_use]
    pub const fn max_bytes(&self) -> u32 {
        self.max_bytes
    }

    /// Returns the largest number of user records.
    #[must_use]
    pub const fn max_user_records(&self) -> usize {
        self.max_user_records
    }

    /// Returns the largest number of partition keys.
    #[must_use]
    pub const fn max_partition_keys(&self) -> u32 {
        self.max_partition_keys
    }

    /// Returns the age at which an aggregate is finished, if there is one.
    #[must_use]
    pub const fn max_age(&self) -> Option<Duration> {
        self.max_age
    }

    /// [`Self::target_bytes`] as a size in memory. With a 16-bit `usize` no buffer reaches the limit.
    #[inline(always)]
    pub(crate) fn target_size(&self) -> usize {
        usize::try_from(self.target_bytes).unwrap_or(usize::MAX)
    }

    /// [`Self::max_bytes`] as a size in memory.
    #[inline(always)]
    pub(crate) fn max_size(&self) -> usize {
        usize::try_from(self.max_bytes).unwrap_or(usize::MAX)
    }
}

const KINESIS_DEFAULT: u32 = 1024 * 1024;
const KINESIS_MAX: u32 = 10 * 1024 * 1024;

const fn min(a: u32, b: u32) -> u32 {
    if a < b { a } else { b }
}

/// The limits of a stream with the default configuration: [`Limits::KINESIS_DEFAULT`].
impl Default for Limits {
    fn default() -> Self {
        Self::KINESIS_DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_stay_within_what_kinesis_accepts() {
        let sizes = |limits: Limits| (limits.target_bytes(), limits.max_bytes());
        for (name, limits, expected) in [
            ("maximum too high", Limits::KPL.with_max_bytes(u32::MAX), (51_200, 10_485_760)),
            ("maximum below the target", Limits::KPL.with_max_bytes(7), (7, 7)),
            ("target above the maximum", Limits::KPL.with_target_bytes(u32::MAX), (1_048_576, 1_048_576)),
            ("target below the maximum", Limits::default().with_target_bytes(7), (7, 1_048_576)),
            ("both", Limits::default().with_max_bytes(9).with_target_bytes(7), (7, 9)),
        ] {
            assert_eq!(sizes(limits), expected, "{name}");
        }
        assert_eq!(Limits::default(), Limits::KINESIS_DEFAULT);
    }

    #[test]
    fn one_user_record_always_fits() {
        assert_eq!(Limits::default().with_max_user_records(0).max_user_records(), 1);
        assert_eq!(Limits::default().with_max_partition_keys(0).max_partition_keys(), 1);
    }
}
