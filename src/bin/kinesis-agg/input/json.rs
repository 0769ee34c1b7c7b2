//! JSON that holds Kinesis records: entries, lists of them, and documents with a list called `Records`.

use core::fmt;
use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::failure::Failure;

/// A Kinesis record in JSON: of `aws kinesis get-records`, or an entry of a PutRecords request. What it does not name
/// is ignored.
#[derive(Default)]
pub(crate) struct Entry<'a> {
    pub(crate) data: Option<Text<'a>>,
    pub(crate) partition_key: Option<Text<'a>>,
    pub(crate) explicit_hash_key: Option<Text<'a>>,
    pub(crate) sequence_number: Option<Text<'a>>,
    /// A number or a text, to be passed on as it stands.
    pub(crate) approximate_arrival_timestamp: Option<Box<RawValue>>,
    pub(crate) shard_id: Option<Text<'a>>,
    pub(crate) encryption_type: Option<Text<'a>>,
}

/// What is wrong with JSON, without the place, which is said elsewhere.
pub(crate) fn json_fault(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// A text that is borrowed unless it has escapes, inside options and lists as well.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// Reads one JSON value, and visits every record in it as soon as it is read: what comes before a fault is not lost by
/// it, and a long list is not kept.
pub(crate) struct EachEntry<'v, V> {
    pub(crate) visit: &'v mut V,
    /// The failure of a visit, which ends the reading.
    pub(crate) failure: &'v mut Option<Failure>,
}

impl<'de, V: FnMut(Entry<'de>) -> Result<(), Failure>> EachEntry<'_, V> {
    /// The same for a value inside this one.
    fn again(&mut self) -> EachEntry<'_, V> {
        EachEntry { visit: &mut *self.visit, failure: &mut *self.failure }
    }

    fn visit<E: Error>(&mut self, entry: Entry<'de>) -> Result<(), E> {
        (self.visit)(entry).map_err(|failure| {
            *self.failure = Some(failure);
            E::custom("visit failed")
        })
    }
}

impl<'de, V: FnMut(Entry<'de>) -> Result<(), Failure>> DeserializeSeed<'de> for EachEntry<'_, V> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, V: FnMut(Entry<'de>) -> Result<(), Failure>> Visitor<'de> for EachEntry<'_, V> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kinesis record, a list of them, or an object with \"Records\"")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(self.again())?.is_some() {}
        Ok(())
    }

    /// An object is a record unless it turns out to have a list of them.
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut entry = Entry::default();
        let mut is_list = false;
        while let Some(Text(name)) = map.next_key()? {
            match &*name {
                "Records" => {
                    is_list = true;
                    map.next_value_seed(self.again())?;
                }
                "Data" => entry.data = map.next_value()?,
                "PartitionKey" => entry.partition_key = map.next_value()?,
                "ExplicitHashKey" => entry.explicit_hash_key = map.next_value()?,
                "SequenceNumber" => entry.sequence_number = map.next_value()?,
                "ApproximateArrivalTimestamp" => {
                    entry.approximate_arrival_timestamp = map.next_value::<Option<Box<RawValue>>>()?;
                    let raw = entry.approximate_arrival_timestamp.as_deref().map_or("", RawValue::get);
                    if raw.starts_with(['{', '[']) {
                        return Err(A::Error::custom(
                            "ApproximateArrivalTimestamp is neither a number nor a text",
                        ));
                    }
                }
                "ShardId" => entry.shard_id = map.next_value()?,
                "EncryptionType" => entry.encryption_type = map.next_value()?,
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        if is_list { Ok(()) } else { self.visit(entry) }
    }
}
