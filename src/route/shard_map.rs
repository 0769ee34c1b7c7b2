//! Which shard owns which hash keys.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;

use crate::hash_key::{HashKey, HashKeyRange};

/// A shard as Kinesis describes it in the answer to ListShards.
///
/// ```
/// use kinesis_aggregation::route::{HashKeyRange, Shard};
///
/// let range = HashKeyRange::parse("0", "170141183460469231731687303715884105727")?;
/// let shard = Shard::new("shardId-000000000001", range).with_parents(Some("shardId-000000000000"), None);
/// # Ok::<(), kinesis_aggregation::route::HashKeyRangeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard<'a> {
    id: &'a str,
    range: HashKeyRange,
    parents: [Option<&'a str>; 2],
    closed: bool,
}

impl<'a> Shard<'a> {
    /// Describes an open shard by its `ShardId` and `HashKeyRange`.
    #[must_use]
    pub const fn new(id: &'a str, range: HashKeyRange) -> Self {
        Self { id, range, parents: [None, None], closed: false }
    }

    /// Adds `ParentShardId`, the shard it was split from, and `AdjacentParentShardId`, if two shards were merged.
    ///
    /// A shard that another shard names as its parent is closed, whether the listing says so or not.
    #[must_use]
    pub const fn with_parents(self, parent: Option<&'a str>, adjacent_parent: Option<&'a str>) -> Self {
        Self { parents: [parent, adjacent_parent], ..self }
    }

    /// Marks the shard as closed: its `SequenceNumberRange` has an `EndingSequenceNumber`.
    #[must_use]
    pub const fn closed(self) -> Self {
        Self { closed: true, ..self }
    }

    /// Returns the shard id.
    #[must_use]
    pub const fn id(&self) -> &'a str {
        self.id
    }

    /// Returns the range of hash keys that the shard owns.
    #[must_use]
    pub const fn range(&self) -> HashKeyRange {
        self.range
    }
}

/// The open shards of a stream. Each hash key is owned by exactly one of them.
///
/// ```
/// use kinesis_aggregation::ShardMap;
/// use kinesis_aggregation::route::{HashKey, HashKeyRange, Shard};
///
/// let middle = 1 << 127;
/// let lower = HashKeyRange::new(HashKey::MIN, HashKey::new(middle - 1)).unwrap();
/// let upper = HashKeyRange::new(HashKey::new(middle), HashKey::MAX).unwrap();
/// let map = ShardMap::new([Shard::new("upper", upper), Shard::new("lower", lower)])?;
/// assert_eq!(map.shard_for(HashKey::of_partition_key("device-7")).id(), "lower");
/// # Ok::<(), kinesis_aggregation::route::ShardMapError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ShardMap {
    /// At least one, in the order of their hash keys.
    shards: Vec<ListedShard>,
    /// For each prefix of hash keys, the position of the shard that owns the lowest hash key with this prefix; then the position
    /// of the last shard. There are 256 prefixes, or more for more than 32 shards: at least 8 for each shard.
    ///
    /// MD5 digests spread evenly over prefixes, so few shards are left to search, however the stream was split. At 64 shards a
    /// search of them all takes 29 ns instead of 5 (`benches/route.rs`), most likely for mispredicted branches.
    by_prefix: Vec<u32>,
    /// The number of bits by which the upper half of a hash key is shifted to get its prefix.
    shift: u32,
    /// The positions of the shards, in the order of their ids.
    by_id: Vec<u32>,
    /// The closed shards and parents that were listed, in the order of their ids.
    closed: Vec<ListedShard>,
}

#[derive(Clone, PartialEq, Eq)]
struct ListedShard {
    id: Box<str>,
    range: HashKeyRange,
}

impl ListedShard {
    fn new(shard: &Shard<'_>) -> Self {
        Self { id: shard.id.into(), range: shard.range }
    }
}

impl ShardMap {
    /// Makes a map from the answer to ListShards.
    ///
    /// The shards may be in any order. Closed shards and parents of other shards are left out, and so are repetitions of a
    /// shard, which may occur where the answer has several pages.
    ///
    /// # Errors
    ///
    /// Returns an error if the open shards leave a gap or overlap, or if two different shards have the same id.
    pub fn new<'a>(shards: impl IntoIterator<Item = Shard<'a>>) -> Result<Self, ShardMapError> {
        let mut listed: Vec<Shard<'a>> = shards.into_iter().collect();
        listed.sort_by_key(|shard| shard.id);
        listed.dedup();
        let twice = listed.iter().zip(listed.iter().skip(1)).find(|(a, b)| a.id == b.id);
        if let Some((_, twice)) = twice {
            return Err(ShardMapError::ListedTwice { start: twice.range.start() });
        }

        let parents: BTreeSet<&str> = listed.iter().flat_map(|shard| shard.parents).flatten().collect();
        let is_closed = |shard: &Shard<'_>| shard.closed || parents.contains(shard.id);
        let closed = listed.iter().filter(|shard| is_closed(shard)).map(ListedShard::new).collect();
        listed.retain(|shard| !is_closed(shard));
        // By the end as well, so that the error does not depend on the order of the listing.
        listed.sort_unstable_by_key(|shard| (shard.range.start(), shard.range.end()));
        check_cover(&listed)?;
        Ok(Self { closed, ..Self::of_open_shards(&listed) })
    }

    fn of_open_shards(open: &[Shard<'_>]) -> Self {
        let prefixes = (8 * open.len()).next_power_of_two().max(256);
        let shift = u64::BITS - prefixes.trailing_zeros();
        // The first shard starts at 0, so there always is one that starts at or below a hash key.
        let owner_of_lowest = |prefix: u128| {
            let lowest = HashKey::new(prefix << shift << 64);
            to_u32(open.partition_point(|shard| shard.range.start() <= lowest) - 1)
        };
        let last = to_u32(open.len() - 1);
        let mut by_id: Vec<u32> = (0..=last).collect();
        by_id.sort_unstable_by_key(|&position| open.get(to_usize(position)).map(Shard::id));
        Self {
            shards: open.iter().map(ListedShard::new).collect(),
            by_prefix: (0..).take(prefixes).map(owner_of_lowest).chain([last]).collect(),
            shift,
            by_id,
            closed: Vec::new(),
        }
    }

    /// Returns the shard that owns a hash key.
    #[must_use]
    pub fn shard_for(&self, key: HashKey) -> Shard<'_> {
        let shard = self.get(self.position_of(key));
        debug_assert!(shard.is_some_and(|shard| shard.range.contains(key)), "every hash key has an owner");
        shard.unwrap_or(Shard::new("", HashKeyRange::ALL))
    }

    /// Returns the open shard with this id, if there is one.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Shard<'_>> {
        self.get(self.position_of_id(id)?)
    }

    /// Returns the open shards, in the order of their hash keys.
    #[must_use]
    pub fn shards(&self) -> impl ExactSizeIterator<Item = Shard<'_>> + DoubleEndedIterator {
        self.shards.iter().map(|shard| Shard::new(&shard.id, shard.range))
    }

    /// Returns the position of the shard that owns a hash key.
    pub(crate) fn position_of(&self, key: HashKey) -> usize {
        // All of the prefix is in the upper half, where shifting is cheaper.
        let upper = u64::try_from(key.get() >> 64).unwrap_or_default();
        let prefix = usize::try_from(upper >> self.shift).unwrap_or_default();
        let position = |prefix: usize| self.by_prefix.get(prefix).map_or(0, |&position| to_usize(position));
        let (first, last) = (position(prefix), position(prefix + 1));
        if first == last {
            return first;
        }
        let later = self.shards.get(first + 1..=last).unwrap_or_default();
        first + later.partition_point(|shard| shard.range.start() <= key)
    }

    /// Returns the position of the shard with this id.
    pub(crate) fn position_of_id(&self, id: &str) -> Option<usize> {
        let id_at = |position: u32| self.shards.get(to_usize(position)).map(|shard| &*shard.id);
        let found = self.by_id.binary_search_by_key(&Some(id), |&position| id_at(position)).ok()?;
        self.by_id.get(found).map(|&position| to_usize(position))
    }

    /// The position of the open shard with this id, if it has this range.
    pub(crate) fn position_with(&self, id: &str, range: HashKeyRange) -> Option<usize> {
        let position = self.position_of_id(id)?;
        self.get(position).is_some_and(|shard| shard.range == range).then_some(position)
    }

    /// The range of a shard that was listed as closed or as a parent.
    pub(crate) fn closed_range(&self, id: &str) -> Option<HashKeyRange> {
        let found = self.closed.binary_search_by(|shard| (*shard.id).cmp(id)).ok()?;
        self.closed.get(found).map(|shard| shard.range)
    }

    /// Returns the shard at a position in the order of hash keys.
    pub(crate) fn get(&self, position: usize) -> Option<Shard<'_>> {
        self.shards.get(position).map(|shard| Shard::new(&shard.id, shard.range))
    }
}

impl fmt::Debug for ShardMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShardMap ")?;
        f.debug_map().entries(self.shards.iter().map(|shard| (&shard.id, shard.range))).finish()
    }
}

/// Checks that shards, sorted by hash key, own each hash key exactly once.
fn check_cover(open: &[Shard<'_>]) -> Result<(), ShardMapError> {
    if open.is_empty() {
        return Err(ShardMapError::NoOpenShard);
    }
    // The lowest hash key without an owner so far; `None` once all have one.
    let mut next = Some(HashKey::MIN);
    for shard in open {
        let start = shard.range.start();
        match next {
            Some(next) if start == next => {}
            Some(next) if start > next => {
                return Err(ShardMapError::Gap { start: next, end: HashKey::new(start.get() - 1) });
            }
            _ => return Err(ShardMapError::Overlap { at: start }),
        }
        next = shard.range.end().get().checked_add(1).map(HashKey::new);
    }
    match next {
        Some(start) => Err(ShardMapError::Gap { start, end: HashKey::MAX }),
        None => Ok(()),
    }
}

/// Narrows a position: no stream has 2^32 shards, nor does any list of them fit in memory.
fn to_u32(position: usize) -> u32 {
    debug_assert!(u32::try_from(position).is_ok(), "{position} shards");
    u32::try_from(position).unwrap_or(u32::MAX)
}

fn to_usize(position: u32) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// The error of a listing of shards that is not a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ShardMapError {
    /// There is no open shard.
    NoOpenShard,
    /// No open shard owns these hash keys.
    Gap {
        /// The first of them.
        start: HashKey,
        /// The last of them.
        end: HashKey,
    },
    /// Two open shards own the same hash key.
    Overlap {
        /// The lowest such hash key.
        at: HashKey,
    },
    /// Two different shards have the same id.
    ListedTwice {
        /// The first hash key of one of them.
        start: HashKey,
    },
}

impl fmt::Display for ShardMapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOpenShard => f.write_str("no open shard"),
            Self::Gap { start, end } => write!(f, "no open shard owns the hash keys {start} to {end}"),
            Self::Overlap { at } => write!(f, "two open shards own the hash key {at}"),
            Self::ListedTwice { start } => {
                write!(f, "two different shards have the same id; one of them starts at hash key {start}")
            }
        }
    }
}

impl core::error::Error for ShardMapError {}
