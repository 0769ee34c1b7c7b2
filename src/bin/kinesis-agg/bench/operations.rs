//! What is measured: each operation, once over all of a sample.

use core::hint::black_box;

use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck, Md5, deaggregate_all};
use kinesis_aggregation::encode::AddStatus;
use kinesis_aggregation::{Encoder, RecordAggregator, UserRecord, recycle};

use crate::bench::sample::Sample;

/// The keys that the encoder remembers.
const KEYS: usize = 1024;

/// What is done to all of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    PackCanonical,
    PackStreamed,
    TakeApartVerified,
    TakeApartUnverified,
    TakeApartBatch,
    DigestOneByOne,
    DigestSideBySide,
}

impl Operation {
    pub(crate) const ALL: [Self; 7] = [
        Self::PackCanonical,
        Self::PackStreamed,
        Self::TakeApartVerified,
        Self::TakeApartUnverified,
        Self::TakeApartBatch,
        Self::DigestOneByOne,
        Self::DigestSideBySide,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::PackCanonical => "pack, canonical",
            Self::PackStreamed => "pack, streamed",
            Self::TakeApartVerified => "take apart, verified",
            Self::TakeApartUnverified => "take apart, unverified",
            Self::TakeApartBatch => "take apart, in batches",
            Self::DigestOneByOne => "digest, one by one",
            Self::DigestSideBySide => "digest, side by side",
        }
    }

    /// The digests that are a part of it.
    pub(crate) const fn digest(self) -> Option<Self> {
        match self {
            Self::PackCanonical | Self::PackStreamed | Self::TakeApartVerified => Some(Self::DigestOneByOne),
            Self::TakeApartBatch => Some(Self::DigestSideBySide),
            Self::TakeApartUnverified | Self::DigestOneByOne | Self::DigestSideBySide => None,
        }
    }
}

/// All that the operations need, so that they do nothing but what they are.
pub(crate) struct Bench<'a> {
    payloads: &'a [Vec<u8>],
    /// Those of the user records that can be packed. From elsewhere there may be others.
    packable: Vec<UserRecord<'a>>,
    /// How many there are with the others.
    user_records: usize,
    aggregator: RecordAggregator,
    buffer: Vec<u8>,
    keys: Vec<&'static str>,
    digests: Vec<[u8; 16]>,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(sample: &'a Sample) -> Self {
        let mut aggregator = RecordAggregator::new(sample.limits());
        let mut packable = sample.user_records();
        let user_records = packable.len();
        packable.retain(|&record| aggregator.add(record).is_ok());
        aggregator.clear();
        let max_bytes = usize::try_from(sample.limits().max_bytes()).unwrap_or(usize::MAX);
        Self {
            payloads: &sample.payloads,
            packable,
            user_records,
            aggregator,
            buffer: vec![0; max_bytes],
            keys: Vec::new(),
            digests: vec![[0; 16]; sample.payloads.len()],
        }
    }

    /// How many user records an operation is about.
    pub(crate) fn user_records(&self, operation: Operation) -> usize {
        match operation {
            Operation::PackCanonical | Operation::PackStreamed => self.packable.len(),
            _ => self.user_records,
        }
    }

    /// Does it once, and tells how many bytes of Kinesis records it was about.
    pub(crate) fn run(&mut self, operation: Operation) -> usize {
        match operation {
            Operation::PackCanonical => self.pack_canonical(),
            Operation::PackStreamed => self.pack_streamed(),
            Operation::TakeApartVerified => self.take_apart(DigestCheck::Verify),
            Operation::TakeApartUnverified => self.take_apart(DigestCheck::Skip),
            Operation::TakeApartBatch => {
                deaggregate_all(self.payloads).flatten().for_each(|user| {
                    black_box(user);
                });
                self.payload_bytes()
            }
            Operation::DigestOneByOne => {
                self.payloads.iter().for_each(|payload| _ = black_box(Md5::digest(payload)));
                self.payload_bytes()
            }
            Operation::DigestSideBySide => {
                Md5::digest_each(self.payloads, &mut self.digests);
                black_box(&self.digests);
                self.payload_bytes()
            }
        }
    }

    fn pack_canonical(&mut self) -> usize {
        let mut bytes: usize = 0;
        for &record in &self.packable {
            if let Ok(Some(full)) = self.aggregator.add(record) {
                bytes = bytes.saturating_add(black_box(&full.data).len());
            }
        }
        let rest = self.aggregator.finish();
        bytes.saturating_add(rest.map_or(0, |rest| black_box(&rest.data).len()))
    }

    fn pack_streamed(&mut self) -> usize {
        let mut bytes: usize = 0;
        let mut encoder = Encoder::<KEYS>::new(&mut self.buffer, self.aggregator.limits());
        for &record in &self.packable {
            if encoder.add(record) == Ok(AddStatus::Full) {
                let full = encoder.finish();
                bytes = bytes.saturating_add(full.map_or(0, |full| black_box(&full.data).len()));
                _ = encoder.add(record);
            }
        }
        let rest = encoder.finish();
        bytes.saturating_add(rest.map_or(0, |rest| black_box(&rest.data).len()))
    }

    fn take_apart(&mut self, check: DigestCheck) -> usize {
        for payload in self.payloads {
            let mut keys = core::mem::take(&mut self.keys);
            if let Ok(aggregate) = AggregatedRecord::parse_with(payload, &mut keys, check) {
                aggregate.records().for_each(|user| {
                    black_box(user);
                });
            }
            self.keys = recycle(keys);
        }
        self.payload_bytes()
    }

    fn payload_bytes(&self) -> usize {
        self.payloads.iter().map(Vec::len).fold(0, usize::saturating_add)
    }
}
