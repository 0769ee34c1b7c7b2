//! The rows of the target table of docs/performance.md.

use bytes::Bytes;
use kinesis_aggregation::{Encoder, Limits, RecordAggregator, ShardMap};
use kinesis_aggregation::decode::{DigestCheck, Md5};
use kinesis_aggregation::route::{HashKey, HashKeyRange, Shard};
use md5_digest::Digest;

use crate::clock::{Group, Outcome};
use crate::corpora::{Corpus, Random, hostile};
use crate::{others, ours};

/// Measures the groups that have `only` in their names.
pub fn measure(only: &str) -> Vec<Outcome> {
    let corpora = Corpus::usual();
    let hostile = hostile();
    let buffers: Vec<Vec<u8>> = corpora.iter().map(|corpus| vec![0; 2 * corpus.payload.len()]).collect();
    let mut buffers = buffers;
    let b = vec![corpora[1].payload.clone(); 8];
    let maps = Maps::new();
    let bytes = Random::new(1).bytes(1 << 20);

    let mut groups = vec![digest(&bytes)];
    for corpus in &corpora {
        groups.push(deaggregate(corpus));
    }
    groups.push(reading("deaggregate, verified: H", &hostile, 80_000));
    for corpus in &corpora {
        groups.push(unverified(corpus));
    }
    groups.push(batch(&b));
    for corpus in &corpora {
        groups.push(aggregate(corpus));
    }
    for (corpus, buffer) in corpora.iter().zip(&mut buffers) {
        groups.push(streamed(corpus, buffer));
    }
    groups.push(finish(&corpora[0]));
    groups.extend(maps.groups(&corpora[0]));
    groups.into_iter().filter(|group| group.name().contains(only)).map(Group::run).collect()
}

fn digest(bytes: &[u8]) -> Group<'_> {
    Group::new("MD5 of 1 MiB", bytes.len(), 0)
        .with("this library", || Md5::digest(bytes))
        .with("OpenSSL", || openssl::hash::hash(openssl::hash::MessageDigest::md5(), bytes).expect("MD5"))
        .with("md-5", move || md5_digest::Md5::digest(bytes))
        .with("md5", move || md5::compute(bytes))
}

/// A payload taken apart by this library, beside its MD5.
fn reading<'w>(name: impl Into<String>, payload: &'w [u8], user_records: usize) -> Group<'w> {
    let (body, _) = others::body(payload).expect("an aggregated record");
    let mut keys = Vec::new();
    Group::new(name, payload.len(), user_records)
        .with("MD5 of this library", || Md5::digest(body))
        .with("this library", move || ours::take_apart(payload, &mut keys, DigestCheck::Verify))
}

fn deaggregate(corpus: &Corpus) -> Group<'_> {
    let payload = corpus.payload.as_slice();
    let (body, _) = others::body(payload).expect("an aggregated record");
    let shared = Bytes::copy_from_slice(body);
    reading(format!("deaggregate, verified: {}", corpus.name), payload, corpus.user_records().len())
        .with("prost, md5", || others::by_prost(others::verified(payload).expect("a right digest")))
        .with("prost with Bytes, md5", move || {
            others::verified(payload).expect("a right digest");
            others::by_prost_bytes(shared.clone())
        })
        .with("quick-protobuf, md5", || {
            others::by_quick_protobuf(others::verified(payload).expect("a right digest"))
        })
}

fn unverified(corpus: &Corpus) -> Group<'_> {
    let payload = corpus.payload.as_slice();
    let (body, _) = others::body(payload).expect("an aggregated record");
    let shared = Bytes::copy_from_slice(body);
    let mut keys = Vec::new();
    Group::new(
        format!("deaggregate, digest skipped: {}", corpus.name),
        payload.len(),
        corpus.user_records().len(),
    )
    .with("this library", move || ours::take_apart(payload, &mut keys, DigestCheck::Skip))
    .with("prost", || others::by_prost(body))
    .with("prost with Bytes", move || others::by_prost_bytes(shared.clone()))
    .with("quick-protobuf", || others::by_quick_protobuf(body))
}

fn batch(payloads: &[Vec<u8>]) -> Group<'_> {
    let bytes = payloads.iter().map(Vec::len).sum();
    Group::new("deaggregate 8 of B", bytes, 8 * 500)
        .with("one by one", || {
            payloads.iter().map(|payload| ours::take_all_apart(std::slice::from_ref(payload))).sum::<usize>()
        })
        .with("a batch", || ours::take_all_apart(payloads))
}

fn aggregate(corpus: &Corpus) -> Group<'_> {
    let (body, _) = others::body(&corpus.payload).expect("an aggregated record");
    let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
    assert_eq!(ours::pack(&mut aggregator, corpus.user_records()).as_ref(), Some(&corpus.payload));
    assert_eq!(others::pack_by_prost(corpus.user_records()), corpus.payload);
    Group::new(
        format!("aggregate, canonical: {}", corpus.name),
        corpus.payload.len(),
        corpus.user_records().len(),
    )
    .with("MD5 of this library", || Md5::digest(body))
    .with("this library", move || ours::pack(&mut aggregator, corpus.user_records()))
    .with("prost, HashMap, md5", || others::pack_by_prost(corpus.user_records()))
}

fn streamed<'w>(corpus: &'w Corpus, buffer: &'w mut [u8]) -> Group<'w> {
    let (body, _) = others::body(&corpus.payload).expect("an aggregated record");
    // All keys of E are different: they need not be known.
    let mut encoder = Encoder::<256>::new(buffer, Limits::KINESIS_MAX);
    Group::new(
        format!("encode, streamed: {}", corpus.name),
        corpus.payload.len(),
        corpus.user_records().len(),
    )
    .with("MD5 of this library", || Md5::digest(body))
    .with("this library", move || ours::stream(&mut encoder, corpus.user_records()))
}

/// What is left to do at the end: the whole, without all but the end.
fn finish(corpus: &Corpus) -> Group<'_> {
    let mut buffer = vec![0; 2 * corpus.payload.len()];
    let mut adding = vec![0; 2 * corpus.payload.len()];
    Group::new("finish a streamed aggregate of A", corpus.payload.len(), corpus.user_records().len())
        .with("fill and clear", move || {
            let mut encoder = Encoder::<256>::new(&mut adding, Limits::KINESIS_MAX);
            for record in corpus.user_records() {
                _ = encoder.add(record).expect("a valid user record");
            }
            encoder.size_bytes()
        })
        .with("fill and finish", move || {
            let mut encoder = Encoder::<256>::new(&mut buffer, Limits::KINESIS_MAX);
            ours::stream(&mut encoder, corpus.user_records())
        })
}

/// Streams of 64 shards.
struct Maps {
    even: ShardMap,
    uneven: ShardMap,
}

impl Maps {
    fn new() -> Self {
        let width = u128::MAX / 64;
        let even = (1..64).map(|number| number * width).collect();
        // As a stream becomes that was split where it was busy: halves of halves, and the rest at random.
        let mut random = Random::new(3);
        let mut uneven: Vec<u128> = (0..32).map(|bits| u128::MAX >> 1 >> bits).collect();
        uneven.extend((0..31).map(|_| u128::from(random.next()) << 64 | u128::from(random.next())));
        uneven.sort_unstable();
        Self { even: map(even), uneven: map(uneven) }
    }

    fn groups<'w>(&'w self, corpus: &'w Corpus) -> Vec<Group<'w>> {
        let mut random = Random::new(7);
        let keys: Vec<String> = (0..4096).map(|_| format!("{:032x}", random.next())).collect();
        let hashes: Vec<HashKey> = keys.iter().map(|key| HashKey::of_partition_key(key)).collect();
        let count = keys.len();
        let mut groups = Vec::new();
        for (name, map) in [("even", &self.even), ("uneven", &self.uneven)] {
            let (keys, hashes) = (keys.clone(), hashes.clone());
            groups.push(
                Group::new(format!("route a new key, {name} map of 64"), 0, count)
                    .with("hash key and shard", move || {
                        let start = |key: &String| {
                            map.shard_for(HashKey::of_partition_key(key)).range().start().get()
                        };
                        keys.iter().map(start).fold(0, u128::wrapping_add)
                    })
                    .with("shard alone", move || {
                        let start = |&hash: &HashKey| map.shard_for(hash).range().start().get();
                        hashes.iter().map(start).fold(0, u128::wrapping_add)
                    }),
            );
        }
        for (name, map) in [("even", &self.even), ("uneven", &self.uneven)] {
            let mut aggregators = vec![RecordAggregator::new(Limits::KINESIS_MAX); 64];
            let starts: Vec<u128> = map.shards().map(|shard| shard.range().start().get()).collect();
            let shards: Vec<usize> = corpus
                .user_records()
                .map(|record| {
                    let key = HashKey::of_partition_key(record.partition_key).get();
                    starts.partition_point(|&start| start <= key) - 1
                })
                .collect();
            let mut manager = ours::manager(map);
            groups.push(
                Group::new(
                    format!("route known keys and pack, {name} map of 64: A"),
                    0,
                    corpus.user_records().len(),
                )
                .with("64 aggregators, told which", move || {
                    for (record, &shard) in corpus.user_records().zip(&shards) {
                        drop(aggregators[shard].add(record).expect("a valid user record"));
                    }
                    aggregators.iter_mut().filter_map(RecordAggregator::finish).count()
                })
                .with("the manager", move || ours::route(&mut manager, corpus.user_records())),
            );
        }
        groups
    }
}

/// A map whose shards after the first begin at these hash keys.
pub fn map(starts: Vec<u128>) -> ShardMap {
    let ends = starts.iter().map(|start| start - 1).chain([u128::MAX]);
    let ranges = [0]
        .iter()
        .chain(&starts)
        .zip(ends)
        .map(|(&start, end)| HashKeyRange::new(HashKey::new(start), HashKey::new(end)).expect("a range"));
    let ids: Vec<String> = (0..=starts.len()).map(|number| format!("shardId-{number:012}")).collect();
    ShardMap::new(ids.iter().zip(ranges).map(|(id, range)| Shard::new(id, range))).expect("a whole map")
}
