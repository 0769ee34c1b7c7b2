//! The same groups under Criterion, which compares a run with the one before. About two seconds a row.

use std::time::Duration;

use benches::groups;
use criterion::{Criterion, Throughput};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    groups::each(
        |_| true,
        |group| {
            let mut benchmark = criterion.benchmark_group(&group.name);
            if group.user_records > 0 {
                benchmark.throughput(Throughput::Elements(group.user_records as u64));
            } else {
                benchmark.throughput(Throughput::Bytes(group.bytes as u64));
            }
            for (name, mut work) in group.contenders {
                benchmark.bench_function(name, |bencher| bencher.iter(&mut work));
            }
        },
    );
    criterion.final_summary();
}
