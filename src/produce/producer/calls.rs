//! Calls: what goes into the next one, and those in flight (rules P1, P4, P5 and P12).

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use super::Producer;
use crate::encode::write_digests;
use crate::produce::config::Routing;
use crate::produce::entry::{Entry, Kind};
use crate::produce::lanes::SHARE;
use crate::produce::outcome::{CallFailure, CallId, FailureKind};
use crate::wire::widen;

/// The calls in flight, what is left of rejected ones, and what is remembered of earlier ones. Calls are numbered in the order in
/// which they begin.
#[derive(Debug)]
pub(super) struct Calls<R> {
    in_flight: BTreeMap<u64, InFlight<R>>,
    /// The number of the next call.
    pub(super) next: u64,
    /// The remaining entries of rejected calls, to be sent one part after the other (rule P9).
    rest: VecDeque<Batch<R>>,
    /// The newest call that was answered entry by entry.
    pub(super) newest_answered: u64,
    /// The first call to this stream: those before went to another one of the same name, or to none.
    pub(super) first_of_stream: u64,
    /// The first call after the shards were listed last.
    pub(super) first_of_map: u64,
}

/// A call in flight.
#[derive(Debug)]
pub(super) struct InFlight<R> {
    pub(super) entries: Vec<Entry<R>>,
    pub(super) size_bytes: usize,
    pub(super) started: Duration,
    pub(super) batch: Batch<R>,
}

/// Entries that are sent in one call, or in several one after the other.
#[derive(Debug)]
pub(super) struct Batch<R> {
    /// The lanes of all entries, each of which this holds once.
    lanes: Vec<usize>,
    /// The parts to be sent after the call in flight, the last one first.
    pub(super) rest: Vec<Vec<Entry<R>>>,
    /// The entries that go back to their lane at the end, in order.
    pub(super) returned: Vec<Entry<R>>,
}

impl<R> Default for Calls<R> {
    fn default() -> Self {
        Self {
            in_flight: BTreeMap::new(),
            next: 0,
            rest: VecDeque::new(),
            newest_answered: 0,
            first_of_stream: 0,
            first_of_map: 0,
        }
    }
}

impl<R> Calls<R> {
    pub(super) fn len(&self) -> usize {
        self.in_flight.len()
    }

    pub(super) fn get(&self, call: u64) -> Option<&InFlight<R>> {
        self.in_flight.get(&call)
    }

    /// Returns whether something of a rejected call is to be sent.
    pub(super) fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Returns when the oldest call in flight began, which is the first to time out.
    pub(super) fn oldest_start(&self) -> Option<Duration> {
        self.in_flight.first_key_value().map(|(_, call)| call.started)
    }

    /// Iterates over all entries, in no particular order.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry<R>> {
        let sent = self.in_flight.values().flat_map(|call| &call.entries);
        let batches = self.in_flight.values().map(|call| &call.batch).chain(&self.rest);
        sent.chain(batches.flat_map(|batch| batch.rest.iter().flatten().chain(&batch.returned)))
    }
}

impl<R> InFlight<R> {
    fn memory(&self) -> usize {
        self.entries.iter().map(Entry::memory).sum::<usize>() + self.batch.memory()
    }
}

impl<R> Batch<R> {
    /// Takes what is to be sent next, unless there is nothing left. What would overtake something that comes back, of the same
    /// lane, comes back as well.
    fn next_part(&mut self) -> Option<Vec<Entry<R>>> {
        while let Some(part) = self.rest.pop() {
            let mut next = Vec::new();
            for entry in part {
                let overtakes = self.returned.iter().any(|returned| returned.lane == entry.lane);
                if overtakes { self.returned.push(entry) } else { next.push(entry) }
            }
            if !next.is_empty() {
                return Some(next);
            }
        }
        None
    }

    fn memory(&self) -> usize {
        self.rest.iter().flatten().chain(&self.returned).map(Entry::memory).sum()
    }
}

impl<R> Producer<R> {
    pub(super) fn can_call(&self) -> bool {
        self.calls.len() < self.config.max_calls && !self.stream.gone
    }

    pub(super) fn begin_call(&mut self) -> Option<CallId> {
        if !self.can_call() || self.stream.backoff.until > self.now {
            return None;
        }
        while let Some(mut batch) = self.calls.rest.pop_front() {
            self.budget.refund(batch.memory());
            while let Some(part) = batch.next_part() {
                let mut entries = Vec::new();
                for entry in part {
                    if self.is_expired(&entry) {
                        entries.extend(self.drop_expired(entry))
                    } else {
                        entries.push(entry)
                    }
                }
                if !entries.is_empty() {
                    return Some(self.start(entries, batch));
                }
            }
            self.end_batch(batch);
        }
        let (entries, lanes) = self.collect();
        if entries.is_empty() {
            return None;
        }
        Some(self.start(entries, Batch { lanes, rest: Vec::new(), returned: Vec::new() }))
    }

    /// Fills a call: a share of each lane that may send, the most overdue first (rule P5).
    fn collect(&mut self) -> (Vec<Entry<R>>, Vec<usize>) {
        let (mut entries, mut lanes): (Vec<Entry<R>>, Vec<usize>) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        let mut last = None;
        while let Some((at, lane)) = self.lanes.next_ready(last) {
            if at > self.now || entries.len() >= self.config.max_call_entries {
                break;
            }
            last = Some((at, lane));
            if lanes.contains(&lane) {
                continue;
            }
            let Some(found) = self.lanes.get(lane) else { continue };
            if !entries.is_empty() && bytes + found.bytes().min(SHARE) > self.config.max_call_bytes {
                break;
            }
            let before = entries.len();
            bytes += self.take_share(lane, bytes, &mut entries);
            if entries.len() > before {
                lanes.push(lane);
                self.lanes.update(lane, |lane| lane.holds += 1);
            } else {
                self.tidy(lane);
            }
        }
        (entries, lanes)
    }

    /// Moves a lane's share to a call of `call_bytes`; returns its bytes.
    fn take_share(&mut self, lane: usize, call_bytes: usize, call: &mut Vec<Entry<R>>) -> usize {
        let mut share = 0;
        while call.len() < self.config.max_call_entries && share < SHARE {
            let Some(found) = self.lanes.get(lane) else { break };
            if found.bucket.ready_at() > self.now {
                break;
            }
            let Some(size) = found.front().map(Entry::size_bytes) else {
                if !self.lanes.builder_is_due(lane, self.now) {
                    break;
                }
                self.lanes.finish(lane);
                continue;
            };
            let over_share = share > 0 && share + size > SHARE;
            let over_call = !call.is_empty() && call_bytes + share + size > self.config.max_call_bytes;
            if over_share || over_call {
                break;
            }
            let Some(entry) = self.lanes.pop_front(lane) else { break };
            if self.is_expired(&entry) {
                let rest = self.drop_expired(entry);
                self.lanes.push_front(lane, rest);
                continue;
            }
            // Without routing nobody knows which shard takes it.
            if self.config.routing != Routing::Unrouted {
                let (rate, now) = (self.rate, self.now);
                self.lanes.update(lane, |lane| lane.bucket.spend(rate, size, now));
            }
            share += size;
            call.push(Entry { lane: Some(lane), ..entry });
        }
        share
    }

    fn start(&mut self, mut entries: Vec<Entry<R>>, batch: Batch<R>) -> CallId {
        let undigested = entries.iter_mut().filter(|entry| entry.kind == Kind::Undigested);
        write_digests(undigested.map(|entry| {
            entry.kind = Kind::Aggregate;
            &mut *entry.data
        }));
        let id = self.calls.next;
        self.calls.next += 1;
        let size_bytes = entries.iter().map(Entry::size_bytes).sum();
        self.stats.calls += 1;
        self.stats.entries_sent += widen(entries.len());
        self.stats.bytes_sent += widen(size_bytes);
        let call = InFlight { entries, size_bytes, started: self.now, batch };
        self.budget.charge(call.memory());
        self.calls.in_flight.insert(id, call);
        CallId(id)
    }

    /// Takes a call that was answered, or is not waited for any longer.
    pub(super) fn end_call(&mut self, id: u64) -> Option<InFlight<R>> {
        let call = self.calls.in_flight.remove(&id)?;
        self.budget.refund(call.memory());
        Some(call)
    }

    pub(super) fn time_out_calls(&mut self) {
        while let Some((&id, call)) = self.calls.in_flight.first_key_value() {
            if call.started.checked_add(self.config.call_timeout).is_none_or(|until| until > self.now) {
                break;
            }
            let Some(call) = self.end_call(id) else { break };
            self.stats.timed_out_calls += 1;
            let failure = CallFailure { kind: FailureKind::Unclear, code: "timeout", message: "" };
            self.on_failure(id, call, failure);
        }
    }

    /// Goes on with a batch after a call: with its next part, or to its end.
    pub(super) fn go_on(&mut self, batch: Batch<R>) {
        if batch.rest.is_empty() {
            self.end_batch(batch);
        } else {
            self.budget.charge(batch.memory());
            self.calls.rest.push_back(batch);
        }
    }

    /// Queues again what comes back from a batch, and lets its lanes go on.
    fn end_batch(&mut self, batch: Batch<R>) {
        self.requeue(batch.returned);
        for lane in batch.lanes {
            self.lanes.update(lane, |lane| lane.holds -= 1);
            self.lanes.unblock(lane);
            self.tidy(lane);
        }
    }

    /// Takes the entries of all calls.
    pub(super) fn abandon_calls(&mut self) -> Vec<Entry<R>> {
        let mut entries = Vec::new();
        while let Some((&id, _)) = self.calls.in_flight.first_key_value() {
            let Some(mut call) = self.end_call(id) else { break };
            for entry in &mut call.entries {
                entry.history.possibly_stored = true;
            }
            entries.append(&mut call.entries);
            self.budget.charge(call.batch.memory());
            self.calls.rest.push_back(call.batch);
        }
        for mut batch in core::mem::take(&mut self.calls.rest) {
            self.budget.refund(batch.memory());
            entries.append(&mut batch.returned);
            entries.extend(batch.rest.into_iter().rev().flatten());
        }
        entries
    }
}
