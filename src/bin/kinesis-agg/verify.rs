//! `kinesis-agg verify`: aggregates user records, deaggregates the result, and compares.

use core::fmt;
use core::time::Duration;
use std::collections::{HashMap, VecDeque};
use std::io::{Write, stdout};
use std::time::Instant;

use indicatif::HumanCount;

use kinesis_aggregation::decode::{AggregatedRecord, RecordTag};
use kinesis_aggregation::{Aggregate, UserRecord};

use crate::aggregate::{Aggregator, Finished};
use crate::args::{HEADING, LITERAL, VerifyArgs};
use crate::failure::Failure;
use crate::input::{Data, InputRecord, Place, UserEvent, for_each_user_record};
use crate::output::to_u64;
use crate::progress::Progress;
use crate::text::{Percent, columns, counted};

/// User records are handled in batches of about this many bytes. Each step takes a whole batch at a time, so that
/// reading the clock does not add to the times. Larger batches would not fit into the caches.
const BATCH_BYTES: usize = 256 * 1024;

/// A user record that was read.
struct Owned {
    place: Place,
    partition_key: String,
    explicit_hash_key: Option<String>,
    data: Vec<u8>,
    tags: Vec<(String, Option<String>)>,
}

struct Verification {
    aggregator: Aggregator,
    batch: Vec<Owned>,
    batch_bytes: usize,
    /// The user records that have not come back yet, in order, by group.
    expected: HashMap<String, VecDeque<Owned>>,
    totals: Totals,
    times: Times,
}

/// Counts of what went in and what came back.
#[derive(Default)]
struct Totals {
    user_records: u64,
    data_bytes: u64,
    partition_key_bytes: u64,
    /// PUT payload units if each user record were a Kinesis record.
    separate_units: u64,
    returned: u64,
    kinesis_records: u64,
    aggregate_bytes: u64,
    outer_key_bytes: u64,
    aggregate_units: u64,
}

#[derive(Default)]
struct Times {
    aggregate: Duration,
    deaggregate: Duration,
    compare: Duration,
}

pub(crate) fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let mut verification = Verification {
        aggregator: Aggregator::new(&args.aggregation, None)?,
        batch: Vec::new(),
        batch_bytes: 0,
        expected: HashMap::new(),
        totals: Totals::default(),
        times: Times::default(),
    };
    let progress = Progress::new();
    let read = for_each_user_record(&args.aggregation.read, Data::Required, &progress, |event| match event {
        UserEvent::Record(input) => verification.add(&input),
        UserEvent::Pause { .. } => Ok(()),
    });
    // Before an error in the input is reported: a user record of the batch, which came first, may have another.
    verification.check_batch()?;
    read?;
    verification.finish()?;
    drop(progress);
    verification.report(started.elapsed())
}

impl Owned {
    fn new(input: &InputRecord<'_>) -> Self {
        let record = &input.record;
        Self {
            place: input.place.clone(),
            partition_key: record.partition_key.to_owned(),
            explicit_hash_key: record.explicit_hash_key.map(str::to_owned),
            data: record.data.to_vec(),
            tags: record.tags.map(|tag| (tag.key.to_owned(), tag.value.map(str::to_owned))).collect(),
        }
    }

    /// Passes the user record to a function. It has to be built each time, because its tags are a borrowed list.
    fn with_record<T>(&self, function: impl FnOnce(UserRecord<'_>) -> T) -> T {
        let tags: Vec<RecordTag<'_>> =
            self.tags.iter().map(|(key, value)| RecordTag { key, value: value.as_deref() }).collect();
        let mut record = UserRecord::new(&self.partition_key, &self.data).with_tags(&tags);
        record.explicit_hash_key = self.explicit_hash_key.as_deref();
        function(record)
    }

    /// Compares everything except the sub-sequence number, which only a deaggregated user record has.
    fn equals(&self, user: &UserRecord<'_>) -> bool {
        let tags = self.tags.iter().map(|(key, value)| RecordTag { key, value: value.as_deref() });
        self.partition_key == user.partition_key
            && self.explicit_hash_key.as_deref() == user.explicit_hash_key
            && self.data == user.data
            && user.tags.eq(tags)
    }
}

impl Verification {
    fn add(&mut self, input: &InputRecord<'_>) -> Result<(), Failure> {
        self.batch_bytes += size_of::<Owned>() + input.record.data.len() + input.record.partition_key.len();
        self.batch.push(Owned::new(input));
        if self.batch_bytes < BATCH_BYTES { Ok(()) } else { self.check_batch() }
    }

    /// Aggregates the batch, and checks the aggregates that are finished.
    fn check_batch(&mut self) -> Result<(), Failure> {
        let started = Instant::now();
        let mut finished = Vec::new();
        for owned in &self.batch {
            let added = owned.with_record(|record| self.aggregator.add(record));
            finished.extend(added.map_err(|error| owned.place.fault(error))?);
        }
        self.times.aggregate += started.elapsed();

        let started = Instant::now();
        self.batch_bytes = 0;
        for owned in self.batch.drain(..) {
            self.totals.went_in(&owned);
            let group = owned.with_record(|record| self.aggregator.group_of(&record));
            self.expected.entry(group).or_default().push_back(owned);
        }
        self.times.compare += started.elapsed();
        self.check(&finished)
    }

    /// Checks the aggregates that are still pending at the end.
    fn finish(&mut self) -> Result<(), Failure> {
        let started = Instant::now();
        let finished = self.aggregator.finish().map_err(|error| Failure::Input(error.to_string()))?;
        self.times.aggregate += started.elapsed();
        self.check(&finished)?;
        match self.expected.values().map(VecDeque::len).sum::<usize>() {
            0 => Ok(()),
            missing => Err(Failure::Input(format!("{missing} user records did not come back"))),
        }
    }

    /// Deaggregates and compares.
    fn check(&mut self, finished: &[Finished]) -> Result<(), Failure> {
        for Finished { aggregate, .. } in finished {
            let number = self.totals.kinesis_records;
            let started = Instant::now();
            let parsed = AggregatedRecord::parse(&aggregate.data)
                .map_err(|error| Failure::Input(format!("Kinesis record {number}: {error}")))?;
            let users: Vec<UserRecord<'_>> = parsed.records().collect();
            let deaggregated = Instant::now();
            for user in &users {
                let expected = self.expected.get_mut(&self.aggregator.group_of(user));
                if !expected.and_then(VecDeque::pop_front).is_some_and(|expected| expected.equals(user)) {
                    return Err(Failure::Input(format!(
                        "Kinesis record {number}: user record {} differs from the input",
                        user.sub_sequence_number
                    )));
                }
            }
            self.totals.came_back(aggregate, users.len());
            self.times.deaggregate += deaggregated - started;
            self.times.compare += deaggregated.elapsed();
        }
        Ok(())
    }

    fn report(&self, elapsed: Duration) -> Result<(), Failure> {
        let Self { totals, times, .. } = self;
        let count = HumanCount;
        let mut out = anstream::AutoStream::auto(stdout().lock());
        let title = format!(
            "{HEADING}{} aggregated into {}, deaggregated, and compared: all are equal{HEADING:#}",
            counted(totals.user_records, "user record"),
            counted(totals.kinesis_records, "Kinesis record"),
        );
        writeln!(out, "{}\n", textwrap::fill(&title, columns()))?;
        writeln!(out, "  {:26}{:>14}{:>14}", "", "separate", "aggregated")?;
        let mut row = |name: &str, separate: u64, aggregated: u64| {
            let columns = [separate, aggregated].map(|number| count(number).to_string());
            let [left, right] = columns;
            writeln!(out, "  {name:26}{left:>14}{right:>14}   {}", Saving { separate, aggregated })
        };
        row("Kinesis records", totals.user_records, totals.kinesis_records)?;
        row(
            "bytes with partition keys",
            totals.data_bytes + totals.partition_key_bytes,
            totals.aggregate_bytes + totals.outer_key_bytes,
        )?;
        row("PUT payload units of 25 KB", totals.separate_units, totals.aggregate_units)?;
        let overhead = totals.aggregate_bytes - totals.data_bytes;
        writeln!(
            out,
            "\n  {} of data, {} of overhead ({})\n",
            counted(totals.data_bytes, "byte"),
            counted(overhead, "byte"),
            Percent(overhead, totals.aggregate_bytes)
        )?;

        writeln!(out, "  {:26}{:>14}{:>14}", "", "milliseconds", "records/s")?;
        let read = elapsed.saturating_sub(times.aggregate + times.deaggregate + times.compare);
        for (name, time) in [
            ("read", read),
            ("aggregate", times.aggregate),
            ("deaggregate", times.deaggregate),
            ("compare", times.compare),
        ] {
            let milliseconds = 1000.0 * time.as_secs_f64();
            let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1);
            let rate = u128::from(totals.user_records) * 1_000_000_000 / u128::from(nanoseconds);
            let rate = count(u64::try_from(rate).unwrap_or(u64::MAX)).to_string();
            writeln!(out, "  {name:26}{milliseconds:>14.1}{LITERAL}{rate:>14}{LITERAL:#}")?;
        }
        Ok(())
    }
}

impl Totals {
    fn went_in(&mut self, record: &Owned) {
        self.user_records += 1;
        self.data_bytes += to_u64(record.data.len());
        self.partition_key_bytes += to_u64(record.partition_key.len());
        self.separate_units += units(record.data.len());
    }

    fn came_back(&mut self, aggregate: &Aggregate, user_records: usize) {
        self.returned += to_u64(user_records);
        self.kinesis_records += 1;
        self.aggregate_bytes += to_u64(aggregate.data.len());
        self.outer_key_bytes += to_u64(aggregate.partition_key.len());
        self.aggregate_units += units(aggregate.data.len());
    }
}

/// The difference: so many times or percent fewer, or more.
struct Saving {
    separate: u64,
    aggregated: u64,
}

impl fmt::Display for Saving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.separate, self.aggregated) {
            (0, _) | (_, 0) => Ok(()),
            (separate, aggregated) if separate / aggregated >= 2 => {
                write!(f, "{:.1} times fewer", ratio(separate, aggregated))
            }
            (separate, aggregated) if separate >= aggregated => {
                write!(f, "{:.1} % fewer", 100.0 * ratio(separate - aggregated, separate))
            }
            (separate, aggregated) => {
                write!(f, "{:.1} % more", 100.0 * ratio(aggregated - separate, separate))
            }
        }
    }
}

/// Returns how many PUT payload units of 25 KB a Kinesis record with this much data is billed as.
fn units(bytes: usize) -> u64 {
    to_u64(bytes).div_ceil(25_000).max(1)
}

#[expect(clippy::as_conversions, reason = "only a few digits are shown")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
