//! The shards of a stream, read from the output of `aws kinesis list-shards` or `describe-stream`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::Path;

use kinesis_aggregation::ShardMap;
use kinesis_aggregation::route::{HashKeyRange, Shard, ShardMapError};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::failure::Failure;
use crate::input::{BYTE_ORDER_MARK, escape, foreign, quote};

/// All shards that a file lists, and the map of the open ones.
pub(crate) struct Shards {
    listed: Vec<Listed>,
    pub(crate) map: ShardMap,
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
    /// Reads a file with one page or several, one after the other or in a list. `-` is standard input.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let is_standard_input = file == Path::new("-");
        let name =
            if is_standard_input { "standard input".to_owned() } else { escape(&file.display().to_string()) };
        let fault = |what: &dyn core::fmt::Display| Failure::Input(format!("{name}: {what}"));
        let mut text = Vec::new();
        let read = if is_standard_input {
            std::io::stdin().read_to_end(&mut text)
        } else {
            std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut text))
        };
        read.map_err(|error| fault(&error))?;
        let json = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
        if let Some(what) = foreign(json) {
            return Err(fault(&format!("this looks like {what}")));
        }
        let mut listed = Vec::new();
        for value in serde_json::Deserializer::from_slice(json).into_iter::<&RawValue>() {
            let value = value.map_err(|error| fault(&error))?;
            add(value, &mut listed).map_err(|what| fault(&what))?;
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

/// Adds the shards in a JSON value. An error says what was expected.
fn add(value: &RawValue, listed: &mut Vec<Listed>) -> Result<(), String> {
    const EXPECTED: &str =
        "expected the output of `aws kinesis list-shards` or `aws kinesis describe-stream`";
    let members: BTreeMap<Cow<'_, str>, &RawValue> = match value.get().as_bytes().first() {
        Some(b'{') => serde_json::from_str(value.get()).map_err(|error| error.to_string())?,
        Some(b'[') => {
            let values: Vec<&RawValue> =
                serde_json::from_str(value.get()).map_err(|error| error.to_string())?;
            return values.into_iter().try_for_each(|value| add(value, listed));
        }
        _ => return Err(EXPECTED.to_owned()),
    };
    if let Some(description) = members.get("StreamDescription") {
        return add(description, listed);
    }
    if members.contains_key("StreamDescriptionSummary") {
        return Err(format!("the output of describe-stream-summary has no shards; {EXPECTED}"));
    }
    match members.get("Shards") {
        Some(shards) => {
            let shards: Vec<Listed> =
                serde_json::from_str(shards.get()).map_err(|error| error.to_string())?;
            listed.extend(shards);
        }
        None if members.contains_key("ShardId") => {
            listed.push(serde_json::from_str(value.get()).map_err(|error| error.to_string())?);
        }
        None => {
            let names =
                members.keys().take(3).map(|name| quote(name.as_bytes())).collect::<Vec<_>>().join(", ");
            return Err(format!(
                "{EXPECTED}, but this object has {}",
                if names.is_empty() { "no members" } else { &names }
            ));
        }
    }
    Ok(())
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
