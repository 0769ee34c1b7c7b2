//! JSON that contains Kinesis records: single records, lists of records, and objects with a list named `Records` or
//! `records`.
//!
//! A record's members have different names in different places:
//!
//! ```text
//! API                {"Data", "PartitionKey", "SequenceNumber", …}            get-records, entries of PutRecords
//! Lambda             {"kinesis": {"data", "partitionKey", …}, "eventID", …}   events, the output of Python's library
//! Firehose           {"recordId", "data", "kinesisRecordMetadata": {…}}
//! Kinesis Analytics  {"recordId", "data", "kinesisStreamRecordMetadata": {…}}
//! ```
//!
//! Other members are ignored.

use core::fmt;
use std::borrow::Cow;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::failure::Failure;

/// Returns the message of a JSON error without its position, which the caller reports in its own way.
pub(crate) fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// A string that is borrowed unless it has escapes, even inside options and lists.
#[derive(Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// Reads one JSON value and visits each record in it as soon as it is read, so that an error does not lose the records
/// before it and a long list is not kept in memory.
pub(crate) struct EachEntry<'v, V> {
    pub(crate) visit: &'v mut V,
    /// Set to the failure of a visit, which stops the reading.
    pub(crate) failure: &'v mut Option<Failure>,
}

impl<'de, V: FnMut(Entry<'de>) -> Result<(), Failure>> EachEntry<'_, V> {
    fn reborrow(&mut self) -> EachEntry<'_, V> {
        EachEntry { visit: &mut *self.visit, failure: &mut *self.failure }
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
        while list.next_element_seed(self.reborrow())?.is_some() {}
        Ok(())
    }

    /// Reads an object, which is a record unless it turns out to have a list of records.
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut entry = Entry::default();
        let mut has_list = false;
        while let Some(Text(name)) = map.next_key()? {
            match &*name {
                // Lower case in events of Firehose and Kinesis Analytics.
                "Records" | "records" => {
                    has_list = true;
                    map.next_value_seed(self.reborrow())?;
                }
                name => entry.take(name, &mut map)?,
            }
        }
        if has_list {
            return Ok(());
        }
        (self.visit)(entry.complete()).map_err(|failure| {
            *self.failure = Some(failure);
            A::Error::custom("visit failed")
        })
    }
}

/// A Kinesis record.
#[derive(Default)]
pub(crate) struct Entry<'a> {
    pub(crate) data: Option<Text<'a>>,
    pub(crate) partition_key: Option<Text<'a>>,
    pub(crate) explicit_hash_key: Option<Text<'a>>,
    pub(crate) metadata: Metadata<'a>,
    shape: Shape,
    /// `data` and `approximateArrivalTimestamp` at the top level. They count only in the transformation shape: user
    /// records have `data` there too, and are not Kinesis records.
    top_level: (Option<Text<'a>>, Option<Box<RawValue>>),
}

/// Members that are copied to the output.
#[derive(Default)]
pub(crate) struct Metadata<'a> {
    pub(crate) record: RecordMetadata<'a>,
    pub(crate) event: EventMetadata<'a>,
}

/// Members that describe the Kinesis record.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordMetadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sequence_number: Option<Text<'a>>,
    /// A number or a string, copied digit by digit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) approximate_arrival_timestamp: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard_id: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_type: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kinesis_schema_version: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record_id: Option<Text<'a>>,
}

/// Members that Lambda adds around the Kinesis record.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventMetadata<'a> {
    #[serde(rename = "eventID", skip_serializing_if = "Option::is_none")]
    event_id: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_name: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_source: Option<Text<'a>>,
    #[serde(rename = "eventSourceARN", skip_serializing_if = "Option::is_none")]
    event_source_arn: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_version: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_region: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoke_identity_arn: Option<Text<'a>>,
}

/// Which names a record uses. If it mixes several shapes, in any order, the last of these counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    #[default]
    Api,
    /// Firehose and Kinesis Analytics.
    Transformation,
    Lambda,
}

impl Metadata<'_> {
    /// Returns the shard the record was read from, if known. In Lambda events only `eventID` has it, before the colon.
    pub(crate) fn shard_id(&self) -> Option<&str> {
        let in_event_id = || Some(self.event.event_id.as_ref()?.0.split_once(':')?.0);
        self.record.shard_id.as_ref().map(|id| &*id.0).or_else(in_event_id)
    }
}

impl<'de> Entry<'de> {
    /// Reads a member of the record.
    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        let Self { metadata: Metadata { record, event }, .. } = self;
        match name {
            "Data" => self.data = map.next_value()?,
            "PartitionKey" => self.partition_key = map.next_value()?,
            "ExplicitHashKey" => self.explicit_hash_key = map.next_value()?,
            "SequenceNumber" => record.sequence_number = map.next_value()?,
            "ApproximateArrivalTimestamp" => record.approximate_arrival_timestamp = time(name, map)?,
            "ShardId" => record.shard_id = map.next_value()?,
            "EncryptionType" => record.encryption_type = map.next_value()?,

            "kinesis" => map.next_value_seed(Inner { entry: self, shape: Shape::Lambda })?,
            "eventID" => event.event_id = map.next_value()?,
            "eventName" => event.event_name = map.next_value()?,
            "eventSource" => event.event_source = map.next_value()?,
            "eventSourceARN" => event.event_source_arn = map.next_value()?,
            "eventVersion" => event.event_version = map.next_value()?,
            "awsRegion" => event.aws_region = map.next_value()?,
            "invokeIdentityArn" => event.invoke_identity_arn = map.next_value()?,

            "recordId" => {
                record.record_id = map.next_value()?;
                if record.record_id.is_some() {
                    self.shape = self.shape.max(Shape::Transformation);
                }
            }
            "kinesisRecordMetadata" | "kinesisStreamRecordMetadata" | "kinesisFirehoseRecordMetadata" => {
                map.next_value_seed(Inner { entry: self, shape: Shape::Transformation })?;
            }
            "data" => self.top_level.0 = map.next_value()?,
            "approximateArrivalTimestamp" => self.top_level.1 = time(name, map)?,
            _ => _ = map.next_value::<IgnoredAny>()?,
        }
        Ok(())
    }

    /// Reads a member of the object inside the record.
    fn take_inner<A: MapAccess<'de>>(
        &mut self,
        shape: Shape,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let record = &mut self.metadata.record;
        match name {
            "data" if shape == Shape::Lambda => self.data = map.next_value()?,
            "partitionKey" => self.partition_key = map.next_value()?,
            "explicitHashKey" => self.explicit_hash_key = map.next_value()?,
            "sequenceNumber" => record.sequence_number = map.next_value()?,
            "approximateArrivalTimestamp" => record.approximate_arrival_timestamp = time(name, map)?,
            "shardId" => record.shard_id = map.next_value()?,
            "encryptionType" => record.encryption_type = map.next_value()?,
            "kinesisSchemaVersion" => record.kinesis_schema_version = map.next_value()?,
            "recordId" => record.record_id = map.next_value()?,
            _ => _ = map.next_value::<IgnoredAny>()?,
        }
        Ok(())
    }

    /// Settles what depends on the shape, which is known only at the end of the object.
    fn complete(mut self) -> Self {
        let (data, time) = core::mem::take(&mut self.top_level);
        if self.shape == Shape::Transformation {
            self.data = self.data.or(data);
            let known = &mut self.metadata.record.approximate_arrival_timestamp;
            *known = known.take().or(time);
        }
        self
    }

    /// Returns where the data belongs, for messages.
    pub(crate) const fn name_of_data(&self) -> &'static str {
        match self.shape {
            Shape::Api => "\"Data\"",
            Shape::Lambda => "\"data\" in \"kinesis\"",
            Shape::Transformation => "\"data\"",
        }
    }
}

/// Reads a time without changing its digits.
fn time<'de, A: MapAccess<'de>>(name: &str, map: &mut A) -> Result<Option<Box<RawValue>>, A::Error> {
    let time = map.next_value::<Option<Box<RawValue>>>()?;
    let raw = time.as_deref().map_or("0", RawValue::get);
    if raw.starts_with(['"', '-']) || raw.starts_with(|first: char| first.is_ascii_digit()) {
        return Ok(time);
    }
    Err(A::Error::custom(format_args!("{name} is neither a number nor a string")))
}

/// Reads an object inside a record into the record. `null` counts as absent.
struct Inner<'e, 'de> {
    entry: &'e mut Entry<'de>,
    shape: Shape,
}

impl<'de> DeserializeSeed<'de> for Inner<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Inner<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object that describes a Kinesis record")
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { entry, shape } = self;
        entry.shape = entry.shape.max(shape);
        while let Some(Text(name)) = map.next_key()? {
            entry.take_inner(shape, &name, &mut map)?;
        }
        Ok(())
    }
}
