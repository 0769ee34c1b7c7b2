//! Counts what was published, and what it costs.

use std::time::Duration;

use kinesis_aggregation::route::RoutedAggregate;

#[derive(Default)]
pub struct Report {
    pub elapsed: Duration,
    pub calls: usize,
    pub failed_calls: usize,
    pub throttled: usize,
    pub failed: usize,
    pub misplaced: usize,
    /// User records confirmed on a shard that owns them.
    pub delivered: usize,
    pub refreshes: usize,
    user_records: usize,
    user_units: usize,
    kinesis_records: usize,
    bytes: usize,
    units: usize,
}

/// Counts PUT payload units, by which provisioned streams are billed: one per 25 KB or part of it.
fn units(bytes: usize) -> usize {
    bytes.div_ceil(25_000).max(1)
}

impl Report {
    pub fn user_record(&mut self, bytes: usize) {
        self.user_records += 1;
        self.user_units += units(bytes);
    }

    /// Counts a stored Kinesis record: everything stored is billed, including duplicates.
    pub fn kinesis_record(&mut self, aggregate: &RoutedAggregate) {
        self.kinesis_records += 1;
        self.bytes += aggregate.aggregate.size_bytes();
        self.units += units(aggregate.aggregate.size_bytes());
    }

    /// Counts the user records that have not been confirmed.
    pub fn undelivered(&self) -> usize {
        self.user_records.saturating_sub(self.delivered)
    }

    /// Prints a JSON object to standard output, and the same for people to standard error.
    pub fn print(&self, price: f64) {
        let seconds = self.elapsed.as_secs_f64();
        let dollars = |units: usize| units as f64 * price / 1e6;
        let saved = self.user_records.saturating_sub(self.kinesis_records);
        eprintln!(
            "{} user records in {} Kinesis records of {} bytes in {seconds:.1} s: {:.0} user records/s",
            self.user_records,
            self.kinesis_records,
            self.bytes,
            self.user_records as f64 / seconds,
        );
        eprintln!(
            "{} PutRecords calls ({} failed), {} entries throttled, {} failed, {} user records misplaced, {} refreshes",
            self.calls, self.failed_calls, self.throttled, self.failed, self.misplaced, self.refreshes
        );
        eprintln!(
            "saved {saved} puts: {} PUT payload units instead of {}, ${:.6} instead of ${:.6} (shard hours not counted)",
            self.units,
            self.user_units,
            dollars(self.units),
            dollars(self.user_units),
        );
        let report = serde_json::json!({
            "seconds": seconds,
            "userRecords": self.user_records,
            "undeliveredUserRecords": self.undelivered(),
            "userRecordsPerSecond": self.user_records as f64 / seconds,
            "kinesisRecords": self.kinesis_records,
            "bytes": self.bytes,
            "savedPuts": saved,
            "calls": self.calls,
            "failedCalls": self.failed_calls,
            "throttledEntries": self.throttled,
            "failedEntries": self.failed,
            "misplacedUserRecords": self.misplaced,
            "refreshes": self.refreshes,
            "putUnits": self.units,
            "putUnitsUnaggregated": self.user_units,
            "dollars": dollars(self.units),
            "dollarsUnaggregated": dollars(self.user_units),
        });
        println!("{report}");
    }
}
