//! What is measured on.

use std::path::PathBuf;

use kinesis_aggregation::decode::{AggregatedRecord, Md5};
use kinesis_aggregation::{Limits, RecordAggregator, UserRecord};

use crate::failure::Failure;
use crate::input::{Item, for_each_item};
use crate::progress::Progress;

/// No more bytes of Kinesis records are measured: more take longer and tell nothing new.
const ENOUGH: usize = 16 * 1024 * 1024;

/// Kinesis records with the user records to measure on.
pub(crate) struct Sample {
    /// Aggregates, each checked to be one.
    pub(crate) payloads: Vec<Vec<u8>>,
    pub(crate) bytes: usize,
    /// How many plain records the input had. They are not measured.
    pub(crate) plain: u64,
    /// Whether the input goes on after what is measured.
    pub(crate) cut: bool,
    limits: Limits,
    aggregator: RecordAggregator,
}

impl Sample {
    fn new(limits: Limits) -> Self {
        let aggregator = RecordAggregator::new(limits);
        Self { payloads: Vec::new(), bytes: 0, plain: 0, cut: false, limits, aggregator }
    }

    /// Reads files, no more of them than is measured.
    pub(crate) fn read(files: &[PathBuf], limits: Limits) -> Result<Self, Failure> {
        let mut sample = Self::new(limits);
        let read = for_each_item(files, &Progress::new(), |item| {
            match item {
                Item::Event(event) => sample.pack(event.record).map_err(|error| event.fault(error))?,
                Item::Payload(payload) => sample.take(payload.data),
            }
            if sample.bytes >= ENOUGH { Err(Failure::Enough) } else { Ok(()) }
        });
        match read {
            Ok(()) => {}
            Err(Failure::Enough) => sample.cut = true,
            Err(failure) => return Err(failure),
        }
        sample.finish();
        let records = sample.payloads.iter().filter_map(|payload| aggregate(payload)).map(|all| all.len());
        if records.fold(0, usize::saturating_add) == 0 {
            return Err(Failure::Input(
                "no user records to measure: the input has none in aggregates".to_owned(),
            ));
        }
        Ok(sample)
    }

    /// Makes up user records: of 80 to 111 bytes, with 256 partition keys as long as a UUID, in no order.
    pub(crate) fn generate(limits: Limits) -> Result<Self, Failure> {
        const RECORDS: u32 = 100_000;
        let random = |number: u32| u128::from_be_bytes(Md5::digest(&number.to_be_bytes()));
        let keys: Vec<String> =
            (0..256).map(|number| format!("device-{:029x}", random(number) >> 12)).collect();
        let mut sample = Self::new(limits);
        for number in 0..RECORDS {
            let data = random(number).to_be_bytes().repeat(7);
            let [key, len, ..] = random(!number).to_be_bytes();
            let partition_key = keys.get(usize::from(key)).map_or("device", String::as_str);
            let data = data.get(..usize::from(len % 32).saturating_add(80)).unwrap_or(&data);
            let packed = sample.pack(UserRecord::new(partition_key, data));
            // Only limits that are too small for any of this can be the reason.
            packed.map_err(|error| Failure::Usage(format!("--max-bytes: {error}")))?;
        }
        sample.finish();
        Ok(sample)
    }

    /// All aggregates, taken apart: `records` of each.
    pub(crate) fn user_records(&self) -> Vec<UserRecord<'_>> {
        let mut records = Vec::new();
        for aggregate in self.payloads.iter().filter_map(|payload| aggregate(payload)) {
            records.extend(aggregate);
        }
        records
    }

    pub(crate) const fn limits(&self) -> Limits {
        self.limits
    }

    fn pack(&mut self, record: UserRecord<'_>) -> Result<(), kinesis_aggregation::encode::EncodeError> {
        if let Some(full) = self.aggregator.add(record)? {
            self.keep(full.data);
        }
        Ok(())
    }

    fn take(&mut self, payload: &[u8]) {
        if aggregate(payload).is_some() {
            self.keep(payload.to_vec());
        } else {
            self.plain = self.plain.saturating_add(1);
        }
    }

    fn keep(&mut self, payload: Vec<u8>) {
        self.bytes = self.bytes.saturating_add(payload.len());
        self.payloads.push(payload);
    }

    fn finish(&mut self) {
        if let Some(rest) = self.aggregator.finish() {
            self.keep(rest.data);
        }
    }
}

fn aggregate(payload: &[u8]) -> Option<AggregatedRecord<'_, Vec<&str>>> {
    AggregatedRecord::parse(payload, Vec::new()).ok()
}
