//! Listings of shards, most of which make a map, and a slow way to say what they make.

use arbitrary::Arbitrary;
use kinesis_aggregation::ShardMap;
use kinesis_aggregation::route::{HashKey, HashKeyRange, Shard, ShardMapError};

/// Shards that own all hash keys between them, and what is different from that.
#[derive(Arbitrary, Debug)]
pub struct Listing {
    /// The first hash keys of the shards, except 0.
    starts: Vec<Place>,
    changes: Vec<Change>,
    /// The hash keys to look up.
    keys: Vec<u128>,
}

/// A hash key: near one end, or anywhere.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Place {
    Low(u8),
    High(u8),
    Any(u128),
}

#[derive(Arbitrary, Debug)]
enum Change {
    Swap(u8, u8),
    Close(u8),
    /// The second is called a parent of the first, or of both parents the second.
    Parent(u8, u8, bool),
    /// The second gets the id of the first.
    SameId(u8, u8),
    Remove(u8),
    Start(u8, Place),
    End(u8, Place),
    Add(Place, Place),
}

/// A shard as Kinesis would describe it.
#[derive(Clone, Debug, PartialEq)]
struct Listed {
    id: String,
    start: u128,
    end: u128,
    parents: [Option<String>; 2],
    closed: bool,
}

impl Listed {
    fn shard(&self) -> Shard<'_> {
        let range = HashKeyRange::new(HashKey::new(self.start), HashKey::new(self.end)).unwrap();
        let [parent, adjacent] = &self.parents;
        let shard = Shard::new(&self.id, range).with_parents(parent.as_deref(), adjacent.as_deref());
        if self.closed { shard.closed() } else { shard }
    }
}

impl Place {
    fn key(self) -> u128 {
        match self {
            Self::Low(offset) => offset.into(),
            Self::High(offset) => u128::MAX - u128::from(offset),
            Self::Any(key) => key,
        }
    }
}

impl Listing {
    fn shards(&self) -> Vec<Listed> {
        let mut starts: Vec<u128> = self.starts.iter().map(|place| place.key()).chain([0]).collect();
        starts.sort_unstable();
        starts.dedup();
        let ends = starts[1..].iter().map(|start| start - 1).chain([u128::MAX]);
        let new = |number: usize, start: u128, end: u128| Listed {
            // Neither in the order of the hash keys nor against it.
            id: (number * 7 % 256).to_string(),
            start: start.min(end),
            end: start.max(end),
            parents: [None, None],
            closed: false,
        };
        let mut shards: Vec<Listed> = starts
            .iter()
            .zip(ends)
            .enumerate()
            .map(|(number, (&start, end))| new(number, start, end))
            .collect();
        for change in &self.changes {
            if shards.is_empty() {
                break;
            }
            let len = shards.len();
            let of = |index: u8| usize::from(index) % len;
            match *change {
                Change::Swap(a, b) => shards.swap(of(a), of(b)),
                Change::Close(a) => shards[of(a)].closed = true,
                Change::Parent(child, parent, adjacent) => {
                    let parent = shards[of(parent)].id.clone();
                    shards[of(child)].parents[usize::from(adjacent)] = Some(parent);
                }
                Change::SameId(a, b) => shards[of(b)].id = shards[of(a)].id.clone(),
                Change::Remove(a) => drop(shards.remove(of(a))),
                Change::Start(a, place) => {
                    let shard = &mut shards[of(a)];
                    shard.start = place.key().min(shard.end);
                }
                Change::End(a, place) => {
                    let shard = &mut shards[of(a)];
                    shard.end = place.key().max(shard.start);
                }
                Change::Add(a, b) => shards.push(new(shards.len() + 1000, a.key(), b.key())),
            }
        }
        shards
    }
}

/// Makes a map, and compares it with walks over all shards.
pub fn check(listing: &Listing) {
    let listed = listing.shards();
    let expected = specified(&listed);
    let map = match (ShardMap::new(listed.iter().map(Listed::shard)), &expected) {
        (Ok(map), Ok(())) => map,
        (Err(ShardMapError::ListedTwice { start }), Err(ShardMapError::ListedTwice { .. })) => {
            assert!(listed.iter().any(|shard| shard.start == start.get() && is_twice(shard, &listed)));
            return;
        }
        (Err(error), Err(expected)) => {
            assert_eq!(error, *expected, "{listed:?}");
            return;
        }
        (made, expected) => panic!("{made:?} instead of {expected:?} from {listed:?}"),
    };
    assert!(map.shards().is_sorted_by_key(|shard| shard.range().start()));

    let open = open(&listed);
    assert_eq!(map.shards().len(), open.len());
    for key in listing.keys.iter().copied().chain(edges(&open)) {
        let owner = open.iter().find(|shard| owns(shard, key)).unwrap();
        let found = map.shard_for(HashKey::new(key));
        assert_eq!(found.id(), owner.id, "{key} in {listed:?}");
        assert_eq!(map.find(&owner.id), Some(found));
    }
}

/// The fault expected in a listing, found by a walk over all shards for each hash key where something may change.
fn specified(listed: &[Listed]) -> Result<(), ShardMapError> {
    if let Some(twice) = listed.iter().find(|shard| is_twice(shard, listed)) {
        return Err(ShardMapError::ListedTwice { start: HashKey::new(twice.start) });
    }
    let open = open(listed);
    if open.is_empty() {
        return Err(ShardMapError::NoOpenShard);
    }
    let mut keys = edges(&open);
    keys.sort_unstable();
    for key in keys {
        match open.iter().filter(|shard| owns(shard, key)).count() {
            0 => {
                let next = open.iter().map(|shard| shard.start).filter(|&start| start > key).min();
                let end = next.map_or(u128::MAX, |next| next - 1);
                return Err(ShardMapError::Gap { start: HashKey::new(key), end: HashKey::new(end) });
            }
            1 => {}
            _ => return Err(ShardMapError::Overlap { at: HashKey::new(key) }),
        }
    }
    Ok(())
}

fn is_twice(shard: &Listed, listed: &[Listed]) -> bool {
    listed.iter().any(|other| other.id == shard.id && other != shard)
}

/// Those that are neither closed nor a parent, each once.
fn open(listed: &[Listed]) -> Vec<&Listed> {
    let is_parent = |shard: &Listed| {
        listed.iter().any(|child| child.parents.iter().flatten().any(|parent| *parent == shard.id))
    };
    let mut open: Vec<&Listed> = listed.iter().filter(|shard| !shard.closed && !is_parent(shard)).collect();
    open.sort_by_key(|shard| &shard.id);
    open.dedup();
    open
}

fn owns(shard: &Listed, key: u128) -> bool {
    (shard.start..=shard.end).contains(&key)
}

/// The hash keys where an owner may begin, be the last or follow: between them, nothing changes.
fn edges(shards: &[&Listed]) -> Vec<u128> {
    let of = |shard: &&Listed| [Some(shard.start), Some(shard.end), shard.end.checked_add(1)];
    shards.iter().flat_map(of).flatten().chain([0, u128::MAX]).collect()
}
