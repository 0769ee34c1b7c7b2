//! Layer 4: payloads taken apart, and every user record looked at.

#[allow(dead_code, reason = "each benchmark uses some of it")]
mod corpora;
#[path = "peers/src/others.rs"]
#[allow(dead_code, reason = "each benchmark uses some of it")]
mod others;
#[path = "peers/src/ours.rs"]
#[allow(dead_code, reason = "each benchmark uses some of it")]
mod ours;
mod settings;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kinesis_aggregation::decode::{DigestCheck, Md5};

use corpora::Corpus;

/// With the digest, whose time is the first row: nobody can be faster.
fn verified(criterion: &mut Criterion) {
    for corpus in Corpus::usual() {
        let payload = corpus.payload.as_slice();
        let (body, _) = others::body(payload).expect("an aggregated record");
        let shared = Bytes::copy_from_slice(body);
        let mut keys = Vec::new();
        let mut group = criterion.benchmark_group(format!("deaggregate, verified: {}", corpus.name));
        group.throughput(Throughput::Bytes(payload.len() as u64));
        group.bench_function("MD5 of this library", |b| b.iter(|| Md5::digest(body)));
        group.bench_function("this library", |b| {
            b.iter(|| ours::take_apart(payload, &mut keys, DigestCheck::Verify));
        });
        group.bench_function("prost, md5", |b| {
            b.iter(|| others::by_prost(others::verified(payload).expect("a right digest")));
        });
        group.bench_function("prost with Bytes, md5", |b| {
            b.iter(|| {
                others::verified(payload).expect("a right digest");
                others::by_prost_bytes(shared.clone())
            });
        });
        group.bench_function("quick-protobuf, md5", |b| {
            b.iter(|| others::by_quick_protobuf(others::verified(payload).expect("a right digest")));
        });
    }
}

/// The parser alone, by user records.
fn digest_skipped(criterion: &mut Criterion) {
    for corpus in Corpus::usual() {
        let payload = corpus.payload.as_slice();
        let (body, _) = others::body(payload).expect("an aggregated record");
        let shared = Bytes::copy_from_slice(body);
        let mut keys = Vec::new();
        let mut group = criterion.benchmark_group(format!("deaggregate, digest skipped: {}", corpus.name));
        group.throughput(Throughput::Elements(corpus.user_records().len() as u64));
        group.bench_function("this library", |b| {
            b.iter(|| ours::take_apart(payload, &mut keys, DigestCheck::Skip));
        });
        group.bench_function("prost", |b| b.iter(|| others::by_prost(body)));
        group.bench_function("prost with Bytes", |b| b.iter(|| others::by_prost_bytes(shared.clone())));
        group.bench_function("quick-protobuf", |b| b.iter(|| others::by_quick_protobuf(body)));
    }
}

/// What no producer would write takes no more than a few times its digest.
fn hostile(criterion: &mut Criterion) {
    let payload = corpora::hostile();
    let (body, _) = others::body(&payload).expect("an aggregated record");
    let mut keys = Vec::new();
    let mut group = criterion.benchmark_group("deaggregate, verified: H");
    group.throughput(Throughput::Bytes(payload.len() as u64));
    group.bench_function("MD5 of this library", |b| b.iter(|| Md5::digest(body)));
    group.bench_function("this library", |b| {
        b.iter(|| ours::take_apart(&payload, &mut keys, DigestCheck::Verify));
    });
}

fn batch(criterion: &mut Criterion) {
    let [_, b, ..] = &Corpus::usual()[..] else { panic!("B is the second") };
    let payloads = vec![b.payload.clone(); 8];
    let mut group = criterion.benchmark_group("deaggregate 8 of B");
    group.throughput(Throughput::Bytes(payloads.iter().map(|payload| payload.len() as u64).sum()));
    group.bench_function("one by one", |b| {
        b.iter(|| {
            payloads.iter().map(|payload| ours::take_all_apart(std::slice::from_ref(payload))).sum::<usize>()
        });
    });
    group.bench_function("a batch", |b| b.iter(|| ours::take_all_apart(&payloads)));
}

criterion_group!(
    name = benches;
    config = settings::criterion();
    targets = verified, digest_skipped, hostile, batch
);
criterion_main!(benches);
