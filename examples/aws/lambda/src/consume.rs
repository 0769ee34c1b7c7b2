//! Two ways to consume a stream, both safe to retry.
//!
//! A function can report which *Kinesis* record failed, by its sequence number, and Lambda sends all records from there on
//! again. The user records of an aggregate share that number, so those before the failed one arrive a second time. Either all user
//! records of an aggregate are stored in one step ([`bulk`]), or each is stored under its position, so that a duplicate is detected
//! ([`streaming`]).

use std::io;

use aws_lambda_events::streams::KinesisEventResponse;
use kinesis_aggregation::decode::{SourcedRecord, deaggregate_all};
use kinesis_aggregation::{UserRecord, iter_deaggregate_records};
use serde_json::{Value, json};

use crate::event::{Event, Record};
use crate::store::{Put, Store};

/// The result of a batch.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The response for Lambda.
    pub response: KinesisEventResponse,
    /// Number of user records stored, including plain records.
    pub stored: usize,
    /// Number of user records that an earlier attempt had stored.
    pub known: usize,
    /// The reason why the batch was not completed.
    pub failure: Option<io::Error>,
}

/// Stores all user records of each Kinesis record in one step, or none of them.
pub fn bulk(event: &Event, store: &mut Store) -> Outcome {
    let mut outcome = Outcome::default();
    for (record, users) in event.records.iter().zip(deaggregate_all(&event.records)) {
        let aggregated = users.plain_reason().is_none();
        let users: Vec<Value> = users.map(|user| shaped(record, &user, aggregated)).collect();
        if let Err(failure) = store.put_all(&record.position(None), &lines(&users)) {
            return outcome.fail(record, failure);
        }
        outcome.stored = outcome.stored.saturating_add(users.len());
    }
    outcome
}

/// Stores one user record at a time, unless an earlier attempt has stored it.
///
/// Needs less memory than [`bulk`], and user records become available earlier.
pub fn streaming(event: &Event, store: &mut Store) -> Outcome {
    let mut outcome = Outcome::default();
    for SourcedRecord { record, user, plain_reason, .. } in iter_deaggregate_records(&event.records) {
        match handle(record, &user, plain_reason.is_none(), store) {
            Ok(Put::Stored) => outcome.stored = outcome.stored.saturating_add(1),
            Ok(Put::Known) => outcome.known = outcome.known.saturating_add(1),
            // Stop here to preserve the order. Lambda sends the following records again in any case.
            Err(failure) => return outcome.fail(record, failure),
        }
    }
    outcome
}

/// Processes a user record. If it can never succeed, store it elsewhere (a dead-letter queue) and return `Ok`: a failure is
/// retried until the record expires, and blocks the shard until then.
fn handle(record: &Record, user: &UserRecord<'_>, aggregated: bool, store: &mut Store) -> io::Result<Put> {
    store.put_once(&record.position(Some(user)), &lines(&[shaped(record, user, aggregated)]))
}

/// Formats a user record of an aggregate like Python's library. A plain record is unchanged.
fn shaped(record: &Record, user: &UserRecord<'_>, aggregated: bool) -> Value {
    if aggregated { record.with(user) } else { json!(record) }
}

impl Outcome {
    /// Reports the first Kinesis record that was not completed: Lambda retries from there.
    ///
    /// For a record without a sequence number, Lambda treats the whole batch as failed, which is correct.
    fn fail(mut self, record: &Record, failure: io::Error) -> Self {
        self.response.add_failure(record.kinesis.sequence_number.as_deref().unwrap_or_default());
        self.failure = Some(failure);
        self
    }
}

fn lines(values: &[Value]) -> Vec<u8> {
    values.iter().map(|value| format!("{value}\n")).collect::<String>().into_bytes()
}
