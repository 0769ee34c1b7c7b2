//! Layer 2: MD5 of one message, and of several at once.

#[allow(dead_code, reason = "each benchmark uses some of it")]
mod corpora;
mod settings;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kinesis_aggregation::decode::Md5;
use md5_digest::Digest;

use corpora::Random;

fn one(criterion: &mut Criterion) {
    for (name, len) in [("64 bytes", 64), ("1 KiB", 1 << 10), ("1 MiB", 1 << 20)] {
        let message = Random::new(1).bytes(len);
        let mut group = criterion.benchmark_group(format!("MD5 of {name}"));
        group.throughput(Throughput::Bytes(message.len() as u64));
        group.bench_function("this library", |b| b.iter(|| Md5::digest(&message)));
        group.bench_function("md-5", |b| b.iter(|| md5_digest::Md5::digest(&message)));
        group.bench_function("md5", |b| b.iter(|| md5::compute(&message)));
    }
}

/// What a consumer has at hand: some payloads, of different lengths.
fn several(criterion: &mut Criterion) {
    let mut random = Random::new(2);
    let messages: Vec<Vec<u8>> = (0..8)
        .map(|_| {
            let len = 40_000 + random.below(20_000);
            random.bytes(len)
        })
        .collect();
    let mut digests = [[0; 16]; 8];
    let mut group = criterion.benchmark_group("MD5 of 8 messages of 40 to 60 KB");
    group.throughput(Throughput::Bytes(messages.iter().map(|message| message.len() as u64).sum()));
    group.bench_function("this library, together", |b| {
        b.iter(|| {
            Md5::digest_each(&messages, &mut digests);
            digests
        });
    });
    group.bench_function("this library, one by one", |b| {
        b.iter(|| {
            for (message, digest) in messages.iter().zip(&mut digests) {
                *digest = Md5::digest(message);
            }
            digests
        });
    });
    group.bench_function("md-5, one by one", |b| {
        b.iter(|| {
            for (message, digest) in messages.iter().zip(&mut digests) {
                *digest = md5_digest::Md5::digest(message).into();
            }
            digests
        });
    });
}

criterion_group!(name = benches; config = settings::criterion(); targets = one, several);
criterion_main!(benches);
