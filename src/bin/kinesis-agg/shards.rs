//! The shards of a stream, read from the output of `aws kinesis list-shards`.

use std::collections::HashMap;
use std::path::Path;

use kinesis_aggregation::ShardMap;
use kinesis_aggregation::route::{HashKeyRange, Shard, ShardMapError};
use serde::Deserialize;

use crate::failure::Failure;

/// All shards that a file lists, and the map of the open ones.
pub(crate) struct Shards {
    listed: Vec<Listed>,
    pub(crate) map: ShardMap,
}

/// One page of `aws kinesis list-shards`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
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
    /// Reads a file with one page or several, one after the other.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let fault = |what: &dyn core::fmt::Display| Failure::Input(format!("{}: {what}", file.display()));
        let text = std::fs::read(file).map_err(|error| fault(&error))?;
        let mut listed = Vec::new();
        for page in serde_json::Deserializer::from_slice(&text).into_iter::<Page>() {
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

    /// Returns the hash key range of a shard, open or closed.
    pub(crate) fn range_of(&self, id: &str) -> Option<HashKeyRange> {
        let listed = self.listed.iter().find(|shard| shard.shard_id == id)?;
        listed.shard().ok().map(|shard| shard.range())
    }
}

/// Returns the first ID that two different shards have.
fn listed_twice(listed: &[Listed]) -> &str {
    let mut seen = HashMap::new();
    let twice = listed
        .iter()
        .find(|shard| *seen.entry(&shard.shard_id).or_insert_with(|| shard.shard()) != shard.shard());
    twice.map_or("a shard", |shard| &shard.shard_id)
}

impl Listed {
    fn shard(&self) -> Result<Shard<'_>, String> {
        let Range { starting_hash_key, ending_hash_key } = &self.hash_key_range;
        let range = HashKeyRange::parse(starting_hash_key, ending_hash_key)
            .map_err(|error| format!("{}: {error}", self.shard_id))?;
        let shard = Shard::new(&self.shard_id, range)
            .with_parents(self.parent_shard_id.as_deref(), self.adjacent_parent_shard_id.as_deref());
        let sequence_numbers = self.sequence_number_range.as_ref();
        let end = sequence_numbers.and_then(|range| range.ending_sequence_number.as_ref());
        Ok(if end.is_some() { shard.closed() } else { shard })
    }
}
