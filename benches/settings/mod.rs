//! How long a benchmark takes.

use std::time::Duration;

use criterion::Criterion;

/// Two to three seconds a row: some minutes for everything.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}
