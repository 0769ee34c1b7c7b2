//! Steps of a test of `PutQueue`, and what holds after each: nothing is lost, order is kept, and nothing is held back that could
//! be sent. Shared with the fuzz target `put_queue_ops`.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use kinesis_aggregation::route::{PutEntry, PutOutcome, PutQueue, PutRequest};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) number: usize,
    /// 0 is none.
    pub(crate) shard: usize,
    pub(crate) size: usize,
}

const SHARDS: [&str; 5] = ["", "shardId-1", "shardId-2", "shardId-3", "shardId-4"];

impl PutEntry for Entry {
    fn size_bytes(&self) -> usize {
        self.size
    }

    fn shard_id(&self) -> Option<&str> {
        Some(SHARDS[self.shard]).filter(|id| !id.is_empty())
    }
}

pub(crate) fn entry(number: usize, shard: usize, size: usize) -> Entry {
    Entry { number, shard, size }
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const DELIVERED: PutOutcome<'static> = PutOutcome::Delivered { shard_id: "there" };

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Push {
        /// Below 5; 0 is none.
        shard: usize,
        /// At least 1.
        size: usize,
    },
    Send {
        after: u64,
    },
    /// Answers a call on its way: 0 to 2 is delivered, throttled, failed; what is missing is missing.
    Answer {
        call: usize,
        outcomes: Vec<u8>,
    },
    /// Gives a call on its way up: its entries are the caller's again.
    GiveUp {
        call: usize,
    },
    Drain,
}

/// Until when a shard is held back, and how often in a row nothing was delivered.
struct Backoff {
    failures: u32,
    until: Duration,
}

/// The defaults of a queue.
const FIRST_BACKOFF: Duration = millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// Runs all steps on a queue, and delivers what is left at the end.
pub(crate) fn check(max_entries: usize, max_bytes: usize, steps: Vec<Step>) {
    let mut queue = PutQueue::new().with_max_entries(max_entries).with_max_request_bytes(max_bytes);
    let mut now = Duration::ZERO;
    let mut pushed = 0;
    let mut given_up = 0;
    let mut drained = false;
    let mut queued = BTreeMap::new();
    let mut calls: Vec<PutRequest<Entry>> = Vec::new();
    let mut delivered = BTreeSet::new();
    let mut backoffs: BTreeMap<usize, Backoff> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Push { shard, size } => {
                queue.push(entry(pushed, shard, size));
                queued.insert(pushed, entry(pushed, shard, size));
                pushed += 1;
            }
            Step::Send { after } => {
                now += millis(after);
                let busy: BTreeSet<usize> = calls
                    .iter()
                    .flat_map(PutRequest::entries)
                    .map(|entry| entry.shard)
                    .filter(|&shard| shard != 0)
                    .collect();
                let backs_off =
                    |shard: usize| backoffs.get(&shard).is_some_and(|backoff| backoff.until > now);
                let may_go = |entry: &Entry| !busy.contains(&entry.shard) && !backs_off(entry.shard);
                let Some(request) = queue.next_request(now) else {
                    assert!(!queued.values().any(may_go), "something could have been sent");
                    continue;
                };
                let bytes: usize = request.entries().map(PutEntry::size_bytes).sum();
                assert_eq!(bytes, request.size_bytes());
                assert!(bytes <= max_bytes || request.entries().len() == 1);
                assert!((1..=max_entries).contains(&request.entries().len()));
                for sent in request.entries() {
                    // Of those without a shard it is known only until when they backoff at most.
                    assert!(may_go(sent) || sent.shard == 0, "{sent:?} may not go");
                    let known = queued.remove(&sent.number);
                    assert_eq!(known.as_ref(), Some(sent));
                    let first = queued.values().find(|other| other.shard == sent.shard);
                    // Calls without shards overlap: after a drain what waits counts as new, and what a call that was out then
                    // brings back goes before it.
                    let ordered = sent.shard != 0 || !drained;
                    assert!(
                        !ordered || first.is_none_or(|other| other.number > sent.number),
                        "{sent:?} overtakes"
                    );
                }
                // Who was left out had no room.
                let served: BTreeSet<usize> = request.entries().map(|entry| entry.shard).collect();
                for shard in (0..5).filter(|shard| !served.contains(shard) && (*shard != 0 || !drained)) {
                    let first = queued.values().find(|other| other.shard == shard && may_go(other));
                    let room = request.entries().len() < max_entries;
                    assert!(!first.is_some_and(|first| room && bytes + first.size <= max_bytes));
                }
                calls.push(request);
            }
            Step::Answer { call, outcomes } => {
                if calls.is_empty() {
                    continue;
                }
                let request = calls.remove(call % calls.len());
                let sent: Vec<Entry> = request.entries().cloned().collect();
                let outcomes: Vec<_> = outcomes
                    .iter()
                    .map(|&outcome| [DELIVERED, PutOutcome::Throttled, PutOutcome::Failed][outcome as usize])
                    .collect();
                let settled = queue.settle(request, outcomes.iter().copied(), now);
                let mut through = settled.delivered.iter().map(|(entry, _)| entry);
                let mut tallies: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
                for (position, sent) in sent.iter().enumerate() {
                    let tally = tallies.entry(sent.shard).or_default();
                    if outcomes.get(position) == Some(&DELIVERED) {
                        assert_eq!(through.next(), Some(sent));
                        assert!(delivered.insert(sent.number));
                        tally.0 += 1;
                    } else {
                        queued.insert(sent.number, sent.clone());
                        tally.1 += 1;
                    }
                }
                assert_eq!(through.next(), None);
                assert_eq!(settled.delivered.len() + settled.throttled + settled.failed, sent.len());
                for (shard, (delivered, kept)) in tallies {
                    if kept == 0 {
                        backoffs.remove(&shard);
                    } else if shard == 0 {
                        backoffs.insert(0, Backoff { failures: 0, until: now + LONGEST_BACKOFF });
                    } else {
                        let before = backoffs.get(&shard).map_or(0, |backoff| backoff.failures);
                        let failures = if delivered == 0 { before + 1 } else { 1 };
                        let backoff =
                            FIRST_BACKOFF.saturating_mul(1 << (failures - 1).min(10)).min(LONGEST_BACKOFF);
                        backoffs.insert(shard, Backoff { failures, until: now + backoff });
                    }
                }
            }
            Step::GiveUp { call } => {
                if calls.is_empty() {
                    continue;
                }
                let request = calls.remove(call % calls.len());
                let sent: Vec<Entry> = request.entries().cloned().collect();
                assert_eq!(queue.give_up(request), sent);
                given_up += sent.len();
                // A shard for which nothing waits is forgotten.
                backoffs.retain(|&shard, _| {
                    shard == 0
                        || queued.values().any(|entry| entry.shard == shard)
                        || !sent.iter().any(|entry| entry.shard == shard)
                });
            }
            Step::Drain => {
                let all = queue.drain();
                for shard in 1..5 {
                    let of_shard = |entry: &&Entry| entry.shard == shard;
                    assert!(all.iter().filter(of_shard).eq(queued.values().filter(of_shard)));
                }
                assert_eq!(all.len(), queued.len());
                drained = true;
                assert!(queue.is_empty() && queue.size_bytes() == 0);
                queue.extend(all);
                // They count as new, in the same order; shards of which nothing is on its way backoff no more.
                let busy: BTreeSet<usize> =
                    calls.iter().flat_map(PutRequest::entries).map(|entry| entry.shard).collect();
                backoffs.retain(|shard, _| *shard == 0 || busy.contains(shard));
            }
        }
        assert_eq!(queue.len(), queued.len());
        assert_eq!(queue.size_bytes(), queued.values().map(|entry| entry.size).sum::<usize>());
        assert_eq!(queue.in_flight(), calls.iter().map(|call| call.entries().len()).sum::<usize>());
        assert_eq!(delivered.len() + queue.len() + queue.in_flight() + given_up, pushed);
    }
    // In the end everything is delivered.
    for request in calls {
        _ = queue.settle(request, [], now);
    }
    for _ in 0..pushed {
        now += Duration::from_secs(5);
        let Some(request) = queue.next_request(now) else { break };
        let answer = vec![DELIVERED; request.entries().len()];
        for (entry, _) in queue.settle(request, answer, now).delivered {
            assert!(delivered.insert(entry.number));
        }
    }
    assert_eq!(delivered.len() + given_up, pushed);
}
