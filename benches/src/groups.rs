//! The groups: what is measured, and which contenders do it.

use bytes::Bytes;
use md5_digest::Digest;

use crate::corpora::{self, Corpus, hostile};
use crate::group::Group;
use crate::ours::{DigestCheck, Limits, Md5, ProducerConfig, Producing, RecordAggregator, ShardMap};
use crate::{others, ours};

const SHARDS: usize = 64;

/// Makes all groups, one after the other, and hands each to `visit` whose name `wanted` accepts.
pub fn each(wanted: impl Fn(&str) -> bool, mut visit: impl FnMut(Group<'_>)) {
    let mut visit = |group: Group<'_>| {
        if wanted(&group.name) {
            visit(group);
        }
    };
    let corpora = Corpus::all();
    let [a, b, ..] = &corpora[..] else { unreachable!("A and B come first") };

    for (name, len) in [("64 bytes", 64), ("1 KiB", 1 << 10), ("1 MiB", 1 << 20)] {
        visit(digest(name, &corpora::bytes(len)));
    }
    visit(digests(&corpora::messages(8)));
    for corpus in &corpora {
        visit(deaggregate(corpus));
    }
    visit(verified("deaggregate, verified: H", &hostile(), 80_000));
    for corpus in &corpora {
        visit(digest_skipped(corpus));
    }
    visit(batch(&vec![b.payload.clone(); 8]));
    for corpus in &corpora {
        visit(aggregate(corpus));
    }
    visit(aggregate_together(a));
    for corpus in &corpora {
        visit(stream(corpus, &mut vec![0; 2 * corpus.payload.len()]));
    }
    visit(finish(a));
    let maps = [("even", corpora::even_map(SHARDS)), ("uneven", corpora::uneven_map(SHARDS))];
    for (kind, map) in &maps {
        visit(look_up(kind, map));
    }
    for (kind, map) in &maps {
        visit(route(kind, map, a));
    }
    visit(produce(&maps[0].1, a));
}

fn digest<'w>(name: &str, message: &'w [u8]) -> Group<'w> {
    let group = Group::new(format!("MD5 of {name}"), message.len(), 0)
        .with("this library", || Md5::digest(message))
        .with("md-5", move || md5_digest::Md5::digest(message))
        .with("md5", move || md5::compute(message));
    #[cfg(feature = "openssl")]
    let group = group.with("OpenSSL", || {
        openssl::hash::hash(openssl::hash::MessageDigest::md5(), message).expect("MD5 is available")
    });
    group
}

fn digests(messages: &[Vec<u8>]) -> Group<'_> {
    let bytes = messages.iter().map(Vec::len).sum();
    let mut digests = vec![[0; 16]; messages.len()];
    Group::new("MD5 of 8 messages of 40 to 60 KB", bytes, 0)
        .with("one by one", || messages.iter().fold(0, |sum, message| sum ^ Md5::digest(message)[0]))
        .with("together", move || {
            Md5::digest_each(messages, &mut digests);
            digests[0]
        })
}

/// This library beside its own MD5, the least that a verified read takes.
fn verified<'w>(name: impl Into<String>, payload: &'w [u8], user_records: usize) -> Group<'w> {
    let body = corpora::body(payload);
    let mut keys = Vec::new();
    Group::new(name, payload.len(), user_records)
        .with("MD5 of this library", || Md5::digest(body))
        .with("this library", move || ours::decode(payload, &mut keys, DigestCheck::Verify))
}

fn deaggregate(corpus: &Corpus) -> Group<'_> {
    let payload = corpus.payload.as_slice();
    let shared = Bytes::copy_from_slice(corpus.body());
    verified(format!("deaggregate, verified: {}", corpus.name), payload, corpus.user_records().len())
        .with("prost, md5", || others::by_prost(others::verified(payload)))
        .with("prost with Bytes, md5", move || {
            others::verified(payload);
            others::by_prost_bytes(shared.clone())
        })
        .with("quick-protobuf, md5", || others::by_quick_protobuf(others::verified(payload)))
}

/// The parser alone.
fn digest_skipped(corpus: &Corpus) -> Group<'_> {
    let body = corpus.body();
    let shared = Bytes::copy_from_slice(body);
    let mut keys = Vec::new();
    let name = format!("deaggregate, digest skipped: {}", corpus.name);
    Group::new(name, corpus.payload.len(), corpus.user_records().len())
        .with("this library", move || ours::decode(&corpus.payload, &mut keys, DigestCheck::Skip))
        .with("prost", || others::by_prost(body))
        .with("prost with Bytes", move || others::by_prost_bytes(shared.clone()))
        .with("quick-protobuf", || others::by_quick_protobuf(body))
}

fn batch(payloads: &[Vec<u8>]) -> Group<'_> {
    let bytes = payloads.iter().map(Vec::len).sum();
    Group::new("deaggregate 8 of B", bytes, 8 * 500)
        .with("one by one", || {
            payloads.iter().map(|payload| ours::decode_all(std::slice::from_ref(payload))).sum::<usize>()
        })
        .with("a batch", || ours::decode_all(payloads))
}

fn aggregate(corpus: &Corpus) -> Group<'_> {
    let mut aggregator = ours::aggregator();
    // The contenders do the same work.
    assert_eq!(ours::aggregate(&mut aggregator, corpus.user_records()).as_ref(), Some(&corpus.payload));
    assert_eq!(others::aggregate_by_prost(corpus.user_records()), corpus.payload);
    let name = format!("aggregate, canonical: {}", corpus.name);
    Group::new(name, corpus.payload.len(), corpus.user_records().len())
        .with("MD5 of this library", || Md5::digest(corpus.body()))
        .with("this library", move || ours::aggregate(&mut aggregator, corpus.user_records()))
        .with("prost, HashMap, md5", || others::aggregate_by_prost(corpus.user_records()))
}

/// Aggregates as large as those of the KPL, with their digests one by one and together.
fn aggregate_together(corpus: &Corpus) -> Group<'_> {
    let new = || RecordAggregator::new(Limits::KPL);
    let (mut alone, mut together) = (new(), new());
    let aggregates = ours::aggregate_together(&mut together, corpus.user_records());
    assert!(aggregates.len() >= 16, "{}", aggregates.len());
    let bodies: Vec<Vec<u8>> = aggregates.iter().map(|one| corpora::body(&one.data).to_vec()).collect();
    let bytes = bodies.iter().map(Vec::len).sum();
    Group::new("aggregate, digests together: A", bytes, corpus.user_records().len())
        .with("MD5 of this library", move || bodies.iter().fold(0, |sum, body| sum ^ Md5::digest(body)[0]))
        .with("this library", move || ours::aggregate_together(&mut together, corpus.user_records()))
        .with("digests one by one", move || ours::aggregate_one_by_one(&mut alone, corpus.user_records()))
}

fn stream<'w>(corpus: &'w Corpus, buffer: &'w mut [u8]) -> Group<'w> {
    let mut encoder = ours::encoder(buffer);
    let name = format!("encode, streamed: {}", corpus.name);
    Group::new(name, corpus.payload.len(), corpus.user_records().len())
        .with("MD5 of this library", || Md5::digest(corpus.body()))
        .with("this library", move || ours::stream(&mut encoder, corpus.user_records()))
}

/// The time that `Encoder::finish` takes is the difference between the two.
fn finish(corpus: &Corpus) -> Group<'_> {
    let mut unfinished = vec![0; 2 * corpus.payload.len()];
    let mut finished = unfinished.clone();
    Group::new("finish a streamed aggregate of A", corpus.payload.len(), corpus.user_records().len())
        .with("fill and clear", move || {
            ours::fill(&mut ours::encoder(&mut unfinished), corpus.user_records())
        })
        .with("fill and finish", move || {
            ours::stream(&mut ours::encoder(&mut finished), corpus.user_records())
        })
}

fn look_up<'w>(kind: &str, map: &'w ShardMap) -> Group<'w> {
    let keys = corpora::partition_keys(4096);
    let hash_keys = corpora::hash_keys(4096);
    let (starts, others_keys) = (ours::starts(map), keys.clone());
    Group::new(format!("route a new key, {kind} map of {SHARDS}"), 0, keys.len())
        .with("hash key and shard", move || ours::hash_and_look_up(map, &keys))
        .with("shard alone", move || ours::look_up(map, &hash_keys))
        .with("md5, partition_point", move || {
            others_keys.iter().map(|key| starts[others::search(&starts, key)]).fold(0, u128::wrapping_add)
        })
}

/// The time that routing takes is the difference between the two.
fn route<'w>(kind: &str, map: &'w ShardMap, corpus: &'w Corpus) -> Group<'w> {
    let mut aggregators = vec![ours::aggregator(); SHARDS];
    let starts = ours::starts(map);
    let shards: Vec<usize> =
        corpus.user_records().map(|record| others::search(&starts, record.partition_key)).collect();
    let mut manager = ours::manager(map);
    let name = format!("route known keys and aggregate, {kind} map of {SHARDS}: A");
    Group::new(name, 0, corpus.user_records().len())
        .with("64 aggregators, shard given", move || {
            for (record, &shard) in corpus.user_records().zip(&shards) {
                drop(aggregators[shard].add(record).expect("a valid user record"));
            }
            aggregators.iter_mut().filter_map(|aggregator| aggregator.finish()).count()
        })
        .with("the manager", move || ours::route(&mut manager, corpus.user_records()))
}

/// From `add` to the borrowed entries of a call. The answer and the results do not count.
fn produce<'w>(map: &'w ShardMap, corpus: &'w Corpus) -> Group<'w> {
    let mut producing = Producing::new(Some(map), ProducerConfig::default());
    let bodies: Vec<Vec<u8>> = {
        let entries = producing.add_and_call(corpus.user_records());
        entries.into_iter().map(|data| corpora::body(data).to_vec()).collect()
    };
    producing.answer();
    assert_eq!(producing.results(), corpus.user_records().len());
    let bytes = bodies.iter().map(Vec::len).sum();
    Group::new("producer, add to call, even map of 64: A", bytes, corpus.user_records().len())
        .with("MD5 of this library", move || bodies.iter().fold(0, |sum, body| sum ^ Md5::digest(body)[0]))
        .with_reset(
            "this library",
            producing,
            |producing| _ = std::hint::black_box(producing.add_and_call(corpus.user_records())),
            |producing| {
                producing.answer();
                producing.results();
            },
        )
}
