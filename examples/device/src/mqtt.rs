//! MQTT to AWS IoT Core, and a rule to Kinesis.
//!
//! The payload of the message is the aggregate's data, as it is. The rule has to put it with the partition key of its user records,
//! so the topic carries the key:
//!
//! ```json
//! {
//!   "sql": "SELECT * FROM 'readings/+'",
//!   "awsIotSqlVersion": "2016-03-23",
//!   "actions": [{ "kinesis": { "streamName": "readings", "partitionKey": "${topic(2)}", "roleArn": "…" } }]
//! }
//! ```
//!
//! Publish with QoS 1, and call `Device::sent` when the PUBACK has come.

use heapless::String;
use kinesis_aggregation::encode::AggregateRef;

/// The longest topic that AWS IoT Core accepts, in bytes.
pub const MAX_TOPIC: usize = 256;

/// Returns the topic of an aggregate's message. Returns `None` if its partition key cannot be a level of a topic.
#[must_use]
pub fn topic(aggregate: &AggregateRef<'_>) -> Option<String<MAX_TOPIC>> {
    let key = aggregate.partition_key();
    if key.contains(['/', '+', '#', '\0']) {
        return None;
    }
    let mut topic = String::new();
    topic.push_str("readings/").ok()?;
    topic.push_str(key).ok()?;
    Some(topic)
}
