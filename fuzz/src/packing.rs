//! Calls an `Encoder` or a `RecordAggregator`, and compares every result with a model that knows only the rules.

use core::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use kinesis_aggregation::encode::EncodeError;
use kinesis_aggregation::route::HashKey;
use kinesis_aggregation::{Encoder, Limits, RecordAggregator};

use crate::common::encode::arithmetic;
use crate::common::encode::pack::{Pack, Packed};
use crate::common::{Record, with_record, with_records};
use crate::records::any_record;

/// Limits, and the calls to make.
#[derive(Arbitrary, Debug)]
pub struct Script {
    max_bytes: u16,
    /// Half of the scripts have a target below the maximum.
    target_bytes: u16,
    max_user_records: Option<u8>,
    /// In milliseconds.
    max_age: Option<u8>,
    /// The size of an encoder's buffer.
    capacity: u16,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    /// Adds a user record: with the time, so many milliseconds later, or without a time.
    Add(Record, Option<u8>),
    Finish,
    Clear,
    /// Lets so many milliseconds pass.
    Wait(u8),
}

impl<'a> Arbitrary<'a> for Step {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=15)? {
            0 => Self::Finish,
            1 => Self::Clear,
            2 => Self::Wait(u.arbitrary()?),
            3..=6 => Self::Add(any_record(u)?, Some(u.int_in_range(0..=31)?)),
            _ => Self::Add(any_record(u)?, None),
        })
    }
}

impl Script {
    fn limits(&self) -> Limits {
        let limits = Limits::default().with_max_bytes(self.max_bytes.into());
        let limits = limits.with_target_bytes(self.target_bytes.into());
        let count = self.max_user_records.map_or(usize::MAX, usize::from);
        let limits = limits.with_max_user_records(count);
        let age = self.max_age.map(|age| Duration::from_millis(age.into()));
        age.map_or(limits, |age| limits.with_max_age(age))
    }
}

/// Makes the calls to an aggregator.
pub fn aggregator(script: &Script) {
    let limits = script.limits();
    run(script, &mut RecordAggregator::new(limits), Model::new(limits, usize::MAX, usize::MAX));
}

/// Makes the calls to encoders that remember 0, 1 and 4 keys.
pub fn encoder(script: &Script) {
    fn remembering<const KEYS: usize>(script: &Script) {
        let (limits, capacity) = (script.limits(), usize::from(script.capacity));
        let mut buffer = vec![0xa5; capacity];
        run(script, &mut Encoder::<KEYS>::new(&mut buffer, limits), Model::new(limits, KEYS, capacity));
    }
    remembering::<0>(script);
    remembering::<1>(script);
    remembering::<4>(script);
}

fn run(script: &Script, packer: &mut dyn Pack, mut model: Model) {
    for step in &script.steps {
        match step {
            Step::Add(record, later) => {
                model.now += Duration::from_millis(later.unwrap_or(0).into());
                let now = later.map(|_| model.now);
                let expected = model.add(record, now);
                with_record(record, |user| {
                    if now.is_none() {
                        assert_eq!(packer.fits(user), expected == Ok(None), "{record:?}");
                    }
                    assert_eq!(packer.add_with(user, now), expected, "{record:?}");
                });
            }
            Step::Finish => assert_eq!(packer.finish(), model.finish()),
            Step::Clear => {
                packer.clear();
                model.finish();
            }
            Step::Wait(time) => model.now += Duration::from_millis((*time).into()),
        }
        model.check(packer);
    }
    assert_eq!(packer.finish(), model.finish());
    model.check(packer);
}

/// The pending user records, and since when they are pending.
struct Model {
    limits: Limits,
    /// The number of keys of each table that the encoder remembers.
    remembers: usize,
    /// The size of the buffer.
    capacity: usize,
    pending: Vec<Record>,
    since: Option<Duration>,
    now: Duration,
}

impl Model {
    const fn new(limits: Limits, remembers: usize, capacity: usize) -> Self {
        Self { limits, remembers, capacity, pending: Vec::new(), since: None, now: Duration::ZERO }
    }

    /// Returns whether an aggregate of these user records is within the limits and the capacity (E6). The target is for
    /// two or more.
    fn allows(&self, records: &[Record]) -> bool {
        let (encoded_len, size_bytes) = self.sizes(records);
        let limit = if records.len() == 1 { self.max_bytes() } else { self.limits.target_bytes() as usize };
        encoded_len <= self.capacity && size_bytes <= limit && records.len() <= self.limits.max_user_records()
    }

    fn sizes(&self, records: &[Record]) -> (usize, usize) {
        with_records(records, |records| {
            let sizes = [arithmetic::encoded_len, arithmetic::size_bytes];
            let [encoded_len, size_bytes] = sizes.map(|size| size(records, self.remembers));
            (encoded_len, size_bytes)
        })
    }

    fn max_bytes(&self) -> usize {
        self.limits.max_bytes() as usize
    }

    fn expired(&self, now: Duration) -> bool {
        let since = self.since.zip(self.limits.max_age());
        since.is_some_and(|(since, age)| now >= since + age)
    }

    /// Adds a user record, or returns the error: E4, E5, E7 and E9.
    fn add(&mut self, record: &Record, now: Option<Duration>) -> Result<Option<Packed>, EncodeError> {
        let characters = record.partition_key.chars().count();
        if !(1..=256).contains(&characters) {
            return Err(EncodeError::PartitionKeyLength { characters });
        }
        if let Some(key) = &record.explicit_hash_key {
            // The parser says which error it is; it has tests of its own.
            let number = key.parse::<u128>().ok().filter(|number| number.to_string() == *key);
            if number.is_none() {
                return Err(EncodeError::ExplicitHashKey(key.parse::<HashKey>().unwrap_err()));
            }
        }
        let mut with = self.pending.clone();
        with.push(record.clone());
        let mut full = None;
        if !self.allows(&with) || now.is_some_and(|now| self.expired(now)) {
            let alone = core::slice::from_ref(record);
            if !self.allows(alone) {
                return Err(self.too_large(record));
            }
            full = self.finish();
        }
        self.pending.push(record.clone());
        self.since = self.since.or(now);
        Ok(full)
    }

    fn too_large(&self, record: &Record) -> EncodeError {
        let (encoded_len, required) = self.sizes(core::slice::from_ref(record));
        let plain = record.partition_key.len() + record.data.len();
        let limit = self.max_bytes();
        if required <= limit {
            EncodeError::BufferTooSmall { required: encoded_len, available: self.capacity }
        } else if plain <= limit && record.tags.is_empty() {
            EncodeError::FitsOnlyPlain { required, limit, plain }
        } else {
            EncodeError::TooLarge { required, limit }
        }
    }

    /// Returns the aggregate of what is pending.
    fn finish(&mut self) -> Option<Packed> {
        let (_, size_bytes) = self.sizes(&self.pending);
        let records = core::mem::take(&mut self.pending);
        self.since = None;
        let Record { partition_key, explicit_hash_key, .. } = records.first()?.clone();
        Some(Packed { records, partition_key, explicit_hash_key, size_bytes })
    }

    /// Compares everything that can be observed.
    fn check(&self, packer: &dyn Pack) {
        let (_, size_bytes) = self.sizes(&self.pending);
        assert_eq!((packer.user_records(), packer.size_bytes()), (self.pending.len(), size_bytes));
        assert_eq!(packer.expired(self.now), self.expired(self.now));
    }
}
