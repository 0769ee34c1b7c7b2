//! JSON values inside lines of a log.

use serde::de::{DeserializeSeed, IgnoredAny};

use crate::failure::Failure;
use crate::input::json::{EachItem, Item};

/// The most places of a line that are tried. A log event has its JSON near the beginning.
const MAX_TRIES: usize = 8;

/// Returns the first JSON value in a line that has a Kinesis record in it.
pub(crate) fn find_record(line: &[u8]) -> Option<&[u8]> {
    let starts = memchr::memchr2_iter(b'{', b'[', line).take(MAX_TRIES);
    starts.filter_map(|start| value_at(line.get(start..)?)).find(|value| is_record(value))
}

pub(crate) fn has_record(line: &[u8]) -> bool {
    find_record(line).is_some()
}

/// Returns the JSON value at the beginning of the bytes.
fn value_at(bytes: &[u8]) -> Option<&[u8]> {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    bytes.get(..values.byte_offset())
}

/// Returns whether everything in a value is a record, and there is at least one.
fn is_record(value: &[u8]) -> bool {
    let (mut records, mut others) = (0, 0);
    let mut visit = |item: Item<'_>| {
        match item {
            Item::Entry(entry) if entry.has_data() => records += 1,
            _ => others += 1,
        }
        Ok(())
    };
    let mut failure: Option<Failure> = None;
    let mut deserializer = serde_json::Deserializer::from_slice(value);
    let read = EachItem {
        visit: &mut visit,
        failure: &mut failure,
        is_on_one_line: true,
        is_list_of_records: false,
    }
    .deserialize(&mut deserializer);
    read.is_ok() && records > 0 && others == 0
}
