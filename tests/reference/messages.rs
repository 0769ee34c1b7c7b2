//! Step three: fields into user records. What the three messages of the format mean.
//!
//! Each function goes through the fields of one message in wire order. What it does not name is an unknown
//! field, also if only the wire type is another one, and is passed over (D5). A fault in a field comes before
//! the fault that ended the splitting, and that one before a missing field (D18).

use core::ops::Range;
use core::str;

use super::fields::{Value, split};
use super::{Fault, MAGIC, Malformed, SpecRecord};

/// A `Record` before its indexes are looked up.
struct Record {
    partition_key: Index,
    explicit_hash_key: Option<Index>,
    data: Vec<u8>,
    tags: Vec<(String, Option<String>)>,
}

/// An index into a table, and where its varint starts.
struct Index {
    value: u64,
    start: usize,
}

/// Reads the `AggregatedRecord` that follows the magic.
///
/// Tables may follow the records, and parts of a table may stand anywhere (D10), so the indexes are looked up
/// when all has been read. Every index is, before there is a result: nothing is delivered in part (D11).
pub(super) fn aggregated_record(payload: &[u8]) -> Result<Vec<SpecRecord>, Malformed> {
    let mut partition_keys = Vec::new();
    let mut explicit_hash_keys = Vec::new();
    let mut records = Vec::new();
    let message = split(payload, MAGIC.len()..payload.len());
    for field in message.fields {
        match (field.number, field.value) {
            (1, Value::Bytes(place)) => partition_keys.push(text(payload, place)?),
            (2, Value::Bytes(place)) => explicit_hash_keys.push(text(payload, place)?),
            (3, Value::Bytes(place)) => records.push(record(payload, field.tag_start, place)?),
            _ => {}
        }
    }
    message.end?;
    records.into_iter().map(|record| look_up(record, &partition_keys, &explicit_hash_keys)).collect()
}

/// Reads a `Record`. Of a field that occurs twice the last value counts (D10), of an index too (D11). The
/// partition key index and the data are required, and asked for in this order (D4).
fn record(payload: &[u8], tag_start: usize, place: Range<usize>) -> Result<Record, Malformed> {
    let mut partition_key = None;
    let mut explicit_hash_key = None;
    let mut data = None;
    let mut tags = Vec::new();
    let message = split(payload, place);
    for field in message.fields {
        match (field.number, field.value) {
            (1, Value::Varint { value, start }) => partition_key = Some(Index { value, start }),
            (2, Value::Varint { value, start }) => explicit_hash_key = Some(Index { value, start }),
            (3, Value::Bytes(place)) => data = Some(payload[place].to_vec()),
            (4, Value::Bytes(place)) => tags.push(record_tag(payload, field.tag_start, place)?),
            _ => {}
        }
    }
    message.end?;
    Ok(Record {
        partition_key: partition_key.ok_or(Fault::MissingPartitionKeyIndex.at(tag_start))?,
        explicit_hash_key,
        data: data.ok_or(Fault::MissingData.at(tag_start))?,
        tags,
    })
}

/// Reads a `Tag`: the message, not the varint before a value. Its key is required (D4).
fn record_tag(
    payload: &[u8],
    tag_start: usize,
    place: Range<usize>,
) -> Result<(String, Option<String>), Malformed> {
    let mut key = None;
    let mut value = None;
    let message = split(payload, place);
    for field in message.fields {
        match (field.number, field.value) {
            (1, Value::Bytes(place)) => key = Some(text(payload, place)?),
            (2, Value::Bytes(place)) => value = Some(text(payload, place)?),
            _ => {}
        }
    }
    message.end?;
    Ok((key.ok_or(Fault::MissingTagKey.at(tag_start))?, value))
}

/// Takes bytes as text. They must be UTF-8, whether anything uses them or not (D12).
fn text(payload: &[u8], place: Range<usize>) -> Result<String, Malformed> {
    match str::from_utf8(&payload[place.clone()]) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(Fault::InvalidUtf8.at(place.start + error.valid_up_to())),
    }
}

/// Puts the keys where their indexes stand, the partition key first (D11). Without an explicit hash key index
/// there is no explicit hash key (D13).
fn look_up(
    record: Record,
    partition_keys: &[String],
    explicit_hash_keys: &[String],
) -> Result<SpecRecord, Malformed> {
    let partition_key = entry(partition_keys, &record.partition_key, Fault::PartitionKeyIndexOutOfRange)?;
    let explicit_hash_key = match record.explicit_hash_key {
        Some(index) => Some(entry(explicit_hash_keys, &index, Fault::ExplicitHashKeyIndexOutOfRange)?),
        None => None,
    };
    Ok(SpecRecord { partition_key, explicit_hash_key, data: record.data, tags: record.tags })
}

/// Finds the entry of a table that an index names (D11).
fn entry(table: &[String], index: &Index, out_of_range: Fault) -> Result<String, Malformed> {
    // An index that is no `usize` is past the end of any table.
    let entry = usize::try_from(index.value).ok().and_then(|index| table.get(index));
    entry.cloned().ok_or(out_of_range.at(index.start))
}
