//! Statistics for operators (rule P13).

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::time::Duration;

/// A count of durations by powers of two of a microsecond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    buckets: [u64; 40],
    count: u64,
    sum: Duration,
    max: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: [0; 40], count: 0, sum: Duration::ZERO, max: Duration::ZERO }
    }
}

impl Histogram {
    pub(super) fn record(&mut self, duration: Duration, times: u64) {
        if times == 0 {
            return;
        }
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bits = u64::BITS - micros.leading_zeros();
        let bucket = usize::try_from(bits).unwrap_or(usize::MAX).min(self.buckets.len() - 1);
        if let Some(counted) = self.buckets.get_mut(bucket) {
            *counted += times;
        }
        self.count += times;
        self.sum = self.sum.saturating_add(duration.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX)));
        self.max = self.max.max(duration);
    }

    /// Counts what was recorded.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Returns the mean, or zero if nothing was recorded.
    #[must_use]
    pub fn mean(&self) -> Duration {
        let nanos = self.sum.as_nanos().checked_div(u128::from(self.count)).unwrap_or(0);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Returns the longest duration recorded.
    #[must_use]
    pub const fn max(&self) -> Duration {
        self.max
    }

    /// Returns a duration that at least `thousandths` of 1,000 of all recorded ones do not exceed: 990 for the 99th percentile.
    /// It is exact to a factor of two.
    #[must_use]
    pub fn percentile(&self, thousandths: u32) -> Duration {
        let wanted = u128::from(self.count) * u128::from(thousandths.min(1000));
        let mut seen = 0u128;
        for (bits, &count) in (0..).zip(&self.buckets) {
            seen += u128::from(count) * 1000;
            if count > 0 && seen >= wanted {
                return Duration::from_micros(1u64.checked_shl(bits).unwrap_or(u64::MAX)).min(self.max);
            }
        }
        self.max
    }
}

/// The statistics of one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShardStats {
    /// User records delivered.
    pub records: u64,
    /// Entries delivered: aggregates and plain records.
    pub entries: u64,
    /// Bytes delivered, partition keys included.
    pub bytes: u64,
    /// Entries that were throttled.
    pub throttled: u64,
    /// Entries that failed for another reason.
    pub failed: u64,
}

/// The statistics of a producer since it was created. Records are user records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProducerStats {
    /// Records added.
    pub added: u64,
    /// Records that `add` returned with an error.
    pub not_added: u64,
    /// Records delivered.
    pub delivered: u64,
    /// Records delivered of which a second copy may be in the stream.
    pub possible_duplicates: u64,
    /// Records given up because they were too old.
    pub expired: u64,
    /// Records given up because their shard or the stream was throttled.
    pub throttled: u64,
    /// Records that Kinesis does not accept.
    pub refused: u64,
    /// Records without a result when the producer was stopped.
    pub abandoned: u64,
    /// PutRecords calls begun.
    pub calls: u64,
    /// Calls that failed as a whole.
    pub failed_calls: u64,
    /// Calls that were not answered in time.
    pub timed_out_calls: u64,
    /// Entries sent, retries included.
    pub entries_sent: u64,
    /// Bytes sent, retries and partition keys included.
    pub bytes_sent: u64,
    /// Entries delivered.
    pub entries_delivered: u64,
    /// Bytes delivered, partition keys included.
    pub bytes_delivered: u64,
    /// The number of answers to calls or listings that nobody waited for, and of entries beyond those of the call.
    pub stale_answers: u64,
    /// Shard listings begun.
    pub listings: u64,
    /// Shard listings that failed, or in which hash keys had no owner or two.
    pub failed_listings: u64,
    /// Records that were routed again after a reshard.
    pub rerouted: u64,
    /// Records stored by a shard that does not own them. They are sent again.
    pub misplaced: u64,
    /// The number of times that the stream turned out to be another one under the same name.
    pub stream_replaced: u64,
    /// True if calls have been denied for [`ProducerConfig::stalled_after`](crate::produce::ProducerConfig::stalled_after).
    pub stalled: bool,
    /// Entries that failed, alone or with their call, by error code.
    pub errors: BTreeMap<Arc<str>, u64>,
    /// The statistics of each shard.
    pub shards: BTreeMap<Arc<str>, ShardStats>,
    /// The time from `add` to the call that delivered a record: that of the oldest record of its aggregate.
    pub time_in_buffer: Histogram,
    /// The time from a call to its answer.
    pub request_duration: Histogram,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact_to_a_factor_of_two() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.mean(), histogram.percentile(500)), (Duration::ZERO, Duration::ZERO));
        for millis in 1..=1000 {
            histogram.record(Duration::from_millis(millis), 1);
        }
        assert_eq!(histogram.count(), 1000);
        assert_eq!(histogram.max(), Duration::from_secs(1));
        assert_eq!(histogram.mean(), Duration::from_micros(500_500));
        for thousandths in [1, 100, 500, 900, 990, 1000] {
            let exact = Duration::from_millis(thousandths.into());
            let found = histogram.percentile(thousandths);
            assert!(exact <= found && found <= exact * 2, "{thousandths}: {found:?}");
        }
    }
}
