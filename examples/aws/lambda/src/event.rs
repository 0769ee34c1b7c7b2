//! The event of a function that reads a stream, and user records in the shape of Python's `aws_kinesis_agg`.
//!
//! The types of `aws_lambda_events` do as well where the arrival time does not matter: version 1.2.1 takes `….37` seconds for
//! 37 milliseconds. These keep all that the event says as it is, what they do not know included, and miss nothing that is
//! not there.

use aws_lambda_events::encodings::Base64Data;
use kinesis_aggregation::{KinesisRecord, UserRecord};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Event {
    /// Kinesis records of one shard, in order.
    pub records: Vec<Record>,
}

/// A Kinesis record.
#[derive(Debug, Deserialize, Serialize)]
pub struct Record {
    /// What is of Kinesis.
    pub kinesis: Kinesis,
    /// What Lambda says around it: `eventID`, `eventSourceARN` and so on.
    #[serde(flatten)]
    pub around: Map<String, Value>,
}

/// Of a [`Record`], what is of Kinesis.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kinesis {
    /// What was put.
    pub data: Base64Data,
    /// What it was put with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_key: Option<String>,
    /// Its position in the shard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence_number: Option<String>,
    /// Arrival time, version of the schema, and what else there is.
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
    /// What names the record, or a user record in it, in each try: shard and sequence number, which Lambda joins in the event
    /// id, and the sub-sequence number.
    pub(crate) fn position(&self, user: Option<&UserRecord<'_>>) -> String {
        let id = self.around.get("eventID").and_then(Value::as_str);
        let id = id.or(self.kinesis.sequence_number.as_deref()).unwrap_or_default().replace('/', "_");
        match user {
            Some(user) => format!("{id}.{:09}", user.sub_sequence_number),
            None => id,
        }
    }

    /// Puts a user record of an aggregate in the place of the Kinesis record that it came in: as Python's library does.
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
