//! Runs the same steps on a manager and on the model.

use core::time::Duration;

use kinesis_aggregation::route::{Placement, RoutedAggregate};
use kinesis_aggregation::{AggregationManager, Limits};

use crate::common_encode::{OwnedRecord, arithmetic, with_record};
use crate::model::{Model, Routing, Shards, effective, map_of};
use crate::steps::{Answer, Reshard, Step};

/// An aggregate that was finished and is not confirmed.
#[derive(Clone, Debug)]
struct Sent {
    aggregate: RoutedAggregate,
    records: Vec<OwnedRecord>,
    since: Option<Duration>,
    /// How often the map had been refreshed when its shard was last unknown.
    unknown_at: Option<usize>,
}

pub(crate) struct Driver {
    manager: AggregationManager,
    model: Model,
    max_memory: usize,
    sent: Vec<Sent>,
    now: Duration,
    shards_ever: usize,
    refreshes: usize,
    user_records: u32,
}

impl Driver {
    pub(crate) fn new(routing: Routing, limits: Limits, max_memory: usize) -> Self {
        let shards = vec![("shard 0".to_owned(), 0, u128::MAX)];
        Self {
            manager: routing.manager(map_of(&shards), limits).with_max_memory(max_memory),
            model: Model::new(routing, limits, shards),
            max_memory,
            sent: Vec::new(),
            now: Duration::ZERO,
            shards_ever: 1,
            refreshes: 0,
            user_records: 0,
        }
    }

    pub(crate) fn run(&mut self, step: Step) {
        match step {
            Step::Add(record) => self.add(record, None),
            Step::AddAt(record, later) => {
                self.now += Duration::from_millis(later);
                self.add(record, Some(self.now));
            }
            Step::Flush => {
                let out = self.manager.flush();
                assert_eq!(out.len(), self.model.groups().len());
                self.take(out);
                assert!(self.manager.is_empty());
            }
            Step::FlushShard(index) => {
                let shards = &self.model.shards;
                let shard = index.map_or("nowhere", |index| &shards[index.index(shards.len())].0).to_owned();
                let pending = self.model.pending_for(&shard);
                let out = self.manager.flush_shard(&shard);
                let expected = if self.model.routing == Routing::ByShard { pending } else { 0 };
                assert_eq!(out.as_ref().map_or(0, |routed| routed.aggregate.user_records), expected);
                self.take(out);
            }
            Step::Expired(later) => {
                self.now += Duration::from_millis(later);
                let expected = self.model.expired(self.now);
                let out = self.manager.expired(self.now);
                assert_eq!(out.len(), expected, "expired at {:?}", self.now);
                self.take(out);
                assert_eq!(self.model.expired(self.now), 0, "an aggregate was finished that had not expired");
            }
            Step::Refresh(changes) => self.refresh(changes),
            Step::Confirm(index, answer) => self.confirm(index.index(self.sent.len().max(1)), answer),
            Step::Requeue(index) => {
                if !self.sent.is_empty() {
                    let sent = self.sent.remove(index.index(self.sent.len()));
                    self.requeue(sent);
                }
            }
            Step::RequeueCopy(index) => {
                if !self.sent.is_empty() {
                    let sent = self.sent[index.index(self.sent.len())].clone();
                    self.requeue(sent);
                }
            }
            Step::Clear => {
                self.manager.clear();
                self.model.clear();
            }
        }
    }

    fn add(&mut self, mut record: OwnedRecord, now: Option<Duration>) {
        // No two are the same, so that one lost and another twice is noticed.
        record.data.extend(self.user_records.to_be_bytes());
        self.user_records += 1;
        let before = (self.pending(), self.manager.memory());
        let (expected, required) = with_record(&record, |user| {
            // Not even an empty aggregate takes what is too large for it.
            (user.validate().is_ok(), arithmetic::size_bytes(&[user], usize::MAX))
        });
        let fits = required <= usize::try_from(self.model.limits.max_bytes()).unwrap();
        let result = with_record(&record, |user| match now {
            Some(now) => self.manager.add_at(user, now),
            None => self.manager.add(user),
        });
        assert_eq!(result.is_ok(), expected && fits, "{result:?} for {record:?} of {required} bytes");
        match result {
            Ok(out) => {
                self.model.counters.added += 1;
                self.model.place(record, now);
                self.take(out);
            }
            Err(_) => {
                self.model.counters.refused += 1;
                assert_eq!((self.pending(), self.manager.memory()), before, "refused, but something changed");
            }
        }
    }

    /// What a flush would return.
    fn pending(&self) -> Vec<RoutedAggregate> {
        self.manager.clone().flush().into_vec()
    }

    fn refresh(&mut self, changes: Vec<Reshard>) {
        let mut shards: Shards = self.model.shards.clone();
        let merges = changes.iter().any(|change| matches!(change, Reshard::Merge(_)));
        for change in changes {
            let mut next = || {
                self.shards_ever += 1;
                // Ids against the order of hash keys as well as with it.
                format!("shard {}", self.shards_ever * 7 % 1_000)
            };
            match change {
                Reshard::Split(index, place) => {
                    let index = index.index(shards.len());
                    let (_, start, end) = shards[index].clone();
                    if start < end {
                        let last =
                            if (start..end).contains(&place) { place } else { start + (end - start) / 2 };
                        shards.splice(index..=index, [(next(), start, last), (next(), last + 1, end)]);
                    }
                }
                Reshard::Merge(index) if shards.len() > 1 => {
                    let index = index.index(shards.len() - 1);
                    let (start, end) = (shards[index].1, shards[index + 1].2);
                    shards.splice(index..=index + 1, [(next(), start, end)]);
                }
                Reshard::Merge(_) => {}
            }
        }
        self.refreshes += 1;
        let out = self.manager.refresh(map_of(&shards));
        self.model.refresh(shards, merges);
        self.take(out);
        if self.model.routing == Routing::ByShard {
            assert_eq!(self.manager.shard_map(), Some(&map_of(&self.model.shards)));
        }
    }

    fn confirm(&mut self, index: usize, answer: Answer) {
        if index >= self.sent.len() {
            return;
        }
        let mut sent = self.sent.swap_remove(index);
        let predicted = sent.aggregate.shard_id.as_deref().map(str::to_owned);
        let shards = &self.model.shards;
        let shard = match answer {
            Answer::Predicted => predicted.clone().unwrap_or_default(),
            Answer::OfTheMap(index) => shards[index.index(shards.len())].0.clone(),
            Answer::Unknown => "nowhere".to_owned(),
        };
        let known = shards.iter().find(|(id, ..)| *id == shard);
        let owns_all = known.is_some_and(|(_, start, end)| {
            sent.records.iter().all(|record| (*start..=*end).contains(&effective(record)))
        });
        let user_records = u64::try_from(sent.records.len()).unwrap();
        match self.manager.confirm(sent.aggregate.clone(), &shard) {
            Placement::Delivered => {
                assert!(self.model.routing != Routing::ByShard || predicted == Some(shard));
            }
            Placement::DeliveredElsewhere => assert!(owns_all && predicted != Some(shard)),
            Placement::Misplaced(aggregate) => {
                let asked_again = sent.unknown_at.is_some_and(|refreshes| refreshes < self.refreshes);
                assert!(if known.is_some() { !owns_all } else { asked_again }, "{aggregate:?} on {shard}");
                assert_ne!(predicted, Some(shard));
                assert_eq!(aggregate, sent.aggregate);
                self.model.counters.misplaced += user_records;
                self.sent.push(sent);
            }
            Placement::Unknown(aggregate) => {
                assert!(known.is_none() && predicted != Some(shard));
                assert!(sent.unknown_at.is_none_or(|refreshes| refreshes == self.refreshes));
                assert_eq!(aggregate.aggregate.data, sent.aggregate.aggregate.data);
                sent.unknown_at = Some(self.refreshes);
                sent.aggregate = aggregate;
                self.sent.push(sent);
            }
        }
    }

    fn requeue(&mut self, sent: Sent) {
        let out = self.manager.requeue(sent.aggregate).unwrap();
        self.model.counters.requeued += u64::try_from(sent.records.len()).unwrap();
        for record in sent.records {
            self.model.place(record, sent.since);
        }
        self.take(out);
    }

    /// Takes aggregates that were finished.
    fn take(&mut self, out: impl IntoIterator<Item = RoutedAggregate>) {
        for aggregate in out {
            let (records, since) = self.model.finish(&aggregate);
            self.sent.push(Sent { aggregate, records, since, unknown_at: None });
        }
    }

    /// Checks all that can be seen from outside.
    pub(crate) fn check(&self) {
        let (manager, model) = (&self.manager, &self.model);
        assert_eq!(manager.counters(), model.counters);
        assert_eq!(manager.user_records(), model.len());
        assert_eq!(manager.is_empty(), model.len() == 0);
        assert_eq!(manager.next_expiry(), model.next_expiry());
        assert!(manager.memory() <= self.max_memory, "{} of {}", manager.memory(), self.max_memory);

        // Exactly what the model says is pending, no more and no less.
        let rest = self.pending();
        let mut books = model.clone();
        let mut listed: Vec<_> = manager
            .pending()
            .map(|pending| (pending.shard_id.map(str::to_owned), pending.user_records, pending.size_bytes))
            .collect();
        assert_eq!(listed.iter().map(|pending| pending.2).sum::<usize>(), manager.size_bytes());
        assert_eq!(rest.len(), model.groups().len());
        for aggregate in &rest {
            books.finish(aggregate);
            let entry = (
                aggregate.shard_id.as_deref().map(str::to_owned),
                aggregate.aggregate.user_records,
                aggregate.aggregate.size_bytes(),
            );
            let place = listed.iter().position(|pending| *pending == entry);
            listed.swap_remove(place.unwrap_or_else(|| panic!("not listed: {entry:?}")));
        }
        assert!(listed.is_empty(), "listed, but not pending: {listed:?}");
        assert_eq!(books.len(), 0, "neither pending nor finished: {books:?}");
    }
}
