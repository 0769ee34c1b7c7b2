//! Which user records lie outside the shard of their aggregate: the ones that consumers drop, and with them the others.

use kinesis_aggregation::{AggregatedRecord, HashKey, HashKeyRange, UserRecord};

use crate::input::Payload;
use crate::shards::Shards;

/// Where the user records of an aggregate belong.
pub(crate) struct Placement<'a> {
    /// The shard that the aggregate is on, as the input says, or else the one that owns its first user record.
    pub(crate) shard_id: String,
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
    ) -> Option<Self> {
        let named = payload.metadata.shard_id().and_then(|id| Some((id.to_owned(), shards.range_of(id)?)));
        let (shard_id, range) = match named {
            Some(named) => named,
            None => {
                let first = HashKey::of(&aggregate.records().next()?).ok()?;
                let shard = shards.map.shard_for(first);
                (shard.id().to_owned(), shard.range())
            }
        };
        let outside = aggregate.records().filter_map(|record| Outside::of(record, range, shards)).collect();
        Some(Self { shard_id, outside })
    }
}

impl<'a> Outside<'a> {
    fn of(record: UserRecord<'a>, range: HashKeyRange, shards: &Shards) -> Option<Self> {
        match HashKey::of(&record) {
            Ok(key) if range.contains(key) => None,
            Ok(key) => Some(Self { record, owner: Some(shards.map.shard_for(key).id().to_owned()) }),
            Err(_) => Some(Self { record, owner: None }),
        }
    }
}
