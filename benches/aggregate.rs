//! Layer 5: user records packed, digest included.

#[allow(dead_code, reason = "each benchmark uses some of it")]
mod corpora;
#[path = "peers/src/others.rs"]
#[allow(dead_code, reason = "each benchmark uses some of it")]
mod others;
#[path = "peers/src/ours.rs"]
#[allow(dead_code, reason = "each benchmark uses some of it")]
mod ours;
mod settings;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kinesis_aggregation::{Encoder, Limits, RecordAggregator};
use kinesis_aggregation::decode::Md5;

use corpora::Corpus;

/// The digest, whose time is the first row, is the least that packing takes.
fn pack(criterion: &mut Criterion) {
    for corpus in Corpus::usual() {
        let (body, _) = others::body(&corpus.payload).expect("an aggregated record");
        let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
        let mut buffer = vec![0; 2 * corpus.payload.len()];
        let mut encoder = Encoder::<256>::new(&mut buffer, Limits::KINESIS_MAX);
        // The contenders do the same.
        assert_eq!(ours::pack(&mut aggregator, corpus.user_records()).as_ref(), Some(&corpus.payload));
        assert_eq!(others::pack_by_prost(corpus.user_records()), corpus.payload);

        let mut group = criterion.benchmark_group(format!("aggregate: {}", corpus.name));
        group.throughput(Throughput::Bytes(corpus.payload.len() as u64));
        group.bench_function("MD5 of this library", |b| b.iter(|| Md5::digest(body)));
        group.bench_function("this library, aggregator", |b| {
            b.iter(|| ours::pack(&mut aggregator, corpus.user_records()));
        });
        group.bench_function("this library, streamed", |b| {
            b.iter(|| ours::stream(&mut encoder, corpus.user_records()));
        });
        group.bench_function("prost, HashMap, md5", |b| {
            b.iter(|| others::pack_by_prost(corpus.user_records()));
        });
    }
}

criterion_group!(name = benches; config = settings::criterion(); targets = pack);
criterion_main!(benches);
