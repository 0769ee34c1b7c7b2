//! Aggregates with the receipts of their records: under construction and ready to be sent.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::{self, Vec};
use core::iter::Peekable;
use core::time::Duration;

use crate::decode::{AggregatedRecord, DigestCheck};
use crate::encode::{EncodeError, Undigested};
use crate::produce::outcome::History;
use crate::route::recent_keys::RecentKey;
use crate::route::{HashKey, HashKeyRange};
use crate::wire::widen;
use crate::{Aggregate, RecordAggregator, UserRecord};

/// The data about a record, besides its bytes and its receipt.
#[derive(Clone, Debug)]
pub(super) struct Meta {
    pub(super) added: Duration,
    /// True if its keys were chosen by the producer (rule P10).
    pub(super) keyless: bool,
    pub(super) history: Option<Arc<History>>,
}

/// The receipts of an aggregate's records, in order, and what else is known about them.
///
/// Most records are without history and have a key, and without a time to live nobody asks when each was added: what most records
/// do not have takes no memory.
#[derive(Clone, Debug)]
pub(super) struct Records<R> {
    receipts: Vec<R>,
    /// When the first was added.
    pub(super) since: Duration,
    /// When each was added; empty without a time to live.
    added: Vec<Duration>,
    /// The positions of records without a key, ascending.
    keyless: Vec<usize>,
    /// From which position on records have which history, ascending.
    histories: Vec<(usize, Option<Arc<History>>)>,
}

impl<R> Default for Records<R> {
    fn default() -> Self {
        Self {
            receipts: Vec::new(),
            since: Duration::MAX,
            added: Vec::new(),
            keyless: Vec::new(),
            histories: Vec::new(),
        }
    }
}

impl<R> Records<R> {
    pub(super) fn len(&self) -> usize {
        self.receipts.len()
    }

    #[inline]
    pub(super) fn push(&mut self, receipt: R, meta: Meta, keep_times: bool) {
        let position = self.receipts.len();
        self.since = self.since.min(meta.added);
        if keep_times {
            self.added.push(meta.added);
        }
        if meta.keyless {
            self.keyless.push(position);
        }
        let last = self.histories.last().and_then(|(_, history)| history.as_ref());
        let same = match (last, &meta.history) {
            (None, None) => true,
            (Some(last), Some(history)) => Arc::ptr_eq(last, history),
            _ => false,
        };
        if !same {
            self.histories.push((position, meta.history));
        }
        self.receipts.push(receipt);
    }

    /// Counts the records of which another copy may be stored, where `own` is what all of them have been through.
    pub(super) fn possible_duplicates(&self, own: &History) -> u64 {
        if own.possibly_stored {
            return widen(self.len());
        }
        let ends = self.histories.iter().skip(1).map(|&(from, _)| from).chain([self.len()]);
        let runs = self.histories.iter().zip(ends);
        let stored =
            runs.filter(|((_, history), _)| history.as_ref().is_some_and(|history| history.possibly_stored));
        stored.map(|(&(from, _), end)| widen(end - from)).sum()
    }

    /// Counts the bytes allocated.
    pub(super) fn memory(&self) -> usize {
        self.receipts.capacity() * size_of::<R>()
            + self.added.capacity() * size_of::<Duration>()
            + self.keyless.capacity() * size_of::<usize>()
            + self.histories.capacity() * size_of::<(usize, Option<Arc<History>>)>()
    }

    /// The receipts, each with what else is known. `own` is what all of them have been through together, last.
    pub(super) fn into_parts(self, own: History) -> Parts<R> {
        let mut parts = Parts {
            receipts: self.receipts.into_iter(),
            position: 0,
            since: self.since,
            added: self.added,
            keyless: self.keyless.into_iter().peekable(),
            histories: self.histories.into_iter().peekable(),
            history: None,
            own,
        };
        parts.history = parts.with_own(None);
        parts
    }
}

/// Receipts, each with what else is known.
#[derive(Clone, Debug)]
pub(super) struct Parts<R> {
    receipts: vec::IntoIter<R>,
    position: usize,
    since: Duration,
    added: Vec<Duration>,
    keyless: Peekable<vec::IntoIter<usize>>,
    histories: Peekable<vec::IntoIter<(usize, Option<Arc<History>>)>>,
    history: Option<Arc<History>>,
    own: History,
}

impl<R> Parts<R> {
    fn with_own(&self, earlier: Option<&Arc<History>>) -> Option<Arc<History>> {
        if self.own.is_empty() { earlier.cloned() } else { Some(Arc::new(self.own.after(earlier))) }
    }
}

impl<R> Iterator for Parts<R> {
    type Item = (R, Meta);

    fn next(&mut self) -> Option<(R, Meta)> {
        let receipt = self.receipts.next()?;
        let position = self.position;
        self.position += 1;
        if let Some((_, next)) = self.histories.next_if(|&(from, _)| from == position) {
            self.history = self.with_own(next.as_ref());
        }
        let meta = Meta {
            added: self.added.get(position).copied().unwrap_or(self.since),
            keyless: self.keyless.next_if_eq(&position).is_some(),
            history: self.history.clone(),
        };
        Some((receipt, meta))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.receipts.size_hint()
    }
}

impl<R> ExactSizeIterator for Parts<R> {}

/// The form of an entry of a PutRecords call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An aggregate whose digest is missing.
    Undigested,
    /// An aggregate.
    Aggregate,
    /// A plain record, with or without an explicit hash key that the caller gave.
    Plain { explicit: bool },
}

/// An entry of a PutRecords call, to be sent as often as it takes.
#[derive(Clone, Debug)]
pub(super) struct Entry<R> {
    pub(super) kind: Kind,
    pub(super) data: Vec<u8>,
    pub(super) partition_key: String,
    pub(super) explicit_hash_key: Option<HashKey>,
    /// The lowest and the highest hash key of its records, where they are routed by shard.
    pub(super) span: Option<HashKeyRange>,
    pub(super) records: Records<R>,
    /// The history of its records since they are in the same entry.
    pub(super) history: History,
    /// The lane that it was sent from, unless its records have to be routed again.
    pub(super) lane: Option<usize>,
}

impl<R> Entry<R> {
    /// A plain record. `hash_key` is the one that it is routed by, if it is routed by shard.
    pub(super) fn plain(
        record: &UserRecord<'_>,
        hash_key: Option<HashKey>,
        receipt: R,
        meta: Meta,
        keep_times: bool,
    ) -> Self {
        let explicit = record.explicit_hash_key.and_then(|key| key.parse().ok());
        let mut records = Records::default();
        records.push(receipt, meta, keep_times);
        Self {
            kind: Kind::Plain { explicit: record.explicit_hash_key.is_some() },
            data: record.data.into(),
            partition_key: record.partition_key.into(),
            explicit_hash_key: hash_key.or(explicit),
            span: hash_key.map(HashKeyRange::of),
            records,
            history: History::default(),
            lane: None,
        }
    }

    /// The bytes that Kinesis counts.
    pub(super) fn size_bytes(&self) -> usize {
        self.data.len() + self.partition_key.len()
    }

    /// Counts the bytes allocated.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.data.capacity() + self.partition_key.capacity() + self.records.memory()
    }

    /// Calls back for each record, with its receipt and what else is known.
    pub(super) fn for_each_record(self, mut each: impl FnMut(UserRecord<'_>, R, Meta)) {
        let parts = self.records.into_parts(self.history);
        if let Kind::Plain { explicit } = self.kind {
            let hash_key = self.explicit_hash_key.filter(|_| explicit).map(|key| key.to_string());
            let record = UserRecord::new(&self.partition_key, &self.data);
            let record = hash_key.as_deref().map_or(record, |key| record.with_explicit_hash_key(key));
            parts.for_each(|(receipt, meta)| each(record, receipt, meta));
            return;
        }
        // The producer wrote it, so it is an aggregate.
        if let Ok(aggregate) = AggregatedRecord::parse_with(&self.data, DigestCheck::Skip) {
            debug_assert_eq!(aggregate.len(), parts.len());
            for (record, (receipt, meta)) in aggregate.records().zip(parts) {
                each(record, receipt, meta);
            }
        }
    }
}

/// An aggregate under construction.
#[derive(Clone, Debug)]
pub(super) struct Builder<R> {
    aggregator: RecordAggregator,
    /// The hash key of the first record, and the lowest and highest of all.
    span: Option<(HashKey, HashKeyRange)>,
    records: Records<R>,
    /// The number of records that [`Self::add_in_place`] may still add.
    in_place: usize,
    /// The number of the aggregate among all of the producer, or 0. It tells whether a key is known to be in it.
    number: u32,
}

impl<R> Builder<R> {
    pub(super) fn new(aggregator: RecordAggregator) -> Self {
        Self { aggregator, span: None, records: Records::default(), in_place: 0, number: 0 }
    }

    /// Prepares for so many records: most aggregates have about as many as the one before, and growing step by step costs more
    /// than what is not used.
    pub(super) fn expecting(mut self, records: usize) -> Self {
        self.records.receipts.reserve_exact(records);
        self
    }

    pub(super) fn since(&self) -> Duration {
        self.records.since
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.aggregator.memory() + self.records.memory()
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.aggregator.size_bytes()
    }

    /// Adds a record where that takes no more memory and leaves the aggregate unfinished; returns the receipt otherwise. No record
    /// in the aggregate may have been added later.
    #[inline]
    pub(super) fn add_in_place(
        &mut self,
        record: &UserRecord<'_>,
        hash_key: Option<HashKey>,
        known: Option<&mut RecentKey>,
        receipt: R,
    ) -> Result<(), R> {
        if self.in_place == 0 {
            return Err(receipt);
        }
        // A key that was here before is found without a search, and its hash key is within the span.
        let known_index = known.as_ref().and_then(|known| known.index_in(self.number));
        let Some(index) = self.aggregator.add_in_place(record, known_index) else { return Err(receipt) };
        if known_index.is_none() {
            if let (Some(key), Some((_, span))) = (hash_key, &mut self.span) {
                *span = span.including(key);
            }
            if let Some(known) = known {
                known.note(self.number, index);
            }
        }
        self.in_place -= 1;
        self.records.receipts.push(receipt);
        Ok(())
    }

    /// Gives the aggregate its number, unless it has one; returns whether it had none.
    pub(super) const fn begin(&mut self, number: u32) -> bool {
        let begins = self.number == 0;
        if begins {
            self.number = number;
        }
        begins
    }

    /// Returns how many records may be added to these with nothing but a receipt each. This is found out once, not for each of
    /// them.
    fn count_in_place(&self) -> usize {
        let Records { receipts, added, histories, .. } = &self.records;
        if receipts.is_empty() || !added.is_empty() || !histories.is_empty() {
            return 0;
        }
        // The last one that is allowed ends the aggregate, which is up to `add`.
        let allowed = self.aggregator.limits().max_user_records().saturating_sub(receipts.len() + 1);
        allowed.min(receipts.capacity() - receipts.len())
    }

    /// Adds a record; returns the aggregate that was full before it.
    #[inline]
    pub(super) fn add(
        &mut self,
        record: &UserRecord<'_>,
        hash_key: Option<HashKey>,
        receipt: R,
        meta: Meta,
        keep_times: bool,
    ) -> Result<Option<Entry<R>>, (R, Meta, EncodeError)> {
        let mut full = None;
        match self.aggregator.try_add(record) {
            Ok(true) => {}
            Ok(false) => {
                full = self.finish();
                let added = self.aggregator.try_add(record);
                debug_assert_eq!(added, Ok(true), "it fits an empty aggregate");
            }
            Err(error) => return Err((receipt, meta, error)),
        }
        if let Some(key) = hash_key {
            let (first, span) = self.span.unwrap_or((key, HashKeyRange::of(key)));
            self.span = Some((first, span.including(key)));
        }
        self.records.push(receipt, meta, keep_times);
        self.in_place = self.count_in_place();
        Ok(full)
    }

    /// Returns whether a record fits.
    pub(super) fn fits(&self, record: &UserRecord<'_>) -> bool {
        self.aggregator.fits(*record)
    }

    /// Returns whether nothing more can be added.
    pub(super) fn is_full(&self) -> bool {
        let limits = self.aggregator.limits();
        self.len() >= limits.max_user_records() || self.size_bytes() >= limits.target_size()
    }

    /// Ends the aggregate, without its digest.
    pub(super) fn finish(&mut self) -> Option<Entry<R>> {
        let Undigested(aggregate) = self.aggregator.finish_undigested()?;
        let Aggregate { data, partition_key, explicit_hash_key, user_records } = aggregate;
        let records = core::mem::take(&mut self.records);
        (self.in_place, self.number) = (0, 0);
        debug_assert_eq!(user_records, records.len());
        let span = self.span.take();
        Some(Entry {
            kind: Kind::Undigested,
            data,
            partition_key,
            // Routed by shard, always the effective hash key of the first record (rule E8).
            explicit_hash_key: span.map(|(first, _)| first).or(explicit_hash_key),
            span: span.map(|(_, span)| span),
            records,
            history: History::default(),
            lane: None,
        })
    }

    /// Gives the aggregator back, to be used again. Nothing may be pending.
    pub(super) fn into_aggregator(self) -> RecordAggregator {
        debug_assert_eq!(self.len(), 0);
        self.aggregator
    }
}
