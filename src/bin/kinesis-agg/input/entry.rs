//! A Kinesis record in JSON, under any of the names that its members have.
//!
//! ```text
//! the API   {"Data", "PartitionKey", "SequenceNumber", …}            get-records, entries of PutRecords
//! Lambda    {"kinesis": {"data", "partitionKey", …}, "eventID", …}   a function's event, what Python's library returns
//! others    {"recordId", "data", "kinesisRecordMetadata": {…}}       Firehose
//!           {"recordId", "data", "kinesisStreamRecordMetadata": {…}} Kinesis Analytics
//! ```
//!
//! What is not named here is ignored.

use core::fmt;
use std::borrow::Cow;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A text that is borrowed unless it has escapes, inside options and lists as well.
#[derive(Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// A Kinesis record.
#[derive(Default)]
pub(crate) struct Entry<'a> {
    pub(crate) data: Option<Text<'a>>,
    pub(crate) partition_key: Option<Text<'a>>,
    pub(crate) explicit_hash_key: Option<Text<'a>>,
    pub(crate) metadata: Metadata<'a>,
    shape: Shape,
    /// `data` and `approximateArrivalTimestamp` beside what describes the record: they count where it turns out to be of
    /// a transformation. User records have `data` there too, and are no Kinesis records.
    beside: (Option<Text<'a>>, Option<Box<RawValue>>),
}

/// What is passed on as it came.
#[derive(Default)]
pub(crate) struct Metadata<'a> {
    pub(crate) record: RecordMetadata<'a>,
    pub(crate) event: EventMetadata<'a>,
}

/// What is said about a record.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordMetadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<Text<'a>>,
    /// A number or a text, whose digits are not touched.
    #[serde(skip_serializing_if = "Option::is_none")]
    approximate_arrival_timestamp: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard_id: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_type: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kinesis_schema_version: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record_id: Option<Text<'a>>,
}

/// What Lambda says around a record.
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

/// Whose names a record has. Should it have those of several, in whatever order, the last of these counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    #[default]
    Api,
    Transformation,
    Lambda,
}

impl Metadata<'_> {
    /// The shard it was read from, where the input says. Lambda says so only in `eventID`: shard, colon, sequence number.
    pub(crate) fn shard_id(&self) -> Option<&str> {
        let in_event_id = || Some(self.event.event_id.as_ref()?.0.split_once(':')?.0);
        self.record.shard_id.as_ref().map(|id| &*id.0).or_else(in_event_id)
    }
}

impl<'de> Entry<'de> {
    /// Takes a member of the record.
    pub(crate) fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
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
            "data" => self.beside.0 = map.next_value()?,
            "approximateArrivalTimestamp" => self.beside.1 = time(name, map)?,
            _ => _ = map.next_value::<IgnoredAny>()?,
        }
        Ok(())
    }

    /// Takes a member of what is inside the record.
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

    /// Decides what can be decided only when all of it is read.
    pub(crate) fn complete(mut self) -> Self {
        let (data, time) = core::mem::take(&mut self.beside);
        if self.shape == Shape::Transformation {
            self.data = self.data.or(data);
            let known = &mut self.metadata.record.approximate_arrival_timestamp;
            *known = known.take().or(time);
        }
        self
    }

    /// Where the data should be, for messages.
    pub(crate) const fn name_of_data(&self) -> &'static str {
        match self.shape {
            Shape::Api => "\"Data\"",
            Shape::Lambda => "\"data\" in \"kinesis\"",
            Shape::Transformation => "\"data\"",
        }
    }
}

/// Reads a time, which is passed on as it stands.
fn time<'de, A: MapAccess<'de>>(name: &str, map: &mut A) -> Result<Option<Box<RawValue>>, A::Error> {
    let time = map.next_value::<Option<Box<RawValue>>>()?;
    let raw = time.as_deref().map_or("0", RawValue::get);
    if raw.starts_with(['"', '-']) || raw.starts_with(|first: char| first.is_ascii_digit()) {
        return Ok(time);
    }
    Err(A::Error::custom(format_args!("{name} is neither a number nor a text")))
}

/// Reads an object inside a record into that record. Where it is null it is absent.
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
