//! A shard map that owns what it knows.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::hash_key::{HashKey, HashKeyRange};
use crate::route::{Shard, ShardMap, ShardMapError};

/// The open shards of a stream, each hash key owned by exactly one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedShardMap {
    /// In the order of their hash keys.
    shards: Vec<OwnedShard>,
    /// Where the hash keys of each begin: close together, since all searching is done here.
    starts: Vec<HashKey>,
    /// Positions of the shards that own the first hash keys of as many equal ranges, and at last of the last hash key:
    /// where to search.
    guides: Vec<u32>,
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
    ///
    /// Hash keys mostly are MD5s, which fall into equal ranges equally often: so few shards are left to search, however the
    /// stream was split.
    pub(crate) fn position_of(&self, key: HashKey) -> usize {
        let guide =
            |number: usize| usize::try_from(self.guides.get(number).copied().unwrap_or(0)).unwrap_or(0);
        let range = range_of(key, self.guides.len());
        let (first, last) = (guide(range), guide(range.saturating_add(1)));
        if first == last {
            return first;
        }
        let later = self.starts.get(first.saturating_add(1)..=last).unwrap_or_default();
        first.saturating_add(later.partition_point(|&start| start <= key))
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
        let starts: Vec<HashKey> = shards.iter().map(|shard| shard.range().start()).collect();
        let mut by_id: Vec<usize> = (0..shards.len()).collect();
        by_id.sort_unstable_by_key(|&position| shards.get(position).map_or("", Shard::id));
        Self {
            shards: shards
                .iter()
                .map(|shard| OwnedShard { id: shard.id().into(), range: shard.range() })
                .collect(),
            guides: guides(&starts),
            starts,
            by_id,
        }
    }
}

/// Positions in `starts` for a power of two of equal ranges: as many as there are shards, or up to twice as many.
fn guides(starts: &[HashKey]) -> Vec<u32> {
    let ranges = starts.len().next_power_of_two().max(2);
    let width = u128::BITS.saturating_sub(ranges.trailing_zeros());
    let position = |key: u128| {
        let position = starts.partition_point(|start| start.get() <= key).saturating_sub(1);
        u32::try_from(position).unwrap_or(u32::MAX)
    };
    (0u128..)
        .take(ranges)
        .map(|range| position(range.wrapping_shl(width)))
        .chain([position(u128::MAX)])
        .collect()
}

/// The range in which a hash key lies, among those that begin at all guides but the last.
#[expect(clippy::as_conversions, reason = "fewer bits than there are guides")]
fn range_of(key: HashKey, guides: usize) -> usize {
    let bits = guides.checked_ilog2().unwrap_or(0);
    key.get().wrapping_shr(u128::BITS.saturating_sub(bits)) as usize
}
