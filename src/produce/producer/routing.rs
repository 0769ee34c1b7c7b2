//! Routing: which lane a record belongs to, and what happens when the shards change (rules P3, P4, P10 and P11).

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::Producer;
use crate::encode::EncodeError;
use crate::produce::entry::{Builder, Entry, Kind, Meta};
use crate::produce::lanes::Lanes;
use crate::route::groups::{Destination, Route, Router};
use crate::route::{HashKey, HashKeyRange};
use crate::wire::widen;
use crate::{Limits, ShardMap, UserRecord};

/// The most bytes that are routed again in one step (rule P11).
const STEP: usize = 4 * 1024 * 1024;

/// The most memory for the hash keys of partition keys that came lately.
const RECENT_KEYS: usize = 256 * 1024;

/// Records that wait to be routed.
#[derive(Debug)]
pub(super) struct Inbox<R> {
    entries: VecDeque<Entry<R>>,
    builder: Option<Box<Builder<R>>>,
    memory: usize,
}

impl<R> Default for Inbox<R> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), builder: None, memory: 0 }
    }
}

impl<R> Inbox<R> {
    pub(super) const fn memory(&self) -> usize {
        self.memory
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.builder.is_none()
    }

    pub(super) fn oldest(&self) -> Option<Duration> {
        let first = self.entries.front().map(|entry| entry.records.since);
        first.or_else(|| self.builder.as_ref().map(|builder| builder.since()))
    }

    fn push_back(&mut self, entry: Entry<R>) {
        self.memory += entry.memory();
        self.entries.push_back(entry);
    }

    /// Ends the aggregate under construction, and frees its buffers.
    fn finish(&mut self) {
        let Some(mut builder) = self.builder.take() else { return };
        self.memory -= builder.memory();
        if let Some(entry) = builder.finish() {
            self.push_back(entry);
        }
    }

    fn push_front(&mut self, entry: Entry<R>) {
        self.memory += entry.memory();
        self.entries.push_front(entry);
    }

    pub(super) fn pop_front(&mut self) -> Option<Entry<R>> {
        if self.entries.is_empty() {
            self.finish();
        }
        let entry = self.entries.pop_front()?;
        self.memory -= entry.memory();
        Some(entry)
    }
}

/// The current target of records without a key (rule P10).
#[derive(Debug, Default)]
pub(super) struct Keyless {
    /// The lane, and how many aggregates were finished there before the one that is being filled.
    target: Option<(usize, u64)>,
    explicit_hash_key: String,
}

/// The entries that go before the queues of lanes: for each, entries in order, and an aggregate under construction.
struct Fronts<R> {
    lanes: BTreeMap<usize, (Vec<Entry<R>>, Builder<R>)>,
    /// The target of records without a key: the lane, the number of its entries before the aggregate that is being filled, and
    /// the explicit hash key.
    keyless: Option<(usize, usize, String)>,
}

impl<R> Fronts<R> {
    fn of_lane(
        &mut self,
        lane: usize,
        lanes: &mut Lanes<R>,
        limits: Limits,
    ) -> &mut (Vec<Entry<R>>, Builder<R>) {
        self.lanes.entry(lane).or_insert_with(|| (Vec::new(), Builder::new(lanes.take_aggregator(limits))))
    }

    /// Returns the explicit hash key of the last record without a key, if another one fits the same aggregate.
    fn keyless_hash_key(&self, record: &UserRecord<'_>) -> Option<String> {
        let (lane, entries, hash_key) = self.keyless.as_ref()?;
        let (_, builder) = self.lanes.get(lane).filter(|(front, _)| front.len() == *entries)?;
        builder.fits(&with_keys(record, record.partition_key, hash_key)).then(|| hash_key.clone())
    }
}

impl<R> Producer<R> {
    /// Adds a record behind those that wait to be routed.
    pub(super) fn add_to_inbox(
        &mut self,
        record: &UserRecord<'_>,
        receipt: R,
        meta: Meta,
    ) -> Result<(), (R, Meta, EncodeError)> {
        let default_key = UserRecord {
            partition_key: &self.config.default_partition_key,
            explicit_hash_key: None,
            ..*record
        };
        let record = if meta.keyless { &default_key } else { record };
        if let Err(error) = record.validate() {
            return Err((receipt, meta, error));
        }
        let options = self.options();
        let builder = match &mut self.inbox.builder {
            Some(builder) => builder,
            None => {
                let new = Box::new(Builder::new(self.lanes.take_aggregator(options.limits)));
                self.inbox.memory += new.memory();
                self.inbox.builder.insert(new)
            }
        };
        let before = builder.memory();
        let added = builder.add(record, None, receipt, meta, options.keep_times);
        self.inbox.memory = self.inbox.memory + builder.memory() - before;
        match added {
            Ok(full) => {
                if let Some(full) = full {
                    self.inbox.push_back(full);
                }
                Ok(())
            }
            Err((receipt, meta, error)) => {
                self.inbox.finish();
                let (receipt, meta) = plain_instead(record, receipt, meta, error)?;
                self.inbox.push_back(Entry::plain(record, None, receipt, meta, options.keep_times));
                Ok(())
            }
        }
    }

    /// Routes records that wait for it, up to [`STEP`] bytes of them.
    pub(super) fn route_inbox(&mut self) {
        if self.router.is_none() {
            self.expire_inbox();
            return;
        }
        let mut bytes = 0;
        while let Some(entry) = self.inbox.pop_front() {
            bytes += entry.size_bytes();
            if bytes > STEP && bytes > entry.size_bytes() {
                self.inbox.push_front(entry);
                break;
            }
            // Only what was routed before has a span.
            if entry.span.is_some() {
                self.stats.rerouted += widen(entry.records.len());
            }
            match self.lane_of(&entry) {
                Some(lane) => {
                    self.lanes.finish(lane);
                    self.lanes.push_back(lane, entry);
                }
                None => self.route_records(entry),
            }
        }
    }

    /// Gives up records that are too old while the shards are not known.
    fn expire_inbox(&mut self) {
        while self.inbox.oldest().is_some_and(|oldest| self.has_expired(oldest)) {
            let Some(entry) = self.inbox.pop_front() else { return };
            let rest = self.drop_expired(entry);
            for entry in rest.into_iter().rev() {
                self.inbox.push_front(entry);
            }
        }
    }

    /// Routes the records of an entry, each behind all others of its lane.
    fn route_records(&mut self, entry: Entry<R>) {
        entry.for_each_record(|record, receipt, meta| {
            if let Err((receipt, meta, error)) = self.route(&record, receipt, meta) {
                // It was accepted before. But the explicit hash key of a record without a key may be longer than the last one.
                debug_assert!(meta.keyless, "a record that was accepted before: {error}");
                self.refuse(receipt, meta, &error.to_string());
            }
        });
    }

    /// Adds a record to the lane that it belongs to.
    pub(super) fn route(
        &mut self,
        record: &UserRecord<'_>,
        receipt: R,
        meta: Meta,
    ) -> Result<(), (R, Meta, EncodeError)> {
        if !meta.keyless {
            return self.route_keyed(record, receipt, meta).map(|_| ());
        }
        let partition_key = core::mem::take(&mut self.config.default_partition_key);
        let mut hash_key = core::mem::take(&mut self.keyless.explicit_hash_key);
        let target = self.keyless.target.take().and_then(|(lane, finished)| {
            self.lanes.get(lane).filter(|lane| !lane.retired && lane.finished == finished)
        });
        if !target.is_some_and(|lane| lane.fits(&with_keys(record, &partition_key, &hash_key))) {
            hash_key = self.choose_hash_key().to_string();
        }
        let routed = self.route_keyed(&with_keys(record, &partition_key, &hash_key), receipt, meta);
        self.keyless.explicit_hash_key = hash_key;
        self.config.default_partition_key = partition_key;
        if let Some(lane) = routed? {
            // If this record filled the aggregate, the next one goes elsewhere.
            let open = self.lanes.get(lane).filter(|found| found.is_building());
            self.keyless.target = open.map(|found| (lane, found.finished));
        }
        Ok(())
    }

    /// Chooses the hash key of records without a key: the first one of the less loaded of two random shards (rule P10).
    fn choose_hash_key(&mut self) -> HashKey {
        let [first, second] = [self.jitter.next(), self.jitter.next()];
        let router = self.router.as_ref();
        let Some(map) = router.and_then(Router::shard_map) else {
            return HashKey::new(u128::from(first) << 64 | u128::from(second));
        };
        let candidate = |random: u64| {
            let position = random.checked_rem(widen(map.shards().len())).unwrap_or(0);
            let position = usize::try_from(position).unwrap_or(0);
            let lane = router.and_then(|router| router.group_of_shard(position));
            let lane = lane.and_then(|lane| self.lanes.get(lane));
            let load = lane.map_or((Duration::ZERO, 0), |lane| (lane.bucket.ready_at(), lane.bytes()));
            (load, map.get(position).map_or(HashKey::MIN, |shard| shard.range().start()))
        };
        let (first, second) = (candidate(first), candidate(second));
        if second.0 < first.0 { second.1 } else { first.1 }
    }

    /// Adds a record with a key to its lane, and returns the lane.
    fn route_keyed(
        &mut self,
        record: &UserRecord<'_>,
        receipt: R,
        meta: Meta,
    ) -> Result<Option<usize>, (R, Meta, EncodeError)> {
        let explicit = match record.validate_partition_key().and_then(|()| parse_explicit(record)) {
            Ok(explicit) => explicit,
            Err(error) => return Err((receipt, meta, error)),
        };
        let Some(router) = &mut self.router else {
            debug_assert!(false, "records wait until the shards are known");
            return self.add_to_inbox(record, receipt, meta).map(|()| None);
        };
        let (destination, hash_key) = router.route(record, explicit, RECENT_KEYS);
        let lane = self.lane_at(destination);
        let options = self.options();
        // Tags need an aggregate.
        if !self.config.aggregate && record.tags.len() == 0 {
            let size = record.data.len() + record.partition_key.len();
            let limit = self.config.limits.max_size();
            if size > limit {
                self.tidy(lane);
                return Err((receipt, meta, EncodeError::TooLarge { required: size, limit }));
            }
            let entry = Entry::plain(record, hash_key, receipt, meta, options.keep_times);
            self.lanes.push_back(lane, entry);
            return Ok(Some(lane));
        }
        match self.lanes.add(lane, record, hash_key, receipt, meta, options) {
            Ok(()) => {}
            Err((receipt, meta, error)) => match plain_instead(record, receipt, meta, error) {
                Ok((receipt, meta)) => {
                    self.lanes.finish(lane);
                    self.lanes
                        .push_back(lane, Entry::plain(record, hash_key, receipt, meta, options.keep_times));
                }
                Err(refused) => {
                    self.tidy(lane);
                    return Err(refused);
                }
            },
        }
        if !self.config.aggregate {
            self.lanes.finish(lane);
        }
        Ok(Some(lane))
    }

    fn lane_at(&mut self, destination: Destination) -> usize {
        match destination {
            Destination::Group(lane) => lane,
            Destination::New(route) => self.begin_lane(route),
        }
    }

    fn begin_lane(&mut self, route: Route) -> usize {
        let shard = match (&route, self.router.as_ref().and_then(Router::shard_map)) {
            (Route::Shard(position), Some(map)) => map.get(*position),
            _ => None,
        };
        let shard = shard.map(|shard| (Arc::from(shard.id()), shard.range()));
        let lane = self.lanes.insert(route.clone(), shard);
        if let Some(router) = &mut self.router {
            router.set_group(&route, Some(lane));
        }
        lane
    }

    /// The lane of an entry whose records all belong to one, if that needs no look at each of them.
    fn lane_of(&mut self, entry: &Entry<R>) -> Option<usize> {
        let current = |&lane: &usize| self.lanes.get(lane).is_some_and(|lane| !lane.retired);
        if let Some(lane) = entry.lane.filter(current) {
            return Some(lane);
        }
        let span = entry.span?;
        let router = self.router.as_ref()?;
        let position = router.shard_map()?.position_of(span.start());
        let range = router.shard_map()?.get(position)?.range();
        if !range.contains(span.end()) {
            return None;
        }
        Some(router.group_of_shard(position).unwrap_or_else(|| self.begin_lane(Route::Shard(position))))
    }

    /// Drops the lane of a key that has nothing left.
    pub(super) fn tidy(&mut self, lane: usize) {
        let Some(found) = self.lanes.get(lane) else { return };
        if found.shard.is_some() || !found.is_empty() || found.holds > 0 {
            return;
        }
        if let (Some(removed), Some(router)) = (self.lanes.remove(lane), &mut self.router) {
            router.set_group(&removed.route, None);
        }
    }

    /// Puts another map in place. What is queued for shards that are gone is routed again, in steps.
    pub(super) fn replace_map(&mut self, map: ShardMap) {
        let mut waiting = Vec::new();
        if let Some(old) = self.router.as_ref().and_then(Router::shard_map) {
            if *old == map {
                return;
            }
            let replaced = |id: &str, range: HashKeyRange| {
                map.find(id)
                    .map(|shard| shard.range())
                    .or(map.closed_range(id))
                    .is_some_and(|new| new != range)
            };
            if old.shards().any(|shard| replaced(shard.id(), shard.range())) {
                // The same id with another range: another stream with the same name.
                self.stats.stream_replaced += 1;
                self.calls.first_of_stream = self.calls.next;
                self.closed_shards.clear();
            } else {
                self.closed_shards.keep(old, &map, self.now);
            }
        }
        let lanes: Vec<usize> =
            self.lanes.iter().filter(|(_, lane)| !lane.retired).map(|(lane, _)| lane).collect();
        let mut router = Router::by_shard(map);
        let mut gone = Vec::new();
        for lane in lanes {
            let Some((id, range)) = self.lanes.get(lane).and_then(|lane| lane.shard.clone()) else {
                continue;
            };
            match router.shard_map().and_then(|map| map.position_with(&id, range)) {
                Some(position) => {
                    router.set_group(&Route::Shard(position), Some(lane));
                    self.lanes.update(lane, |lane| lane.route = Route::Shard(position));
                }
                None => {
                    waiting.extend(self.lanes.take_all(lane));
                    gone.push((lane, range));
                }
            }
        }
        self.router = Some(router);
        for (lane, range) in gone {
            self.retire(lane, range);
        }
        // What was routed before is older than what waits.
        for entry in waiting.into_iter().rev() {
            // The lane may soon be another one's.
            self.inbox.push_front(Entry { lane: None, ..entry });
        }
    }

    /// Retires the lane of a shard that is gone. Its children wait for the calls in flight (rule P4).
    fn retire(&mut self, lane: usize, range: HashKeyRange) {
        let Some(found) = self.lanes.get(lane) else { return };
        if found.holds == 0 && found.blockers == 0 {
            self.lanes.remove(lane);
            return;
        }
        let Some(map) = self.router.as_ref().and_then(Router::shard_map) else { return };
        let positions = map.position_of(range.start())..=map.position_of(range.end());
        let heirs = positions.map(|position| {
            let known = self.router.as_ref().and_then(|router| router.group_of_shard(position));
            known.unwrap_or_else(|| self.begin_lane(Route::Shard(position)))
        });
        let heirs = heirs.collect();
        self.lanes.retire(lane, heirs);
    }

    pub(super) fn listing_failed(&mut self) {
        self.stats.failed_listings += 1;
        self.listing.failed(self.now, &self.config, &mut self.jitter);
    }

    /// Queues entries before all others of their lanes, in order.
    pub(super) fn requeue(&mut self, entries: Vec<Entry<R>>) {
        if self.router.is_none() {
            for entry in entries.into_iter().rev() {
                self.inbox.push_front(entry);
            }
            return;
        }
        let mut fronts = Fronts { lanes: BTreeMap::new(), keyless: None };
        for entry in entries {
            let rest = if self.is_expired(&entry) { self.drop_expired(entry) } else { alloc::vec![entry] };
            for entry in rest {
                match self.lane_of(&entry) {
                    Some(lane) => {
                        let (front, builder) = fronts.of_lane(lane, &mut self.lanes, self.config.limits);
                        front.extend(builder.finish());
                        front.push(entry);
                    }
                    None => self.requeue_records(entry, &mut fronts),
                }
            }
        }
        for (lane, (mut front, mut builder)) in fronts.lanes {
            front.extend(builder.finish());
            self.lanes.keep_aggregator(builder.into_aggregator());
            self.lanes.push_front(lane, front);
        }
    }

    /// Routes the records of an entry again, before all others of their lanes.
    fn requeue_records(&mut self, entry: Entry<R>, fronts: &mut Fronts<R>) {
        self.stats.rerouted += widen(entry.records.len());
        let keep_times = self.config.ttl.is_some();
        let plain = matches!(entry.kind, Kind::Plain { .. });
        entry.for_each_record(|record, receipt, meta| {
            let chosen = meta.keyless.then(|| {
                fronts.keyless_hash_key(&record).unwrap_or_else(|| self.choose_hash_key().to_string())
            });
            let record = match &chosen {
                Some(hash_key) => with_keys(&record, record.partition_key, hash_key),
                None => record,
            };
            let explicit = parse_explicit(&record).ok();
            let router = self.router.as_mut().zip(explicit);
            let found = router.map(|(router, explicit)| router.route(&record, explicit, RECENT_KEYS));
            let Some((destination, hash_key)) = found else {
                debug_assert!(false, "a record that was routed before");
                self.refuse(receipt, meta, "unroutable");
                return;
            };
            let lane = self.lane_at(destination);
            let (front, builder) = fronts.of_lane(lane, &mut self.lanes, self.config.limits);
            let (receipt, meta) = if plain {
                (receipt, meta)
            } else {
                let refused = match builder.add(&record, hash_key, receipt, meta, keep_times) {
                    Ok(full) => {
                        front.extend(full);
                        let entries = front.len();
                        if let Some(hash_key) = chosen {
                            fronts.keyless = Some((lane, entries, hash_key));
                        }
                        return;
                    }
                    Err((receipt, meta, error)) => plain_instead(&record, receipt, meta, error),
                };
                match refused {
                    Ok(receipt_and_meta) => receipt_and_meta,
                    Err((receipt, meta, error)) => return self.refuse(receipt, meta, &error.to_string()),
                }
            };
            front.extend(builder.finish());
            front.push(Entry::plain(&record, hash_key, receipt, meta, keep_times));
        });
    }
}

/// The record with these keys instead of its own.
fn with_keys<'r>(
    record: &UserRecord<'r>,
    partition_key: &'r str,
    explicit_hash_key: &'r str,
) -> UserRecord<'r> {
    UserRecord { partition_key, explicit_hash_key: Some(explicit_hash_key), ..*record }
}

/// The explicit hash key of a record, if it has one.
pub(super) fn parse_explicit(record: &UserRecord<'_>) -> Result<Option<HashKey>, EncodeError> {
    record.explicit_hash_key.map(str::parse).transpose().map_err(EncodeError::ExplicitHashKey)
}

/// Returns the receipt of a record that is to be sent without an aggregate since it fits none (rule P10), or the error.
fn plain_instead<R>(
    record: &UserRecord<'_>,
    receipt: R,
    meta: Meta,
    error: EncodeError,
) -> Result<(R, Meta), (R, Meta, EncodeError)> {
    match error {
        EncodeError::FitsOnlyPlain { .. } if record.explicit_hash_key.is_none() || meta.keyless => {
            Ok((receipt, meta))
        }
        EncodeError::FitsOnlyPlain { required, limit, .. } => {
            Err((receipt, meta, EncodeError::TooLarge { required, limit }))
        }
        _ => Err((receipt, meta, error)),
    }
}
