//! What became of every user record.

use core::ops::AddAssign;

use kinesis_aggregation::deaggregate;

/// An account of every user record. Each is known by its number, which its data begins with.
pub(crate) struct Ledger {
    pub(crate) counts: Counts,
    accounts: Vec<Account>,
}

/// The account of a user record.
#[derive(Clone, Copy, Default)]
struct Account {
    /// How many copies of it the stream took.
    landed: u32,
    /// How many of these copies a producer sent again, for what it was told or not told.
    repeated: u32,
    /// How many copies consumers delivered.
    delivered: u32,
}

impl Ledger {
    pub(crate) fn new(records: usize) -> Self {
        Self { counts: Counts::default(), accounts: vec![Account::default(); records] }
    }

    pub(crate) fn land(&mut self, data: &[u8]) {
        self.each(data, |account| account.landed += 1);
    }

    pub(crate) fn repeat(&mut self, data: &[u8]) {
        self.each(data, |account| account.repeated += 1);
    }

    pub(crate) fn deliver(&mut self, data: &[u8]) {
        self.each(data, |account| account.delivered += 1);
    }

    fn each(&mut self, aggregate: &[u8], change: impl Fn(&mut Account)) {
        for record in deaggregate(aggregate) {
            let number = u64::from_le_bytes(*record.data.first_chunk().unwrap());
            change(&mut self.accounts[usize::try_from(number).unwrap()]);
        }
    }

    /// Checks that nothing arrived twice without a reason, and counts what did, and what did not arrive.
    pub(crate) fn settle(mut self) -> Counts {
        for (number, account) in self.accounts.iter().enumerate() {
            let Account { landed, repeated, delivered } = *account;
            // One copy stays when the producer is done with it; every other one it gave up and sent again.
            assert_eq!(landed, 1 + repeated, "user record {number}: copies in the stream");
            assert!(delivered <= landed, "user record {number}: delivered {delivered} of {landed} copies");
            match delivered {
                0 => self.counts.lost += 1,
                _ => self.counts.duplicates += usize::try_from(delivered - 1).unwrap(),
            }
        }
        self.counts
    }
}

/// Defines the counts with their sum.
macro_rules! counts {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// What happened in a run. Where nothing else is said, in aggregates.
        #[derive(Clone, Debug, Default)]
        pub(crate) struct Counts {
            $($(#[doc = $doc])* pub(crate) $name: usize,)*
        }

        impl AddAssign for Counts {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

counts! {
    /// User records added.
    records,
    /// Times that a shard was split.
    splits,
    /// Times that two shards were merged.
    merges,
    /// Times that a producer got another map.
    refreshes,
    puts,
    /// Put by a producer whose map was not that of the stream.
    stale_puts,
    failed,
    throttled,
    /// Taken by the stream, but the producer was told that they failed.
    lost_answers,
    /// On another shard than predicted, but one that owns all of it.
    elsewhere,
    /// On a shard that the map does not know.
    unknown,
    /// On a shard that a map refreshed meanwhile does not know either.
    still_unknown,
    /// Said to be misplaced, with those still unknown.
    misplaced,
    requeued,
    expired,
    flushed,
    /// Dropped by a consumer because a user record was not its shard's.
    dropped_aggregates,
    /// User records in them.
    dropped_records,
    /// User records that arrived once more.
    duplicates,
    /// User records that never arrived.
    lost,
}
