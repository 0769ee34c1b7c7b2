//! Which shard owns which hash keys.

use core::fmt;

use crate::hash_key::{HashKey, HashKeyRange};
use crate::sort::heap_sort;

/// A shard as Kinesis describes it in the answer to ListShards.
///
/// ```
/// use kinesis_aggregation::{HashKeyRange, Shard};
///
/// let range = HashKeyRange::parse("0", "170141183460469231731687303715884105727")?;
/// let shard = Shard::new("shardId-000000000001", range).with_parents(Some("shardId-000000000000"), None);
/// # Ok::<(), kinesis_aggregation::HashKeyRangeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard<'a> {
    id: &'a str,
    range: HashKeyRange,
    parents: [Option<&'a str>; 2],
    closed: bool,
}

impl<'a> Shard<'a> {
    /// A shard that is open, with `ShardId` and `HashKeyRange`.
    #[must_use]
    pub const fn new(id: &'a str, range: HashKeyRange) -> Self {
        Self { id, range, parents: [None, None], closed: false }
    }

    /// The same with `ParentShardId`, from which it was split, and `AdjacentParentShardId`, if two were merged. A
    /// shard that another one names here is closed, whether the listing says so or not.
    #[must_use]
    pub const fn with_parents(self, parent: Option<&'a str>, adjacent_parent: Option<&'a str>) -> Self {
        Self { parents: [parent, adjacent_parent], ..self }
    }

    /// The same, closed: its `SequenceNumberRange` has an `EndingSequenceNumber`.
    #[must_use]
    pub const fn closed(self) -> Self {
        Self { closed: true, ..self }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &'a str {
        self.id
    }

    /// The hash keys it owns.
    #[must_use]
    pub const fn range(&self) -> HashKeyRange {
        self.range
    }
}

/// The open shards of a stream, each hash key owned by exactly one of them, in memory of the caller's.
///
/// ```
/// use kinesis_aggregation::{HashKey, HashKeyRange, Shard, ShardMap};
///
/// let middle = 1 << 127;
/// let halves = [
///     HashKeyRange::new(HashKey::MIN, HashKey::new(middle - 1)).unwrap(),
///     HashKeyRange::new(HashKey::new(middle), HashKey::MAX).unwrap(),
/// ];
/// let mut shards = [Shard::new("upper", halves[1]), Shard::new("lower", halves[0])];
/// let map = ShardMap::new(&mut shards)?;
/// assert_eq!(map.shard_for(HashKey::of_partition_key("device-7")).id(), "lower");
/// # Ok::<(), kinesis_aggregation::ShardMapError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ShardMap<'s, 'a> {
    /// Sorted by hash key; together they cover all, and no hash key twice. At least one.
    open: &'s [Shard<'a>],
    first: Shard<'a>,
}

impl<'s, 'a> ShardMap<'s, 'a> {
    /// Makes a map of what ListShards answered, in any order. Closed shards and parents are left out; `shards` is
    /// sorted on the way.
    ///
    /// # Errors
    ///
    /// Says where the open shards leave a gap or overlap, or that a shard is listed twice.
    pub fn new(shards: &'s mut [Shard<'a>]) -> Result<Self, ShardMapError> {
        close_parents(shards)?;
        heap_sort(shards, |a, b| {
            (a.closed, a.range.start(), a.range.end()) < (b.closed, b.range.start(), b.range.end())
        });
        let shards: &'s [Shard<'a>] = shards;
        let open = shards.split(|shard| shard.closed).next().unwrap_or_default();
        let first = *open.first().ok_or(ShardMapError::NoOpenShard)?;
        check_cover(open)?;
        Ok(Self { open, first })
    }

    /// The shard that owns a hash key.
    #[must_use]
    pub fn shard_for(&self, key: HashKey) -> Shard<'a> {
        let position =
            locate(key, self.open.len(), |position| self.open.get(position).map(|shard| shard.range.start()));
        // The fallback is out of reach: there is a shard for every hash key.
        self.open.get(position).copied().unwrap_or(self.first)
    }

    /// The open shards, in the order of their hash keys.
    #[must_use]
    pub const fn shards(&self) -> &'s [Shard<'a>] {
        self.open
    }
}

/// Closes the shards that others come from; finds out whether one is listed twice.
fn close_parents(shards: &mut [Shard<'_>]) -> Result<(), ShardMapError> {
    heap_sort(shards, |a, b| a.id < b.id);
    for pair in shards.windows(2) {
        if let [a, b] = pair {
            if a.id == b.id {
                return Err(ShardMapError::ListedTwice { start: b.range.start() });
            }
        }
    }
    for child in 0..shards.len() {
        let parents = shards.get(child).map_or([None, None], |shard| shard.parents);
        for parent in parents.into_iter().flatten() {
            if let Ok(position) = shards.binary_search_by(|shard| shard.id.cmp(parent)) {
                if let Some(shard) = shards.get_mut(position) {
                    shard.closed = true;
                }
            }
        }
    }
    Ok(())
}

/// Checks that shards sorted by hash key own each hash key once.
fn check_cover(open: &[Shard<'_>]) -> Result<(), ShardMapError> {
    // The lowest hash key that no shard owns so far; none once all are owned.
    let mut next = Some(HashKey::MIN);
    for shard in open {
        let (start, end) = (shard.range.start(), shard.range.end());
        match next {
            Some(next) if start == next => {}
            Some(next) if start > next => {
                return Err(ShardMapError::Gap {
                    start: next,
                    end: HashKey::new(start.get().saturating_sub(1)),
                });
            }
            _ => return Err(ShardMapError::Overlap { at: start }),
        }
        next = end.get().checked_add(1).map(HashKey::new);
    }
    match next {
        Some(next) => Err(ShardMapError::Gap { start: next, end: HashKey::MAX }),
        None => Ok(()),
    }
}

/// Finds the last of `len` ascending starts that is not above a key. The first start is 0.
///
/// Streams are mostly split evenly, so the first guess, by the upper bits of the key, is mostly right: a search by
/// halves would take ten steps for a thousand shards.
pub(crate) fn locate(key: HashKey, len: usize, start: impl Fn(usize) -> Option<HashKey>) -> usize {
    let guess = scale(key, len);
    let owns = |position: usize| {
        start(position).is_some_and(|start| start <= key)
            && start(position.saturating_add(1)).is_none_or(|next| key < next)
    };
    // Even ranges are rounded, so the neighbour may be meant.
    for position in [Some(guess), guess.checked_sub(1), guess.checked_add(1)].into_iter().flatten() {
        if owns(position) {
            return position;
        }
    }
    let (mut low, mut high) = (0usize, len);
    while high.saturating_sub(low) > 1 {
        let middle = low.midpoint(high);
        match start(middle) {
            Some(start) if start <= key => low = middle,
            _ => high = middle,
        }
    }
    low
}

/// Maps a hash key to 0 up to, not including, `len`, in proportion.
#[expect(
    clippy::as_conversions,
    reason = "the product of two 64-bit numbers, shifted, is at most the second"
)]
const fn scale(key: HashKey, len: usize) -> usize {
    ((key.get() >> 64).wrapping_mul(len as u128) >> 64) as usize
}

/// Why shards make no map.
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
        /// The first such hash key.
        at: HashKey,
    },
    /// A shard id is listed twice.
    ListedTwice {
        /// Where the hash keys of one of the two begin.
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
                write!(f, "a shard whose hash keys begin at {start} is listed twice")
            }
        }
    }
}

impl core::error::Error for ShardMapError {}
