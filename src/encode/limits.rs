//! When an aggregate is full.

use core::time::Duration;

/// When an aggregate is full: by bytes, by user records, by age.
///
/// ```
/// use core::time::Duration;
/// use kinesis_aggregation::Limits;
///
/// let limits = Limits::KPL.with_max_user_records(500).with_max_age(Duration::from_millis(100));
/// assert_eq!(limits.max_bytes(), 51_200);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    max_bytes: u32,
    max_user_records: usize,
    max_age: Option<Duration>,
}

impl Limits {
    /// One PUT payload unit of a provisioned stream, by which Kinesis bills: 25 KB.
    ///
    /// Kinesis Data Streams pricing says "25 KB" and does not say of how many bytes a KB is. This is 25,000, which
    /// is one unit in either reading.
    pub const BILLING_UNIT: Self = Self::of_bytes(25_000);

    /// The default of the Amazon Kinesis Producer Library (its `AggregationMaxSize`): 51,200 bytes.
    pub const KPL: Self = Self::of_bytes(50 * 1024);

    /// The largest record a stream takes unless it is configured for larger ones: 1 MiB, 1,048,576 bytes.
    pub const KINESIS_DEFAULT: Self = Self::of_bytes(1024 * 1024);

    /// The largest record that a stream can be configured to take: 10 MiB, 10,485,760 bytes.
    pub const KINESIS_MAX: Self = Self::of_bytes(10 * 1024 * 1024);

    const fn of_bytes(max_bytes: u32) -> Self {
        Self { max_bytes, max_user_records: usize::MAX, max_age: None }
    }

    /// The same for a size of at most `bytes`, aggregated bytes and outer partition key counted together (rule
    /// E6). No limit goes above [`Self::KINESIS_MAX`]: a larger number is taken for it.
    #[must_use]
    pub const fn with_max_bytes(self, bytes: u32) -> Self {
        let largest = Self::KINESIS_MAX.max_bytes;
        Self { max_bytes: if bytes < largest { bytes } else { largest }, ..self }
    }

    /// The same for at most `count` user records in an aggregate. At least one always is: 0 is taken for 1.
    #[must_use]
    pub const fn with_max_user_records(self, count: usize) -> Self {
        Self { max_user_records: if count == 0 { 1 } else { count }, ..self }
    }

    /// The same for aggregates at most `age` old, from the earliest of the times known of their user records: only those
    /// that are added by `add_at` have one. Adding by `add_at` ends an aggregate that is too old; otherwise it is up to the caller
    /// to ask for what has expired.
    #[must_use]
    pub const fn with_max_age(self, age: Duration) -> Self {
        Self { max_age: Some(age), ..self }
    }

    /// The most bytes, aggregated bytes and outer partition key counted together.
    #[must_use]
    pub const fn max_bytes(&self) -> u32 {
        self.max_bytes
    }

    /// The most user records.
    #[must_use]
    pub const fn max_user_records(&self) -> usize {
        self.max_user_records
    }

    /// The highest age, where there is one.
    #[must_use]
    pub const fn max_age(&self) -> Option<Duration> {
        self.max_age
    }

    /// [`Self::max_bytes`] as a size in memory. Where `usize` has 16 bits, no buffer reaches the limit.
    pub(crate) fn max_size(&self) -> usize {
        usize::try_from(self.max_bytes).unwrap_or(usize::MAX)
    }
}

/// The limit of a stream that was not configured otherwise: [`Limits::KINESIS_DEFAULT`].
impl Default for Limits {
    fn default() -> Self {
        Self::KINESIS_DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_held_to_what_kinesis_takes() {
        let limits = Limits::default().with_max_bytes(u32::MAX).with_max_user_records(0);
        assert_eq!(limits.max_bytes(), 10 * 1024 * 1024);
        assert_eq!(limits.max_user_records(), 1);
        assert_eq!(Limits::default().with_max_bytes(7).max_bytes(), 7);
        assert_eq!(Limits::default(), Limits::KINESIS_DEFAULT);
    }
}
