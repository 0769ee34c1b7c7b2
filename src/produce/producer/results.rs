//! Results: what became of records, and which are given up because of their age (rules P2 and P7).

use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::Producer;
use crate::produce::codes::Code;
use crate::produce::entry::{Builder, Entry, Kind, Meta, Parts, Records};
use crate::produce::outcome::{Attempt, AttemptError, History, Outcome};
use crate::wire::widen;

/// The results of an entry's records.
#[derive(Debug)]
pub(super) struct DoneEntry<R> {
    pub(super) parts: Parts<R>,
    pub(super) verdict: Verdict,
    /// The position of the next one in the aggregate.
    pub(super) next: u64,
    pub(super) memory: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Verdict {
    Delivered { shard: Arc<str>, sequence_number: Arc<str> },
    Expired,
    Throttled,
    Refused { code: Arc<str> },
}

impl Verdict {
    pub(super) fn outcome(&self, position: u64, possibly_delivered: bool) -> Outcome {
        match self {
            Self::Delivered { shard, sequence_number } => Outcome::Delivered {
                shard: Arc::clone(shard),
                sequence_number: Arc::clone(sequence_number),
                sub_sequence_number: position,
                possible_duplicate: possibly_delivered,
            },
            Self::Expired => Outcome::Expired { possibly_delivered },
            Self::Throttled => Outcome::Throttled { possibly_delivered },
            Self::Refused { code } => Outcome::Refused { code: Arc::clone(code), possibly_delivered },
        }
    }
}

impl<R> Producer<R> {
    pub(super) fn deliver(&mut self, entry: Entry<R>, shard: Arc<str>, sequence_number: Arc<str>) {
        let (records, size) = (widen(entry.records.len()), widen(entry.size_bytes()));
        let waited = entry.history.last_start().unwrap_or(self.now).saturating_sub(entry.records.since);
        self.stats.time_in_buffer.record(waited, records);
        self.stats.entries_delivered += 1;
        self.stats.bytes_delivered += size;
        let on_shard = self.stats.shards.entry(Arc::clone(&shard)).or_default();
        on_shard.records += records;
        on_shard.entries += 1;
        on_shard.bytes += size;
        self.settle(entry, Verdict::Delivered { shard, sequence_number });
    }

    pub(super) fn settle(&mut self, entry: Entry<R>, verdict: Verdict) {
        self.settle_records(entry.records, entry.history, verdict);
    }

    fn settle_records(&mut self, records: Records<R>, history: History, verdict: Verdict) {
        let count = widen(records.len());
        if count == 0 {
            return;
        }
        let counter = match verdict {
            Verdict::Delivered { .. } => &mut self.stats.delivered,
            Verdict::Expired => &mut self.stats.expired,
            Verdict::Throttled => &mut self.stats.throttled,
            Verdict::Refused { .. } => &mut self.stats.refused,
        };
        *counter += count;
        if matches!(verdict, Verdict::Delivered { .. }) {
            self.stats.possible_duplicates += records.possible_duplicates(&history);
        }
        let memory = size_of::<DoneEntry<R>>() + records.memory();
        self.budget.charge(memory);
        self.done.push_back(DoneEntry { parts: records.into_parts(history), verdict, next: 0, memory });
    }

    pub(super) fn refuse(&mut self, receipt: R, meta: Meta, code: &str) {
        let mut records = Records::default();
        records.push(receipt, meta, self.config.ttl.is_some());
        self.settle_records(records, History::default(), Verdict::Refused { code: code.into() });
    }

    pub(super) fn is_expired(&self, entry: &Entry<R>) -> bool {
        self.has_expired(entry.records.since)
    }

    pub(super) fn has_expired(&self, added: Duration) -> bool {
        let expires = self.config.ttl.and_then(|ttl| added.checked_add(ttl));
        expires.is_some_and(|expires| expires <= self.now)
    }

    /// Gives up the records of an entry that are too old; returns entries of the others (rule P7).
    pub(super) fn drop_expired(&mut self, entry: Entry<R>) -> Vec<Entry<R>> {
        let (lane, routed) = (entry.lane, entry.span.is_some());
        if matches!(entry.kind, Kind::Plain { .. }) {
            self.settle(entry, Verdict::Expired);
            return Vec::new();
        }
        let mut expired = Records::default();
        let mut rest = Vec::new();
        let mut builder = Builder::new(self.lanes.take_aggregator(self.config.limits));
        entry.for_each_record(|record, receipt, meta| {
            if self.has_expired(meta.added) {
                expired.push(receipt, meta, true);
                return;
            }
            let hash_key = if routed { record.hash_key().ok() } else { None };
            match builder.add(&record, hash_key, receipt, meta, true) {
                Ok(full) => rest.extend(full),
                Err((receipt, meta, error)) => self.refuse(receipt, meta, &error.to_string()),
            }
        });
        rest.extend(builder.finish());
        self.lanes.keep_aggregator(builder.into_aggregator());
        self.settle_records(expired, History::default(), Verdict::Expired);
        for entry in &mut rest {
            entry.lane = lane;
        }
        rest
    }

    pub(super) fn attempt(&self, entry: &mut Entry<R>, started: Duration, error: Option<AttemptError>) {
        entry.history.push(Attempt { started, duration: self.now.saturating_sub(started), error });
    }

    /// An error whose code is shared with all others of that code.
    pub(super) fn error(&mut self, code: &str, message: &str) -> AttemptError {
        let code = match self.stats.errors.get_key_value(code) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(code),
        };
        AttemptError { code, message: message.into() }
    }

    pub(super) fn count_error(&mut self, entry: &Entry<R>, text: &Arc<str>, code: Code) {
        *self.stats.errors.entry(Arc::clone(text)).or_default() += 1;
        let Some((shard, _)) = entry.lane.and_then(|lane| self.lanes.get(lane)?.shard.as_ref()) else {
            return;
        };
        let on_shard = self.stats.shards.entry(Arc::clone(shard)).or_default();
        if code == Code::Throughput {
            on_shard.throttled += 1;
        } else {
            on_shard.failed += 1;
        }
    }
}
