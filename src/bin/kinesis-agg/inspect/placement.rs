//! Which user records lie outside the shard of their aggregate: the ones that consumers drop, and with them the others.

use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::AggregatedRecord;
use kinesis_aggregation::route::{HashKey, HashKeyRange};

use crate::input::Payload;
use crate::shards::Shards;

/// Where the user records of an aggregate belong.
pub(crate) struct Placement<'a> {
    /// The shard that the aggregate is on.
    pub(crate) shard_id: String,
    /// Whether that is only assumed, because the first user record belongs there.
    pub(crate) assumed: bool,
    pub(crate) outside: Vec<Outside<'a>>,
}

/// A user record that is not where it belongs.
pub(crate) struct Outside<'a> {
    pub(crate) record: UserRecord<'a>,
    /// The open shard that owns it; none if its explicit hash key is no number.
    pub(crate) owner: Option<String>,
}

impl<'a> Placement<'a> {
    pub(crate) fn of(
        payload: &Payload<'_>,
        aggregate: &AggregatedRecord<'a, Vec<&'a str>>,
        shards: &Shards,
        shard_id: Option<&str>,
    ) -> Option<Self> {
        // Best what the input or the caller says; then the explicit hash key that the record was put with.
        let named = payload.metadata.shard_id().or(shard_id);
        let named = named.and_then(|id| Some((id.to_owned(), shards.range_of(id)?)));
        let owner = |key: HashKey| {
            let shard = shards.map.shard_for(key);
            (shard.id().to_owned(), shard.range())
        };
        let put_with = payload.explicit_hash_key.and_then(|key| key.parse().ok());
        let known = named.or_else(|| put_with.map(owner));
        let assumed = known.is_none();
        let (shard_id, range) = match known {
            Some(known) => known,
            None => owner(aggregate.records().next()?.hash_key().ok()?),
        };
        let outside = aggregate.records().filter_map(|record| Outside::of(record, range, shards)).collect();
        Some(Self { shard_id, assumed, outside })
    }
}

impl<'a> Outside<'a> {
    fn of(record: UserRecord<'a>, range: HashKeyRange, shards: &Shards) -> Option<Self> {
        match record.hash_key() {
            Ok(key) if range.contains(key) => None,
            Ok(key) => Some(Self { record, owner: Some(shards.map.shard_for(key).id().to_owned()) }),
            Err(_) => Some(Self { record, owner: None }),
        }
    }
}
