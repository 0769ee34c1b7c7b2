//! `aws_lambda_events`: deaggregates the events of Kinesis, Firehose and Kinesis Analytics, and gives user records the form
//! of Python's `aws_kinesis_agg`.
//!
//! That crate decodes base64, so the `data` fields have the bytes of the payload.

use alloc::string::{String, ToString};

use ::aws_lambda_events::encodings::Base64Data;
use ::aws_lambda_events::firehose::{KinesisFirehoseEvent, KinesisFirehoseEventRecord};
use ::aws_lambda_events::kinesis::{self, KinesisEvent, KinesisEventRecord, KinesisTimeWindowEvent};
use ::aws_lambda_events::kinesis_analytics::{
    KinesisAnalyticsOutputDeliveryEvent, KinesisAnalyticsOutputDeliveryEventRecord,
};
use serde::Serialize;

use crate::decode::{KinesisRecord, SourcedRecord};

batches!(KinesisEventRecord: KinesisEvent => records, KinesisTimeWindowEvent => kinesis_event.records);
batches!(KinesisFirehoseEventRecord: KinesisFirehoseEvent => records);
batches!(KinesisAnalyticsOutputDeliveryEventRecord: KinesisAnalyticsOutputDeliveryEvent => records);

impl KinesisRecord for kinesis::KinesisRecord {
    fn data(&self) -> &[u8] {
        &self.data
    }

    fn partition_key(&self) -> Option<&str> {
        present(&self.partition_key)
    }

    fn sequence_number(&self) -> Option<&str> {
        present(&self.sequence_number)
    }
}

impl KinesisRecord for KinesisEventRecord {
    fn data(&self) -> &[u8] {
        self.kinesis.data()
    }

    fn partition_key(&self) -> Option<&str> {
        self.kinesis.partition_key()
    }

    fn sequence_number(&self) -> Option<&str> {
        self.kinesis.sequence_number()
    }
}

/// The partition key and the sequence number are present if the source of the Firehose stream is a Kinesis stream.
impl KinesisRecord for KinesisFirehoseEventRecord {
    fn data(&self) -> &[u8] {
        &self.data
    }

    fn partition_key(&self) -> Option<&str> {
        self.kinesis_firehose_record_metadata.as_ref()?.partition_key.as_deref()
    }

    fn sequence_number(&self) -> Option<&str> {
        self.kinesis_firehose_record_metadata.as_ref()?.sequence_number.as_deref()
    }
}

impl KinesisRecord for KinesisAnalyticsOutputDeliveryEventRecord {
    fn data(&self) -> &[u8] {
        &self.data
    }
}

/// Returns `None` for an empty string, which is how the crate represents an absent field.
fn present(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Owns a user record in the form of Python's `aws_kinesis_agg`.
///
/// Serialized with `serde`, it is the JSON that `deaggregate_records` returns in Python. Absent fields are omitted, except
/// that `explicitHashKey` and `partitionKey` are `null`. A plain record has all fields, with `aggregated` set to false;
/// Python omits the fields that it adds.
///
/// ```
/// use aws_lambda_events::kinesis::KinesisEvent;
/// use kinesis_aggregation::iter_deaggregate_records;
/// use kinesis_aggregation::decode::LambdaRecord;
///
/// let event: KinesisEvent = serde_json::from_str(r#"{"Records": [{
///     "eventID": "shardId-000000000000:17", "eventName": "aws:kinesis:record",
///     "kinesis": {"data": "84mawgoBYRoFCAAaAXgnT6SiIWCSQZZrAsevv0KD", "partitionKey": "outer",
///                 "sequenceNumber": "17", "approximateArrivalTimestamp": 1700000000.125}
/// }]}"#)?;
/// let users: Vec<LambdaRecord> = iter_deaggregate_records(&event).map(LambdaRecord::from).collect();
/// assert_eq!(users[0].kinesis.partition_key.as_deref(), Some("a"));
/// assert_eq!(users[0].event_id.as_deref(), Some("shardId-000000000000:17"));
/// assert_eq!(
///     serde_json::to_value(&users[0].kinesis)?,
///     serde_json::json!({
///         "sequenceNumber": "17", "approximateArrivalTimestamp": 1700000000.125, "partitionKey": "a",
///         "explicitHashKey": null, "subSequenceNumber": 0, "aggregated": true, "data": "eA==",
///     })
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LambdaRecord {
    /// The record as Kinesis describes it.
    pub kinesis: LambdaKinesis,
    /// Always `aws:kinesis`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_source: Option<String>,
    /// The version of the event's format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_version: Option<String>,
    /// The shard and the sequence number of the Kinesis record, so all user records of an aggregate have the same.
    #[serde(rename = "eventID", skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// Always `aws:kinesis:record`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_name: Option<String>,
    /// The ARN of the function's role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoke_identity_arn: Option<String>,
    /// The region of the stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_region: Option<String>,
    /// The ARN of the stream.
    #[serde(rename = "eventSourceARN", skip_serializing_if = "Option::is_none")]
    pub event_source_arn: Option<String>,
}

/// The schema version that Python sets for records of Firehose and Kinesis Analytics, which have none.
const ASSUMED_VERSION: &str = "1.0";

/// Holds the `kinesis` member of a [`LambdaRecord`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LambdaKinesis {
    /// The version of the record's format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kinesis_schema_version: Option<String>,
    /// The sequence number of the Kinesis record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence_number: Option<String>,
    /// The time at which Kinesis received the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approximate_arrival_timestamp: Option<ArrivalTime>,
    /// The partition key of the user record, or `None` for a plain record whose event does not contain one.
    pub partition_key: Option<String>,
    /// The explicit hash key of the user record.
    pub explicit_hash_key: Option<String>,
    /// The position in the aggregate, starting at 0. For a plain record, the position that Firehose states, or 0.
    pub sub_sequence_number: u64,
    /// True if the user record was part of an aggregate.
    pub aggregated: bool,
    /// The data of the user record, serialized as base64.
    pub data: Base64Data,
    /// The ID of the outer record, which a response to Firehose or Kinesis Analytics must contain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_id: Option<String>,
    /// The shard, if a Firehose event names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard_id: Option<String>,
}

/// Holds the time since 1970 at which a Kinesis record arrived, in the unit that its event uses.
///
/// The value is the one that `aws_lambda_events` parsed. Its version 1.2 reads the fraction in `….37` seconds as 37
/// milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ArrivalTime {
    /// Kinesis events.
    Seconds(f64),
    /// Firehose events.
    Milliseconds(i64),
}

impl From<SourcedRecord<'_, KinesisEventRecord>> for LambdaRecord {
    fn from(sourced: SourcedRecord<'_, KinesisEventRecord>) -> Self {
        let record = sourced.record;
        let millis = record.kinesis.approximate_arrival_timestamp.timestamp_millis();
        Self {
            kinesis: LambdaKinesis {
                kinesis_schema_version: record.kinesis.kinesis_schema_version.clone(),
                approximate_arrival_timestamp: Some(ArrivalTime::Seconds(seconds(millis))),
                ..LambdaKinesis::from_user(&sourced)
            },
            event_source: record.event_source.clone(),
            event_version: record.event_version.clone(),
            event_id: record.event_id.clone(),
            event_name: record.event_name.clone(),
            invoke_identity_arn: record.invoke_identity_arn.clone(),
            aws_region: record.aws_region.clone(),
            event_source_arn: record.event_source_arn.clone(),
        }
    }
}

impl From<SourcedRecord<'_, KinesisFirehoseEventRecord>> for LambdaRecord {
    fn from(sourced: SourcedRecord<'_, KinesisFirehoseEventRecord>) -> Self {
        let record = sourced.record;
        let metadata = record.kinesis_firehose_record_metadata.as_ref();
        let arrival = metadata.map_or(&record.approximate_arrival_timestamp, |metadata| {
            &metadata.approximate_arrival_timestamp
        });
        // Firehose deaggregates records of Kinesis streams itself, and states the position in the aggregate.
        let stated = metadata.and_then(|metadata| u64::try_from(metadata.subsequence_number).ok());
        let stated = stated.filter(|_| !sourced.aggregated());
        let kinesis = LambdaKinesis {
            kinesis_schema_version: Some(ASSUMED_VERSION.into()),
            sub_sequence_number: stated.unwrap_or(sourced.user.sub_sequence_number),
            approximate_arrival_timestamp: Some(ArrivalTime::Milliseconds(arrival.timestamp_millis())),
            record_id: record.record_id.clone(),
            shard_id: metadata.and_then(|metadata| metadata.shard_id.clone()),
            ..LambdaKinesis::from_user(&sourced)
        };
        Self { kinesis, ..Self::default() }
    }
}

impl From<SourcedRecord<'_, KinesisAnalyticsOutputDeliveryEventRecord>> for LambdaRecord {
    fn from(sourced: SourcedRecord<'_, KinesisAnalyticsOutputDeliveryEventRecord>) -> Self {
        let kinesis = LambdaKinesis {
            kinesis_schema_version: Some(ASSUMED_VERSION.into()),
            record_id: sourced.record.record_id.clone(),
            ..LambdaKinesis::from_user(&sourced)
        };
        Self { kinesis, ..Self::default() }
    }
}

impl LambdaKinesis {
    /// Sets the fields that do not depend on the event.
    fn from_user<R: KinesisRecord>(sourced: &SourcedRecord<'_, R>) -> Self {
        let user = &sourced.user;
        let partition_key =
            if sourced.aggregated() { Some(user.partition_key) } else { sourced.record.partition_key() };
        let mut data = Base64Data::default();
        data.0 = user.data.into();
        Self {
            sequence_number: sourced.record.sequence_number().map(ToString::to_string),
            partition_key: partition_key.map(ToString::to_string),
            explicit_hash_key: user.explicit_hash_key.map(ToString::to_string),
            sub_sequence_number: user.sub_sequence_number,
            aggregated: sourced.aggregated(),
            data,
            ..Self::default()
        }
    }
}

#[expect(clippy::as_conversions, reason = "exact for some 285,000 years")]
const fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
