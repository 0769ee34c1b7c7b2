//! A shard map that owns what it knows.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::route::shard_map::locate;
use crate::route::{HashKey, HashKeyRange, Shard, ShardMap, ShardMapError};

/// The open shards of a stream, each hash key owned by exactly one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedShardMap {
    /// In the order of their hash keys.
    shards: Vec<OwnedShard>,
    /// Where the hash keys of each begin: close together, since all searching is done here.
    starts: Vec<HashKey>,
    /// Positions of the shards in the order of their ids.
    by_id: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct OwnedShard {
    id: Box<str>,
    range: HashKeyRange,
}

impl OwnedShardMap {
    /// Makes a map of what ListShards answered, in any order. Closed shards and parents are left out.
    ///
    /// # Errors
    ///
    /// As [`ShardMap::new`].
    pub fn new<'a>(shards: impl IntoIterator<Item = Shard<'a>>) -> Result<Self, ShardMapError> {
        let mut shards: Vec<_> = shards.into_iter().collect();
        ShardMap::new(&mut shards).map(Self::from)
    }

    /// The shard that owns a hash key.
    #[must_use]
    pub fn shard_for(&self, key: HashKey) -> Shard<'_> {
        // The fallback is out of reach: there is a shard for every hash key.
        self.get(self.position_of(key)).unwrap_or(Shard::new("", HashKeyRange::ALL))
    }

    /// The open shard with this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Shard<'_>> {
        self.get(self.position_of_id(id)?)
    }

    /// The open shards, in the order of their hash keys.
    #[must_use]
    pub fn shards(&self) -> impl ExactSizeIterator<Item = Shard<'_>> + DoubleEndedIterator {
        self.shards.iter().map(|shard| Shard::new(&shard.id, shard.range))
    }

    /// The position of the shard that owns a hash key.
    pub(crate) fn position_of(&self, key: HashKey) -> usize {
        locate(key, self.starts.len(), |position| self.starts.get(position).copied())
    }

    pub(crate) fn position_of_id(&self, id: &str) -> Option<usize> {
        let id_at = |&position: &usize| self.shards.get(position).map_or("", |shard| &shard.id);
        let found = self.by_id.binary_search_by(|position| id_at(position).cmp(id)).ok()?;
        self.by_id.get(found).copied()
    }

    pub(crate) fn get(&self, position: usize) -> Option<Shard<'_>> {
        self.shards.get(position).map(|shard| Shard::new(&shard.id, shard.range))
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.len()
    }
}

impl From<ShardMap<'_, '_>> for OwnedShardMap {
    fn from(map: ShardMap<'_, '_>) -> Self {
        let shards = map.shards();
        let mut by_id: Vec<usize> = (0..shards.len()).collect();
        by_id.sort_unstable_by_key(|&position| shards.get(position).map_or("", Shard::id));
        Self {
            shards: shards
                .iter()
                .map(|shard| OwnedShard { id: shard.id().into(), range: shard.range() })
                .collect(),
            starts: shards.iter().map(|shard| shard.range().start()).collect(),
            by_id,
        }
    }
}
