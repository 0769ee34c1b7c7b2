//! `kinesis-agg verify`: packs, takes apart again, compares.

use core::cell::RefCell;
use core::fmt;
use std::collections::{HashMap, VecDeque};
use std::io::{Write, stdout};

use indicatif::HumanCount;

use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::{AggregatedRecord, RecordTag};

use crate::args::{Grouping, HEADING, VerifyArgs};
use crate::failure::Failure;
use crate::input::{Data, for_each_event};
use crate::output::wide;
use crate::packer::{Packed, Packer};
use crate::progress::Progress;

/// A user record that went in and has not come out again.
struct Expected {
    partition_key: String,
    explicit_hash_key: Option<String>,
    data: Vec<u8>,
    tags: Vec<(String, Option<String>)>,
}

/// What went in and what came out.
#[derive(Default)]
struct Account {
    /// In order, by what they may be together with.
    expected: HashMap<String, VecDeque<Expected>>,
    user_records: u64,
    data_bytes: u64,
    /// Bytes of partition keys, if each user record were sent by itself.
    key_bytes_alone: u64,
    /// PUT payload units, if each user record were sent by itself.
    units_alone: u64,
    returned: u64,
    kinesis_records: u64,
    kinesis_bytes: u64,
    partition_key_bytes: u64,
    units_packed: u64,
}

pub(crate) fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let account = RefCell::new(Account::default());
    let (grouping, shards) = args.packing.grouping()?;
    let map = shards.as_ref().map(|shards| shards.map.clone());
    // What user records have in common that come out together, and so come out in order.
    let label = |record: &UserRecord<'_>| match (grouping, &map) {
        (Grouping::All, _) | (Grouping::Shard, None) => String::new(),
        (Grouping::PartitionKey, _) => {
            format!("{}/{}", record.explicit_hash_key.unwrap_or_default(), record.partition_key)
        }
        // A key that is no number has been refused before it gets here.
        (Grouping::Shard, Some(map)) => {
            record.hash_key().map_or_else(|_| String::new(), |key| map.shard_for(key).id().to_owned())
        }
    };
    let progress = Progress::new();
    let hand_out = |packed: Packed<'_>| account.borrow_mut().check(&packed, label);
    let mut packer = Packer::new(&args.packing, grouping, shards, hand_out);
    for_each_event(&args.packing.files, Data::Required, &progress, |event| {
        // First, since what is added may come out at once.
        account.borrow_mut().expect(label(&event.record), &event.record);
        packer.add(&event)
    })?;
    packer.finish()?;
    drop(packer);
    drop(progress);
    account.into_inner().report()
}

impl Expected {
    fn equals(&self, user: &UserRecord<'_>) -> bool {
        let tags: Vec<RecordTag<'_>> =
            self.tags.iter().map(|(key, value)| RecordTag { key, value: value.as_deref() }).collect();
        self.partition_key == user.partition_key
            && self.explicit_hash_key.as_deref() == user.explicit_hash_key
            && self.data == user.data
            && user.tags.eq(tags)
    }
}

impl Account {
    fn expect(&mut self, label: String, record: &UserRecord<'_>) {
        self.expected.entry(label).or_default().push_back(Expected {
            partition_key: record.partition_key.to_owned(),
            explicit_hash_key: record.explicit_hash_key.map(str::to_owned),
            data: record.data.to_vec(),
            tags: record.tags.map(|tag| (tag.key.to_owned(), tag.value.map(str::to_owned))).collect(),
        });
        self.user_records = self.user_records.saturating_add(1);
        self.data_bytes = self.data_bytes.saturating_add(wide(record.data.len()));
        self.key_bytes_alone = self.key_bytes_alone.saturating_add(wide(record.partition_key.len()));
        self.units_alone = self.units_alone.saturating_add(units(record.data.len()));
    }

    fn check(
        &mut self,
        packed: &Packed<'_>,
        label: impl Fn(&UserRecord<'_>) -> String,
    ) -> Result<(), Failure> {
        let aggregate = AggregatedRecord::parse(packed.data, Vec::new())
            .map_err(|error| Failure::Input(format!("Kinesis record {} {error}", self.kinesis_records)))?;
        for user in &aggregate {
            let expected = self.expected.get_mut(&label(&user)).and_then(VecDeque::pop_front);
            if !expected.is_some_and(|expected| expected.equals(&user)) {
                return Err(Failure::Input(format!(
                    "user record {} of Kinesis record {} is not the one that went in",
                    user.sub_sequence_number, self.kinesis_records
                )));
            }
            self.returned = self.returned.saturating_add(1);
        }
        self.kinesis_records = self.kinesis_records.saturating_add(1);
        self.kinesis_bytes = self.kinesis_bytes.saturating_add(wide(packed.data.len()));
        self.partition_key_bytes = self.partition_key_bytes.saturating_add(wide(packed.partition_key.len()));
        self.units_packed = self.units_packed.saturating_add(units(packed.data.len()));
        Ok(())
    }

    fn report(&self) -> Result<(), Failure> {
        let left = self.expected.values().map(VecDeque::len).fold(0, usize::saturating_add);
        if left > 0 || self.returned != self.user_records {
            return Err(Failure::Input(format!("{left} user records did not come out again")));
        }
        let count = HumanCount;
        let alone_bytes = self.data_bytes.saturating_add(self.key_bytes_alone);
        let packed_bytes = self.kinesis_bytes.saturating_add(self.partition_key_bytes);
        let overhead = self.kinesis_bytes.saturating_sub(self.data_bytes);
        let mut out = anstream::AutoStream::auto(stdout().lock());
        writeln!(
            out,
            "{HEADING}{} user records were packed into {} Kinesis record{} and taken apart again: all are \
             equal{HEADING:#}\n",
            count(self.user_records),
            count(self.kinesis_records),
            if self.kinesis_records == 1 { "" } else { "s" }
        )?;
        writeln!(out, "{:28}{:>14}{:>14}", "", "one by one", "packed")?;
        let mut row = |name: &str, alone: u64, packed: u64| {
            let (alone_text, packed_text) = (count(alone).to_string(), count(packed).to_string());
            writeln!(out, "  {name:26}{alone_text:>14}{packed_text:>14}   {}", Ratio { alone, packed })
        };
        row("Kinesis records", self.user_records, self.kinesis_records)?;
        row("bytes, with partition keys", alone_bytes, packed_bytes)?;
        row("PUT payload units of 25 KB", self.units_alone, self.units_packed)?;
        writeln!(
            out,
            "\n  data {} bytes, overhead {} bytes: {:.1} % of what is packed is keys, lengths, magic and digest",
            count(self.data_bytes),
            count(overhead),
            100.0 * share(overhead, self.kinesis_bytes)
        )?;
        Ok(())
    }
}

/// How many times fewer, or more.
struct Ratio {
    alone: u64,
    packed: u64,
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.alone, self.packed) {
            (0, _) | (_, 0) => Ok(()),
            (alone, packed) if alone >= packed.saturating_mul(2) => {
                write!(f, "{:.1} times fewer", share(alone, packed))
            }
            (alone, packed) if alone >= packed => {
                write!(f, "{:.1} % fewer", 100.0 * share(alone.saturating_sub(packed), alone))
            }
            (alone, packed) => write!(f, "{:.1} % more", 100.0 * share(packed.saturating_sub(alone), alone)),
        }
    }
}

/// How many PUT payload units of 25 KB a Kinesis record of this size is billed as.
fn units(bytes: usize) -> u64 {
    wide(bytes).div_ceil(25_000).max(1)
}

#[expect(clippy::as_conversions, reason = "for people to read: the digits lost do not show")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
