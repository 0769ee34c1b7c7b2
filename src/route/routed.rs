//! An aggregate with the shard it is meant for.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::decode::{Deaggregated, deaggregate};
use crate::encode::Aggregate;
use crate::hash_key::HashKey;

/// An aggregate that a manager hands out: the data of one Kinesis record, the keys to put it with, and the shard where it
/// should arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "user records are lost unless their aggregate is sent"]
pub struct RoutedAggregate {
    pub(crate) aggregate: Aggregate,
    pub(crate) explicit_hash_key: Option<HashKey>,
    pub(crate) shard_id: Option<Box<str>>,
    /// When its first user record came, so that one that comes back is as old as it was.
    pub(crate) since: Option<Duration>,
    /// How often the map had been refreshed when a put of this aggregate was last found on an unknown shard.
    pub(crate) unknown_at: Option<u64>,
}

impl RoutedAggregate {
    /// The data to put: magic, body and digest.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.aggregate.data
    }

    /// The partition key to put it with: that of the first user record (rule E8).
    #[must_use]
    pub fn partition_key(&self) -> &str {
        &self.aggregate.partition_key
    }

    /// The explicit hash key to put it with, if any. Of an aggregate routed to a shard it is always there: the
    /// effective hash key of the first user record (rule E8).
    #[must_use]
    pub fn explicit_hash_key(&self) -> Option<HashKey> {
        self.explicit_hash_key
    }

    /// The shard that should take it, by the map it was routed with.
    #[must_use]
    pub fn shard_id(&self) -> Option<&str> {
        self.shard_id.as_deref()
    }

    /// Counts the user records, of which there is at least one.
    #[must_use]
    pub fn user_records(&self) -> usize {
        self.aggregate.user_records
    }

    /// The bytes that Kinesis counts: the data and the partition key (rule E6).
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.aggregate.size_bytes()
    }

    /// Reads the user records back.
    #[must_use]
    pub fn records(&self) -> Deaggregated<'_> {
        deaggregate(self.data())
    }

    /// Gives the data away, without a copy. The keys have to be read before.
    #[must_use]
    pub fn into_data(self) -> Vec<u8> {
        self.aggregate.data
    }
}

/// What a call handed out: mostly nothing, which takes no memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "user records are lost unless their aggregates are sent"]
pub struct HandedOut(pub(crate) Vec<RoutedAggregate>);

impl HandedOut {
    /// The aggregates, in the order in which they are to be sent.
    #[must_use = "user records are lost unless their aggregates are sent"]
    pub fn into_vec(self) -> Vec<RoutedAggregate> {
        self.0
    }
}

impl core::ops::Deref for HandedOut {
    type Target = [RoutedAggregate];

    fn deref(&self) -> &[RoutedAggregate] {
        &self.0
    }
}

/// Collects what several calls handed out.
impl Extend<RoutedAggregate> for HandedOut {
    fn extend<I: IntoIterator<Item = RoutedAggregate>>(&mut self, more: I) {
        self.0.extend(more);
    }
}

impl IntoIterator for HandedOut {
    type Item = RoutedAggregate;
    type IntoIter = alloc::vec::IntoIter<RoutedAggregate>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'h> IntoIterator for &'h HandedOut {
    type Item = &'h RoutedAggregate;
    type IntoIter = core::slice::Iter<'h, RoutedAggregate>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
