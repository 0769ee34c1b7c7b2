//! The event of a function that reads a stream, and user records in the shape of Python's `aws_kinesis_agg`.
//!
//! These types keep the event exactly, including unknown members, and accept events with members missing. Where that does not
//! matter, use the types of `aws_lambda_events` and the library's feature `lambda-events`. Version 1.2.1 of that crate reads arrival
//! times incorrectly: `….37` seconds as 37 milliseconds.

use aws_lambda_events::encodings::Base64Data;
use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::KinesisRecord;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Event {
    /// The Kinesis records, of one shard and in order.
    pub records: Vec<Record>,
}

/// A Kinesis record.
#[derive(Debug, Deserialize, Serialize)]
pub struct Record {
    /// The member `kinesis`.
    pub kinesis: Kinesis,
    /// The other members: `eventID`, `eventSourceARN` and so on.
    #[serde(flatten)]
    pub around: Map<String, Value>,
}

/// The member `kinesis` of a [`Record`].
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kinesis {
    /// The data of the Kinesis record.
    pub data: Base64Data,
    /// The partition key of the Kinesis record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_key: Option<String>,
    /// The sequence number of the Kinesis record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence_number: Option<String>,
    /// The other members: arrival time, schema version and so on.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl KinesisRecord for Record {
    fn data(&self) -> &[u8] {
        &self.kinesis.data.0
    }

    fn partition_key(&self) -> Option<&str> {
        self.kinesis.partition_key.as_deref()
    }

    fn sequence_number(&self) -> Option<&str> {
        self.kinesis.sequence_number.as_deref()
    }
}

impl Record {
    /// Returns a name for the record, or for a user record in it, that is the same in each attempt: shard and sequence number,
    /// which Lambda joins in the event id, and the sub-sequence number.
    pub(crate) fn position(&self, user: Option<&UserRecord<'_>>) -> String {
        let id = self.around.get("eventID").and_then(Value::as_str);
        let id = id.or(self.kinesis.sequence_number.as_deref()).unwrap_or_default().replace('/', "_");
        match user {
            Some(user) => format!("{id}.{:09}", user.sub_sequence_number),
            None => id,
        }
    }

    /// Formats a user record of an aggregate like Python's library: as the Kinesis record with the user record's key and data.
    pub(crate) fn with(&self, user: &UserRecord<'_>) -> Value {
        let mut data = Base64Data::default();
        data.0 = user.data.to_vec();
        let mut kinesis = self.kinesis.rest.clone();
        kinesis.extend([
            ("sequenceNumber".to_owned(), json!(self.kinesis.sequence_number)),
            ("partitionKey".to_owned(), json!(user.partition_key)),
            ("explicitHashKey".to_owned(), json!(user.explicit_hash_key)),
            ("subSequenceNumber".to_owned(), json!(user.sub_sequence_number)),
            ("aggregated".to_owned(), json!(true)),
            ("data".to_owned(), json!(data)),
        ]);
        if user.tags.len() > 0 {
            let tags: Vec<_> = user.tags.map(|tag| (tag.key, tag.value)).collect();
            kinesis.insert("tags".to_owned(), json!(tags));
        }
        let mut around = self.around.clone();
        around.insert("kinesis".to_owned(), kinesis.into());
        around.into()
    }
}
