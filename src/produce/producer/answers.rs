//! Handling the answer to a call, entry by entry (rules P2, P3, P6 and P9).

use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::Producer;
use super::calls::{Batch, InFlight};
use super::results::Verdict;
use crate::produce::codes::Code;
use crate::produce::config::Routing;
use crate::produce::entry::{Builder, Entry};
use crate::produce::outcome::{CallFailure, EntryAnswer, FailureKind};
use crate::route::HashKeyRange;
use crate::route::groups::Router;
use crate::wire::widen;

/// Taken by a shard that is not known.
#[derive(Debug)]
pub(super) struct Undecided<R> {
    call: u64,
    pub(super) entry: Entry<R>,
    shard: Arc<str>,
    sequence_number: Arc<str>,
    /// The first listing that must know the shard.
    listing: u64,
}

/// The answer to whether the shard that took an entry owns its records.
enum Placement {
    Owned,
    Misplaced,
    /// The map does not tell.
    Unknown,
}

impl<R> Producer<R> {
    pub(super) fn on_entries(&mut self, id: u64, call: InFlight<R>, answers: &[EntryAnswer<'_>]) {
        // Where the stream accepts nothing, that an answer came is no success.
        let of_stream = |answer: &EntryAnswer<'_>| match answer {
            EntryAnswer::Failed { code, .. } => Code::of(code).is_of_stream(),
            EntryAnswer::Stored { .. } => false,
        };
        if !answers.iter().any(of_stream) {
            self.stream.backoff.succeeded(id);
            self.stream.denied_since = None;
            self.stats.stalled = false;
        }
        self.calls.newest_answered = self.calls.newest_answered.max(id);
        self.stats.stale_answers += widen(answers.len().saturating_sub(call.entries.len()));
        let InFlight { entries, started, mut batch, .. } = call;
        let mut answers = answers.iter();
        for mut entry in entries {
            match answers.next() {
                Some(&EntryAnswer::Stored { shard, sequence_number }) => {
                    if let Some(lane) = entry.lane {
                        self.lanes.update(lane, |lane| lane.backoff.succeeded(id));
                    }
                    batch.returned.extend(self.on_stored(id, entry, shard, sequence_number, started));
                }
                Some(&EntryAnswer::Failed { code, message }) => {
                    let error = self.error(code, message);
                    let code = Code::of(code);
                    self.count_error(&entry, &error.code, code);
                    if code.is_denied() {
                        self.stream.denied_since.get_or_insert(self.now);
                    }
                    self.back_off(id, entry.lane, code);
                    self.attempt(&mut entry, started, Some(error));
                    if self.config.fail_if_throttled && code == Code::Throughput {
                        self.settle(entry, Verdict::Throttled);
                    } else {
                        batch.returned.push(entry);
                    }
                }
                None => {
                    let error = self.error("no_answer", "");
                    entry.history.possibly_stored = true;
                    self.back_off(id, entry.lane, Code::Other);
                    self.attempt(&mut entry, started, Some(error));
                    batch.returned.push(entry);
                }
            }
        }
        self.go_on(batch);
    }

    /// Judges an entry by the shard that took it (rules R3 and P3). Returns it if it has to be sent again.
    fn on_stored(
        &mut self,
        id: u64,
        mut entry: Entry<R>,
        shard: &str,
        sequence_number: &str,
        started: Duration,
    ) -> Option<Entry<R>> {
        self.attempt(&mut entry, started, None);
        match self.judge(id, &entry, shard) {
            Placement::Owned => {
                self.deliver(entry, shard.into(), sequence_number.into());
                None
            }
            Placement::Misplaced => Some(self.misplaced(entry)),
            Placement::Unknown => {
                self.listing.want();
                self.budget.charge(entry.memory());
                self.undecided.push(Undecided {
                    call: id,
                    entry: Entry { lane: None, ..entry },
                    shard: shard.into(),
                    sequence_number: sequence_number.into(),
                    listing: self.listing.next_number(),
                });
                None
            }
        }
    }

    fn judge(&self, id: u64, entry: &Entry<R>, shard: &str) -> Placement {
        let Some(span) = entry.span else { return Placement::Owned };
        let Some(map) = self.router.as_ref().and_then(Router::shard_map) else { return Placement::Unknown };
        // Its shards are not those of the map, or may not be.
        if self.stream.gone {
            return Placement::Unknown;
        }
        if id < self.calls.first_of_stream {
            return Placement::Misplaced;
        }
        let owns = |range: HashKeyRange| range.contains(span.start()) && range.contains(span.end());
        if let Some(open) = map.find(shard) {
            let took_it = entry.explicit_hash_key.is_some_and(|key| open.range().contains(key));
            return match owns(open.range()) {
                true => Placement::Owned,
                false if took_it => Placement::Misplaced,
                // The map is wrong about this shard.
                false => Placement::Unknown,
            };
        }
        match map.closed_range(shard).or_else(|| self.closed_shards.range(shard)) {
            Some(range) if owns(range) => Placement::Owned,
            // Closed shards take nothing, so the map is wrong about this one unless the call is older.
            Some(_) if id < self.calls.first_of_map => Placement::Misplaced,
            Some(_) | None => Placement::Unknown,
        }
    }

    /// Decides about entries that unknown shards took, after a listing.
    pub(super) fn decide(&mut self, listing: u64) {
        let mut misplaced = Vec::new();
        for undecided in core::mem::take(&mut self.undecided) {
            self.budget.refund(undecided.entry.memory());
            match self.judge(undecided.call, &undecided.entry, &undecided.shard) {
                Placement::Owned => self.deliver(undecided.entry, undecided.shard, undecided.sequence_number),
                Placement::Unknown if undecided.listing > listing => {
                    self.listing.want();
                    self.budget.charge(undecided.entry.memory());
                    self.undecided.push(undecided);
                }
                Placement::Misplaced | Placement::Unknown => misplaced.push(self.misplaced(undecided.entry)),
            }
        }
        self.requeue(misplaced);
    }

    fn misplaced(&mut self, mut entry: Entry<R>) -> Entry<R> {
        self.stats.misplaced += widen(entry.records.len());
        let error = self.error("misplaced", "");
        entry.history.possibly_stored = true;
        entry.history.fail_last(error);
        Entry { lane: None, ..entry }
    }

    pub(super) fn on_failure(&mut self, id: u64, call: InFlight<R>, failure: CallFailure<'_>) {
        self.stats.failed_calls += 1;
        let InFlight { mut entries, started, mut batch, .. } = call;
        let error = self.error(failure.code, failure.message);
        for entry in &mut entries {
            *self.stats.errors.entry(Arc::clone(&error.code)).or_default() += 1;
            entry.history.possibly_stored |= failure.kind == FailureKind::Unclear;
            self.attempt(entry, started, Some(error.clone()));
        }
        match failure.kind {
            FailureKind::Rejected => {
                self.bisect(entries, &mut batch, &error.code);
                self.go_on(batch);
                return;
            }
            FailureKind::Denied => _ = self.stream.denied_since.get_or_insert(self.now),
            _ => {}
        }
        if Code::of(failure.code) == Code::Missing && self.config.routing == Routing::ByShard {
            self.stream.gone = true;
            self.listing.want();
        }
        // A call that was not answered says nothing if later ones were.
        if failure.kind != FailureKind::Unclear || id >= self.calls.newest_answered {
            self.back_off_stream(id);
        }
        if failure.kind == FailureKind::Throttled && self.config.fail_if_throttled {
            entries.drain(..).for_each(|entry| self.settle(entry, Verdict::Throttled));
        }
        batch.returned.append(&mut entries);
        self.go_on(batch);
    }

    /// Halves what was rejected, down to the record that is the reason (rule P9).
    fn bisect(&mut self, mut entries: Vec<Entry<R>>, batch: &mut Batch<R>, code: &Arc<str>) {
        if entries.len() > 1 {
            let second = entries.split_off(entries.len() / 2);
            batch.rest.push(second);
            batch.rest.push(entries);
            return;
        }
        let Some(entry) = entries.pop() else { return };
        let half = entry.records.len() / 2;
        if half == 0 {
            self.settle(entry, Verdict::Refused { code: Arc::clone(code) });
            return;
        }
        let (lane, routed) = (entry.lane, entry.span.is_some());
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let mut builder = Builder::new(self.lanes.take_aggregator(self.config.limits));
        let keep_times = self.config.ttl.is_some();
        let mut position = 0;
        entry.for_each_record(|record, receipt, meta| {
            if position == half {
                first.extend(builder.finish());
            }
            position += 1;
            let hash_key = if routed { record.hash_key().ok() } else { None };
            match builder.add(&record, hash_key, receipt, meta, keep_times) {
                Ok(full) if position <= half => first.extend(full),
                Ok(full) => second.extend(full),
                Err((receipt, meta, error)) => self.refuse(receipt, meta, &error.to_string()),
            }
        });
        second.extend(builder.finish());
        self.lanes.keep_aggregator(builder.into_aggregator());
        for half in [second, first] {
            batch.rest.push(half.into_iter().map(|entry| Entry { lane, ..entry }).collect());
        }
    }

    /// Backs off for what an entry's error code is about (rule P6).
    fn back_off(&mut self, id: u64, lane: Option<usize>, code: Code) {
        let Some(lane) = lane.filter(|_| !code.is_of_stream()) else { return self.back_off_stream(id) };
        let (next, now, delays, jitter) = (self.calls.next, self.now, self.config.backoff, &mut self.jitter);
        self.lanes.update(lane, |lane| lane.backoff.failed(id, next, now, delays, jitter));
    }

    fn back_off_stream(&mut self, id: u64) {
        self.stream.backoff.failed(id, self.calls.next, self.now, self.config.backoff, &mut self.jitter);
    }
}
