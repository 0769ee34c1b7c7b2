//! A consumer of a stream, in two ways that both survive retries.
//!
//! Lambda can be told which *Kinesis* record failed, by its sequence number, and hands over all from it on again. The user
//! records of an aggregate share that number, so those before the one that failed come a second time. Either nothing of
//! an aggregate counts before all of it does ([`bulk`]), or each user record is stored under its position and known again
//! ([`streaming`]).

use std::io;

use aws_lambda_events::streams::KinesisEventResponse;
use kinesis_aggregation::{SourcedRecord, UserRecord, deaggregate_all, iter_deaggregate_records};
use serde_json::{Value, json};

use crate::event::{Event, Record};
use crate::store::{Put, Store};

/// How a batch went.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What Lambda has to know.
    pub response: KinesisEventResponse,
    /// User records stored, plain records among them.
    pub stored: usize,
    /// User records that an earlier try had stored.
    pub known: usize,
    /// Why the batch was not done to its end.
    pub failure: Option<io::Error>,
}

/// All or nothing for each Kinesis record: the user records of an aggregate are stored in one step.
///
/// The digests of all records are computed at once, which is faster than one by one.
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

/// A user record at a time: each is stored unless an earlier try has stored it.
///
/// It needs memory for one, and what is stored first is of use first.
pub fn streaming(event: &Event, store: &mut Store) -> Outcome {
    let mut outcome = Outcome::default();
    for SourcedRecord { record, user, plain_reason, .. } in iter_deaggregate_records(&event.records) {
        match handle(record, &user, plain_reason.is_none(), store) {
            Ok(Put::Stored) => outcome.stored = outcome.stored.saturating_add(1),
            Ok(Put::Known) => outcome.known = outcome.known.saturating_add(1),
            // What comes after it waits, so that the order stays. It would come again in any case.
            Err(failure) => return outcome.fail(record, failure),
        }
    }
    outcome
}

/// What is done with a user record. Where it can never be done, it has to be set aside here, and be `Ok`: what fails
/// comes again until the stream forgets it, and all after it on the shard waits so long.
fn handle(record: &Record, user: &UserRecord<'_>, aggregated: bool, store: &mut Store) -> io::Result<Put> {
    store.put_once(&record.position(Some(user)), &lines(&[shaped(record, user, aggregated)]))
}

/// A plain record stays as it came.
fn shaped(record: &Record, user: &UserRecord<'_>, aggregated: bool) -> Value {
    if aggregated { record.with(user) } else { json!(record) }
}

impl Outcome {
    /// Names the Kinesis record to go on from: the first that is not done, and no other, as Lambda takes the lowest.
    ///
    /// A record without a sequence number makes Lambda take the whole batch for failed, which is right.
    fn fail(mut self, record: &Record, failure: io::Error) -> Self {
        self.response.add_failure(record.kinesis.sequence_number.as_deref().unwrap_or_default());
        self.failure = Some(failure);
        self
    }
}

fn lines(values: &[Value]) -> Vec<u8> {
    values.iter().map(|value| format!("{value}\n")).collect::<String>().into_bytes()
}
