//! JSON that holds Kinesis records: entries, lists of them, and documents with a list called `Records`.

use core::fmt;
use std::borrow::Cow;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A Kinesis record in JSON: of `aws kinesis get-records`, or an entry of a PutRecords request. What it does not name
/// is ignored.
#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Entry<'a> {
    #[serde(borrow)]
    pub(crate) data: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) partition_key: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) explicit_hash_key: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) sequence_number: Option<Text<'a>>,
    /// A number or a text, to be passed on as it stands.
    pub(crate) approximate_arrival_timestamp: Option<Box<RawValue>>,
    #[serde(borrow)]
    pub(crate) shard_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) encryption_type: Option<Text<'a>>,
    /// Present in what holds records, not in records.
    #[serde(borrow)]
    records: Option<Vec<Self>>,
}

/// A text that is borrowed where it can be.
#[derive(serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// One JSON value of an input, with all records it holds.
pub(crate) struct Document<'a> {
    pub(crate) entries: Vec<Entry<'a>>,
}

impl<'de> Deserialize<'de> for Document<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectOrArray;

        impl<'de> Visitor<'de> for ObjectOrArray {
            type Value = Document<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a Kinesis record, a list of them, or an object with \"Records\"")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Document<'de>, A::Error> {
                let mut entry = Entry::deserialize(MapAccessDeserializer::new(map))?;
                let entries = match entry.records.take() {
                    Some(entries) => entries,
                    None => vec![entry],
                };
                Ok(Document { entries })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Document<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = list.next_element()? {
                    entries.push(entry);
                }
                Ok(Document { entries })
            }
        }

        deserializer.deserialize_any(ObjectOrArray)
    }
}
