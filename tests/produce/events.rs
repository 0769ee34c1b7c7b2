//! Any sequence of events: whatever a driver tells a producer, in whatever order, each receipt comes back once, no memory is
//! forgotten, and what is delivered is on a shard that owns it. Shared with the fuzz target `producer_events`.

use core::time::Duration;
use std::collections::BTreeMap;

use arbitrary::{Arbitrary, Result, Unstructured};
use kinesis_aggregation::decode::RecordTag;
use kinesis_aggregation::produce::{
    Action, CallFailure, CallId, EntryAnswer, FailureKind, ListFailed, ListId, Order, Outcome,
    ProducerConfig, PutAnswer, Routing,
};
use kinesis_aggregation::route::{HashKey, HashKeyRange, Shard};
use kinesis_aggregation::{Limits, Producer, ShardMap, UserRecord, deaggregate};

/// Options, what happens, and how it ends. `pub` for the fuzz target.
#[allow(unreachable_pub, reason = "public where it is fuzzed")]
#[derive(Debug)]
pub struct Script {
    config: ProducerConfig,
    steps: Vec<Step>,
    /// The producer is stopped instead of being closed and driven to its end.
    stop: bool,
}

#[derive(Debug)]
enum Step {
    Add(Record),
    Poll,
    /// To one of the calls ever made, so it may be late or repeated.
    Answer {
        call: u8,
        how: How,
    },
    List {
        listing: u8,
        how: Listed,
    },
    Wait(Duration),
    /// The next event tells a time that is earlier than the last.
    GoBack(Duration),
    Flush,
    Close,
    /// Takes so many results.
    Take(u8),
    Split {
        shard: u8,
        at: u8,
    },
    Merge {
        shard: u8,
    },
    /// Another stream with the same name, and ids from 0.
    Recreate {
        shards: u8,
    },
}

#[derive(Debug)]
struct Record {
    partition_key: Option<&'static str>,
    explicit_hash_key: Option<&'static str>,
    len: usize,
    tagged: bool,
}

#[derive(Debug)]
enum How {
    /// Entry by entry, again from the beginning where there are more; so many answers too few or too many.
    Entries {
        answers: Vec<Taken>,
        missing: u8,
        surplus: u8,
    },
    Failed {
        kind: FailureKind,
        code: &'static str,
    },
}

#[derive(Clone, Copy, Debug)]
enum Taken {
    /// As Kinesis would.
    Right,
    /// By any shard, open or closed, whatever it owns.
    By(u8),
    Unknown,
    Failed(&'static str),
}

#[derive(Clone, Copy, Debug)]
enum Listed {
    All,
    Open,
    /// As it was a while ago.
    Outdated(u8),
    Failed,
}

const CODES: [&str; 7] = [
    "ProvisionedThroughputExceededException",
    "InternalFailure",
    "KMSThrottlingException",
    "ResourceNotFoundException",
    "AccessDeniedException",
    "LimitExceededException",
    "",
];

/// By how much one record may exceed the budget: buffers grow in steps.
const SLACK: usize = 128 * 1024;

const MAX_KEY: &str = "340282366920938463463374607431768211455";

impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut config = ProducerConfig::default();
        let durations = [0, 1, 100, 5_000];
        let ms = |u: &mut Unstructured<'a>| Ok(Duration::from_millis(*u.choose(&durations)?));
        let max_bytes = *u.choose(&[700, 3_000, 20_000])?;
        config.limits = Limits::default()
            .with_max_bytes(max_bytes)
            .with_target_bytes(*u.choose(&[0, 200, 2_000])?)
            .with_max_user_records(*u.choose(&[1, 2, 5, usize::MAX])?);
        config.aggregate = u.ratio(7, 8)?;
        config.routing = *u.choose(&[
            Routing::ByShard,
            Routing::ByShard,
            Routing::ByShard,
            Routing::ByKey,
            Routing::Unrouted,
        ])?;
        config.order = *u.choose(&[Order::PerShard, Order::None])?;
        config.linger = if u.ratio(1, 16)? { Duration::MAX } else { ms(u)? };
        config.ttl = match u.int_in_range(0..=7)? {
            0 => Some(ms(u)?),
            1 => Some(Duration::MAX),
            _ => None,
        };
        config.fail_if_throttled = u.ratio(1, 8)?;
        config.shard_rate = *u.choose(&[1, 100, u32::MAX])?;
        config.max_call_entries = *u.choose(&[1, 2, 500])?;
        config.max_call_bytes = *u.choose(&[20_000, 10 << 20])?;
        config.max_calls = *u.choose(&[1, 2, 24])?;
        config.call_timeout =
            *u.choose(&[Duration::from_millis(1), Duration::from_secs(10), Duration::MAX])?;
        config.budget = *u.choose(&[0, 4_000, 60_000, usize::MAX])?;
        config.list_interval = ms(u)?;
        config.seed = u.arbitrary()?;
        let stop = u.ratio(1, 4)?;
        let mut steps = Vec::new();
        while !u.is_empty() && steps.len() < 600 {
            steps.push(u.arbitrary()?);
        }
        Ok(Self { config, steps, stop })
    }
}

impl<'a> Arbitrary<'a> for Step {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=31)? {
            0..=9 => Self::Add(u.arbitrary()?),
            10..=15 => Self::Poll,
            16..=20 => Self::Answer { call: u.int_in_range(0..=3)?, how: u.arbitrary()? },
            21..=23 => Self::List { listing: u.int_in_range(0..=3)?, how: u.arbitrary()? },
            24..=25 => Self::Wait(match u.int_in_range(0..=3)? {
                0 => Duration::from_millis(u.int_in_range(0..=200)?),
                1 => Duration::from_secs(u.int_in_range(0..=100)?),
                2 => Duration::from_nanos(u.int_in_range(0..=3)?),
                _ => Duration::from_secs(u64::from(u.arbitrary::<u32>()?)),
            }),
            26 => Self::GoBack(Duration::from_millis(u.int_in_range(0..=100_000)?)),
            27 => Self::Flush,
            28 if u.ratio(1, 4)? => Self::Close,
            28 => Self::Take(u.int_in_range(0..=5)?),
            29 => Self::Split { shard: u.arbitrary()?, at: u.int_in_range(1..=7)? },
            30 => Self::Merge { shard: u.arbitrary()? },
            _ if u.ratio(1, 4)? => Self::Recreate { shards: u.int_in_range(1..=5)? },
            _ => Self::Poll,
        })
    }
}

impl<'a> Arbitrary<'a> for Record {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let keys = ["a", "b", "c", "d", "device-7", "ein Schlüssel"];
        let partition_key = match u.int_in_range(0..=9)? {
            0 | 1 => None,
            2 if u.ratio(1, 4)? => Some(""),
            _ => Some(*u.choose(&keys)?),
        };
        let explicit = [
            "0",
            "1",
            "85070591730234615865843651857942052864",
            "170141183460469231731687303715884105728",
            MAX_KEY,
        ];
        let explicit_hash_key = match u.int_in_range(0..=15)? {
            0 if u.ratio(1, 4)? => Some("007"),
            0..=3 => Some(*u.choose(&explicit)?),
            _ => None,
        };
        Ok(Self {
            partition_key,
            explicit_hash_key,
            // Around what fits an aggregate, and what fits only without.
            len: match u.int_in_range(0..=7)? {
                0 => *u.choose(&[700, 3_000, 20_000])? - u.int_in_range(0..=100)?,
                1 => u.int_in_range(500..=3_100)?,
                _ => u.int_in_range(4..=60)?,
            },
            tagged: u.ratio(1, 12)?,
        })
    }
}

impl<'a> Arbitrary<'a> for How {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        use FailureKind::{Denied, NotSent, Rejected, Throttled, Transient, Unclear};
        if u.ratio(1, 3)? {
            let kind = *u.choose(&[Throttled, Transient, Unclear, NotSent, Denied, Rejected, Rejected])?;
            return Ok(Self::Failed { kind, code: u.choose(&CODES)? });
        }
        let count = u.int_in_range(1..=4)?;
        let answers = (0..count)
            .map(|_| {
                Ok(match u.int_in_range(0..=7)? {
                    0 => Taken::Unknown,
                    1 => Taken::By(u.arbitrary()?),
                    2..=3 => Taken::Failed(u.choose(&CODES)?),
                    _ => Taken::Right,
                })
            })
            .collect::<Result<_>>()?;
        let one_in_eight =
            |u: &mut Unstructured<'a>| if u.ratio(1, 8)? { u.int_in_range(1..=3) } else { Ok(0) };
        Ok(Self::Entries { answers, missing: one_in_eight(u)?, surplus: one_in_eight(u)? })
    }
}

impl<'a> Arbitrary<'a> for Listed {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=5)? {
            0 => Self::Failed,
            1 => Self::Outdated(u.arbitrary()?),
            2 => Self::Open,
            _ => Self::All,
        })
    }
}

/// Shards of a stream: id, range, and whether it is open.
type Shards = Vec<(String, HashKeyRange, bool)>;

/// A shard's name, and the records that it took, by number and hash key.
struct Stored {
    shard: String,
    records: Vec<(usize, HashKey)>,
}

struct World {
    producer: Producer<usize>,
    routing: Routing,
    budget: usize,
    now: Duration,
    shards: Shards,
    /// As they were before.
    earlier: Vec<Shards>,
    /// The ranges of all shards that the producer was ever told.
    told: BTreeMap<String, Vec<HashKeyRange>>,
    calls: Vec<CallId>,
    listings: Vec<ListId>,
    /// By sequence number.
    stored: Vec<Stored>,
    /// `add` took the record or not, and the number of receipts that came back for it.
    returned: Vec<(bool, usize)>,
}

/// Plays a script, and checks what came of it.
#[allow(unreachable_pub, reason = "public where it is fuzzed")]
pub fn run(script: &Script) {
    let mut world = World {
        producer: Producer::new(script.config.clone()).unwrap(),
        routing: script.config.routing,
        budget: script.config.budget,
        now: Duration::from_secs(5),
        shards: even(2),
        earlier: Vec::new(),
        told: BTreeMap::new(),
        calls: Vec::new(),
        listings: Vec::new(),
        stored: Vec::new(),
        returned: Vec::new(),
    };
    let mut step_back = Duration::ZERO;
    for step in &script.steps {
        let now = world.now.saturating_sub(core::mem::take(&mut step_back));
        match step {
            Step::Add(record) => world.add(record, now),
            Step::Poll => _ = world.poll(now),
            Step::Answer { call, how } => world.answer(*call, how, now),
            Step::List { listing, how } => world.list(*listing, *how, now),
            Step::Wait(time) => world.now = world.now.saturating_add(*time),
            Step::GoBack(time) => step_back = *time,
            Step::Flush => world.producer.flush(now),
            Step::Close => world.producer.close(now),
            Step::Take(count) => world.take(usize::from(*count)),
            Step::Split { shard, at } => world.split(*shard, *at),
            Step::Merge { shard } => world.merge(*shard),
            Step::Recreate { shards } => world.replace(even((*shards).into())),
        }
    }
    if script.stop { world.stop() } else { world.close() }
}

fn even(count: u128) -> Shards {
    let width = u128::MAX / count;
    (0..count)
        .map(|shard| {
            let end = if shard + 1 == count { u128::MAX } else { (shard + 1) * width - 1 };
            (format!("shardId-{shard:012}"), range(shard * width, end), true)
        })
        .collect()
}

fn range(start: u128, end: u128) -> HashKeyRange {
    HashKeyRange::new(HashKey::new(start), HashKey::new(end)).unwrap()
}

impl World {
    fn add(&mut self, record: &Record, now: Duration) {
        let number = self.returned.len();
        let mut data = u32::try_from(number).unwrap().to_le_bytes().to_vec();
        data.resize(record.len.max(4), b'.');
        let tags = [RecordTag { key: "tag", value: Some("value") }];
        let user = match record.partition_key {
            Some(key) => UserRecord::new(key, &data),
            None => UserRecord::without_key(&data),
        };
        let user = record.explicit_hash_key.map_or(user, |key| user.with_explicit_hash_key(key));
        let user = if record.tagged { user.with_tags(&tags) } else { user };
        let added = self.producer.add(user, number, now);
        match &added {
            Ok(()) => {
                assert!(self.producer.used() <= self.budget.saturating_add(SLACK), "the budget is exceeded")
            }
            Err(error) => assert_eq!(error.receipt, number),
        }
        self.returned.push((added.is_ok(), 0));
    }

    /// Polls once; returns whether there was something to do.
    fn poll(&mut self, now: Duration) -> bool {
        match self.producer.poll(now) {
            Action::Put(id) => {
                let call = self.producer.call(id).unwrap();
                assert!(!call.entries.is_empty());
                self.calls.push(id);
                true
            }
            Action::ListShards(id) => {
                self.listings.push(id);
                true
            }
            Action::Idle => {
                let mut steps = 0;
                while self.producer.next_deadline().is_some_and(|deadline| deadline <= self.now)
                    && now == self.now
                {
                    steps += 1;
                    assert!(steps < 100, "spins");
                    if self.poll(now) {
                        return true;
                    }
                }
                false
            }
            Action::Finished => false,
        }
    }

    /// `back` calls before the last one.
    fn answer(&mut self, back: u8, how: &How, now: Duration) {
        let Some(&id) = self.calls.iter().rev().nth(back.into()) else { return };
        let (answers, missing, surplus) = match how {
            How::Failed { kind, code } => {
                let failure = CallFailure { kind: *kind, code, message: "message" };
                self.producer.on_put(id, PutAnswer::Failed(failure), now);
                return;
            }
            How::Entries { answers, missing, surplus } => {
                (answers, usize::from(*missing), usize::from(*surplus))
            }
        };
        let entries = self.producer.call(id).map_or_else(Vec::new, |call| call.entries);
        let mut taken = Vec::new();
        for (entry, how) in entries.iter().zip(answers.iter().cycle()) {
            let key =
                entry.explicit_hash_key.unwrap_or_else(|| HashKey::of_partition_key(entry.partition_key));
            let shard = match how {
                Taken::Failed(code) => {
                    taken.push(Err(*code));
                    continue;
                }
                Taken::Right => self
                    .shards
                    .iter()
                    .find(|(_, range, open)| *open && range.contains(key))
                    .unwrap()
                    .0
                    .clone(),
                Taken::By(shard) => self.shards[usize::from(*shard) % self.shards.len()].0.clone(),
                Taken::Unknown => "shardId-000000009999".into(),
            };
            let records = deaggregate(entry.data).map(|user| {
                let number = u32::from_le_bytes(*user.data.first_chunk().unwrap()) as usize;
                (number, if user.partition_key.is_empty() { key } else { user.hash_key().unwrap() })
            });
            let records: Vec<_> = records.collect();
            if self.routing == Routing::ByKey {
                assert!(records.iter().all(|(_, key)| *key == records[0].1), "several keys in one aggregate");
            }
            taken.push(Ok((shard.clone(), self.stored.len().to_string())));
            self.stored.push(Stored { shard, records });
        }
        taken.truncate(entries.len().saturating_sub(missing));
        let surplus = if missing > 0 { 0 } else { surplus };
        taken.extend((0..surplus).map(|_| Ok(("shardId-000000000000".into(), "surplus".into()))));
        let answers: Vec<EntryAnswer<'_>> = taken
            .iter()
            .map(|taken| match taken {
                Ok((shard, sequence_number)) => EntryAnswer::Stored { shard, sequence_number },
                Err(code) => EntryAnswer::Failed { code, message: "" },
            })
            .collect();
        drop(entries);
        self.producer.on_put(id, PutAnswer::Entries(&answers), now);
        assert_eq!(self.producer.call(id), None);
    }

    fn list(&mut self, back: u8, how: Listed, now: Duration) {
        let Some(&id) = self.listings.iter().rev().nth(back.into()) else { return };
        let earlier = |back: u8| self.earlier.iter().rev().nth(back.into()).unwrap_or(&self.shards);
        let shards = match how {
            Listed::Failed => {
                self.producer.on_shards(id, Err(ListFailed), now);
                return;
            }
            Listed::All | Listed::Open => &self.shards,
            Listed::Outdated(back) => earlier(back % 8),
        };
        let shown = shards.iter().filter(|(.., open)| *open || !matches!(how, Listed::Open));
        let map = ShardMap::new(shown.map(|(id, range, open)| {
            self.told.entry(id.clone()).or_default().push(*range);
            let shard = Shard::new(id, *range);
            if *open { shard } else { shard.closed() }
        }));
        self.producer.on_shards(id, Ok(map.unwrap()), now);
    }

    fn replace(&mut self, shards: Shards) {
        self.earlier.push(core::mem::replace(&mut self.shards, shards));
    }

    /// The open shards, by where they begin.
    fn open(&self) -> Vec<usize> {
        let mut open: Vec<usize> = (0..self.shards.len()).filter(|&shard| self.shards[shard].2).collect();
        open.sort_by_key(|&shard| self.shards[shard].1.start());
        open
    }

    fn push(&self, shards: &mut Shards, range: HashKeyRange) {
        shards.push((format!("shardId-{:012}", shards.len()), range, true));
    }

    fn split(&mut self, shard: u8, at: u8) {
        let open = self.open();
        let shard = open[usize::from(shard) % open.len()];
        let (start, end) = (self.shards[shard].1.start().get(), self.shards[shard].1.end().get());
        if end - start < 16 || open.len() > 12 {
            return;
        }
        let middle = start + (end - start) / 8 * u128::from(at) + 1;
        let mut shards = self.shards.clone();
        shards[shard].2 = false;
        self.push(&mut shards, range(start, middle - 1));
        self.push(&mut shards, range(middle, end));
        self.replace(shards);
    }

    fn merge(&mut self, shard: u8) {
        let open = self.open();
        let Some(last) = open.len().checked_sub(1).filter(|&last| last > 0) else { return };
        let (a, b) = (open[usize::from(shard) % last], open[usize::from(shard) % last + 1]);
        let mut shards = self.shards.clone();
        shards[a].2 = false;
        shards[b].2 = false;
        self.push(&mut shards, range(self.shards[a].1.start().get(), self.shards[b].1.end().get()));
        self.replace(shards);
    }

    fn take(&mut self, count: usize) {
        for _ in 0..count {
            let Some(done) = self.producer.next_done() else { return };
            self.come_back(done.receipt);
            let Outcome::Delivered { shard, sequence_number, sub_sequence_number, .. } = &done.outcome else {
                continue;
            };
            let stored = &self.stored[sequence_number.parse::<usize>().unwrap()];
            assert_eq!(*stored.shard, **shard);
            assert_eq!(stored.records[usize::try_from(*sub_sequence_number).unwrap()].0, done.receipt);
            if self.routing == Routing::ByShard {
                let owns = |range: &HashKeyRange| stored.records.iter().all(|(_, key)| range.contains(*key));
                assert!(
                    self.told.get(&**shard).is_some_and(|ranges| ranges.iter().any(owns)),
                    "{shard} does not own it"
                );
            }
        }
    }

    fn come_back(&mut self, receipt: usize) {
        let (added, returned) = &mut self.returned[receipt];
        *returned += 1;
        assert!(*added && *returned == 1, "receipt {receipt}");
    }

    /// Closes the producer, and answers everything well.
    fn close(mut self) {
        self.producer.close(self.now);
        let well = How::Entries { answers: vec![Taken::Right], missing: 0, surplus: 0 };
        let (calls, listings) = (self.calls.len(), self.listings.len());
        for back in 0..u8::try_from(calls).unwrap_or(u8::MAX) {
            self.answer(back, &well, self.now);
        }
        for back in 0..u8::try_from(listings).unwrap_or(u8::MAX) {
            self.list(back, Listed::All, self.now);
        }
        for round in 0.. {
            assert!(round < 5_000, "{:?} does not come to an end", self.producer);
            match self.producer.poll(self.now) {
                Action::Put(id) => {
                    self.calls.push(id);
                    self.answer(0, &well, self.now);
                }
                Action::ListShards(id) => {
                    self.listings.push(id);
                    self.list(0, Listed::All, self.now);
                }
                Action::Idle => {
                    let deadline = self.producer.next_deadline();
                    self.now =
                        self.now.max(deadline.unwrap_or_else(|| panic!("{:?} is stuck", self.producer)));
                }
                Action::Finished => break,
            }
        }
        self.take(usize::MAX);
        assert_eq!((self.producer.outstanding(), self.producer.oldest()), (0, None));
        assert_eq!(self.producer.used(), 0, "memory that nothing takes");
        assert!(self.producer.abandon().is_empty());
        assert!(self.returned.iter().all(|&(added, returned)| returned == usize::from(added)));
    }

    /// Stops the producer.
    fn stop(mut self) {
        let outstanding = self.producer.outstanding();
        let rest = self.producer.abandon();
        assert_eq!((rest.len() as u64, self.producer.outstanding()), (outstanding, 0));
        self.take(usize::MAX);
        assert_eq!((self.producer.poll(self.now), self.producer.used()), (Action::Finished, 0));
        for record in rest {
            let number = u32::from_le_bytes(*record.data.first_chunk().unwrap()) as usize;
            assert_eq!(number, record.receipt);
            self.come_back(record.receipt);
        }
        assert!(self.returned.iter().all(|&(added, returned)| returned == usize::from(added)));
    }
}
