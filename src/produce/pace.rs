//! Pacing and retries: token buckets and back-off (rules P5 and P6).

use core::time::Duration;

use crate::wire::widen;

/// Numbers that look random, from a seed: for jitter alone.
#[derive(Clone, Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number (SplitMix64).
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Returns between half of `delay` and all of it.
    pub(super) fn apply(&mut self, delay: Duration) -> Duration {
        let thousandths = 500 + self.next() % 501;
        let nanos = delay.as_nanos() * u128::from(thousandths) / 1000;
        u64::try_from(nanos).map_or(delay, Duration::from_nanos)
    }
}

/// Waits that double with each failure in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    pub(super) until: Duration,
    failures: u32,
    /// Calls with lower numbers were sent before the last failure was known.
    first_newer_call: u64,
}

impl Backoff {
    pub(super) const NONE: Self = Self { until: Duration::ZERO, failures: 0, first_newer_call: 0 };

    /// Notes that something failed in call number `call`; `next_call` is the number of the next call.
    ///
    /// Calls that were sent before the first failure was known, and fail too, count as one failure.
    pub(super) fn failed(
        &mut self,
        call: u64,
        next_call: u64,
        now: Duration,
        delays: (Duration, Duration),
        jitter: &mut Jitter,
    ) {
        if self.failures > 0 && call < self.first_newer_call {
            return;
        }
        let factor = 1u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_add(1);
        self.first_newer_call = next_call;
        let delay = delays.0.saturating_mul(factor).min(delays.1);
        self.until = now.saturating_add(jitter.apply(delay));
    }

    /// Notes a success. That of a call sent before the last failure was known ends nothing.
    pub(super) fn succeeded(&mut self, call: u64) {
        if call >= self.first_newer_call {
            *self = Self::default();
        }
    }
}

/// The rate that a shard accepts: bytes and entries per second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    nanos_per_kib: u64,
    nanos_per_entry: u64,
}

impl Rate {
    /// `percent` of 1 MiB/s and 1,000 records/s.
    pub(super) fn of_shard(percent: u32) -> Self {
        let scale = |nanos: u64| (nanos * 100 / u64::from(percent.max(1))).max(1);
        Self { nanos_per_kib: scale(1_000_000_000 / 1024), nanos_per_entry: scale(1_000_000) }
    }
}

/// The allowance that may be sent in one burst after a pause.
const BURST: Duration = Duration::from_millis(500);

/// A token bucket for bytes and one for entries. Each is kept as the time at which it is full again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    bytes_full: Duration,
    entries_full: Duration,
}

impl Bucket {
    /// The time from which an entry may be sent: while neither bucket is negative.
    pub(super) fn ready_at(&self) -> Duration {
        self.bytes_full.max(self.entries_full).saturating_sub(BURST)
    }

    /// Takes the tokens for an entry, which may leave the buckets negative.
    pub(super) fn spend(&mut self, rate: Rate, bytes: usize, now: Duration) {
        let spent = |full: Duration, nanos: u64| full.max(now).saturating_add(Duration::from_nanos(nanos));
        let nanos = widen(bytes).saturating_mul(rate.nanos_per_kib) / 1024;
        self.bytes_full = spent(self.bytes_full, nanos);
        self.entries_full = spent(self.entries_full, rate.nanos_per_entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAYS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn delays_double_with_jitter_up_to_the_longest() {
        let (mut backoff, mut jitter) = (Backoff::default(), Jitter::new(7));
        for failure in 0..70 {
            backoff.failed(failure, failure + 1, ms(1000), DELAYS, &mut jitter);
            let longest =
                ms(100).saturating_mul(1u32.checked_shl(failure as u32).unwrap_or(u32::MAX)).min(DELAYS.1);
            let delay = backoff.until - ms(1000);
            assert!(longest / 2 <= delay && delay <= longest, "failure {failure}: {delay:?} of {longest:?}");
        }
    }

    #[test]
    fn calls_sent_before_the_failure_was_known_count_once() {
        let (mut backoff, mut jitter) = (Backoff::default(), Jitter::new(7));
        for call in 0..8 {
            backoff.failed(call, 8, ms(call), DELAYS, &mut jitter);
        }
        assert!(backoff.until <= ms(100));
        backoff.succeeded(7);
        assert!(backoff.failures > 0, "an older call's success does not end it");
        backoff.succeeded(8);
        assert_eq!(backoff.failures, 0);
    }

    #[test]
    fn a_bucket_sends_a_mebibyte_a_second_in_the_long_run() {
        let (mut bucket, rate) = (Bucket::default(), Rate::of_shard(100));
        let (mut now, mut sent) = (Duration::from_secs(100), 0usize);
        let end = now + Duration::from_secs(60);
        while now < end {
            if bucket.ready_at() <= now {
                bucket.spend(rate, 50 * 1024, now);
                sent += 50 * 1024;
            } else {
                now = bucket.ready_at();
            }
        }
        let expected = 60.5 * 1024.0 * 1024.0;
        assert!((sent as f64 / expected - 1.0).abs() < 0.01, "{sent}");
    }

    #[test]
    fn a_bucket_sends_a_thousand_entries_a_second() {
        let (mut bucket, rate) = (Bucket::default(), Rate::of_shard(50));
        let mut sent = 0;
        while bucket.ready_at() <= Duration::from_secs(2) {
            bucket.spend(rate, 1, Duration::from_secs(2));
            sent += 1;
        }
        assert_eq!(sent, 251, "half a second's worth at 500 a second, and one below zero");
    }
}
