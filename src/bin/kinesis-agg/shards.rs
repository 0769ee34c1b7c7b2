//! The shards of a stream, from a file.

use std::collections::HashMap;
use std::path::Path;

use kinesis_aggregation::ShardMap;
use kinesis_aggregation::route::{HashKeyRange, Shard, ShardMapError};
use serde::Deserialize;

use crate::failure::Failure;

/// All shards that a file lists, and the map of those that are open.
pub(crate) struct Shards {
    listed: Vec<Listed>,
    pub(crate) map: ShardMap,
}

/// What `aws kinesis list-shards` prints, or a page of it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listing {
    shards: Vec<Listed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    shard_id: String,
    hash_key_range: Range,
    sequence_number_range: Option<SequenceNumbers>,
    parent_shard_id: Option<String>,
    adjacent_parent_shard_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Range {
    starting_hash_key: String,
    ending_hash_key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SequenceNumbers {
    ending_sequence_number: Option<String>,
}

impl Shards {
    /// Reads a file: the output of `aws kinesis list-shards`, or several of them in a row.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let fault = |what: &dyn core::fmt::Display| Failure::Input(format!("{}: {what}", file.display()));
        let text = std::fs::read(file).map_err(|error| fault(&error))?;
        let pages = serde_json::Deserializer::from_slice(&text).into_iter::<Listing>();
        let mut listed = Vec::new();
        for page in pages {
            listed.extend(page.map_err(|error| fault(&error))?.shards);
        }
        let shards = listed.iter().map(Listed::shard).collect::<Result<Vec<_>, _>>();
        let shards = shards.map_err(|what| fault(&what))?;
        let map = ShardMap::new(shards).map_err(|error| match error {
            ShardMapError::ListedTwice { .. } => fault(&format!("{} is listed twice", listed_twice(&listed))),
            error => fault(&error),
        })?;
        Ok(Self { listed, map })
    }

    /// The hash keys of a shard, open or not.
    pub(crate) fn range_of(&self, id: &str) -> Option<HashKeyRange> {
        let listed = self.listed.iter().find(|shard| shard.shard_id == id)?;
        listed.shard().ok().map(|shard| shard.range())
    }
}

/// The id that two different shards have.
fn listed_twice(listed: &[Listed]) -> &str {
    let mut seen = HashMap::new();
    for shard in listed {
        if *seen.entry(&shard.shard_id).or_insert_with(|| shard.shard()) != shard.shard() {
            return &shard.shard_id;
        }
    }
    "a shard"
}

impl Listed {
    fn shard(&self) -> Result<Shard<'_>, String> {
        let Range { starting_hash_key, ending_hash_key } = &self.hash_key_range;
        let range = HashKeyRange::parse(starting_hash_key, ending_hash_key)
            .map_err(|error| format!("{}: {error}", self.shard_id))?;
        let shard = Shard::new(&self.shard_id, range)
            .with_parents(self.parent_shard_id.as_deref(), self.adjacent_parent_shard_id.as_deref());
        let ends =
            self.sequence_number_range.as_ref().and_then(|range| range.ending_sequence_number.as_ref());
        Ok(if ends.is_some() { shard.closed() } else { shard })
    }
}
