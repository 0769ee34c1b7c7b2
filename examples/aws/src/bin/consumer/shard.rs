//! Reading one shard to its end.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
use aws_sdk_kinesis::types::{self, ShardIteratorType};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kinesis_aggregation::decode::SourcedRecord;
use kinesis_aggregation::iter_deaggregate_records;
use kinesis_aggregation::route::{HashKeyRange, Shard};
use kinesis_aggregation_aws_examples::{Failure, explain};
use tokio::time;

use crate::checkpoints::Checkpoint;
use crate::output::Output;
use crate::{Args, Range};

/// Kinesis accepts five GetRecords calls per second and shard.
const BETWEEN_CALLS: Duration = Duration::from_millis(200);

pub struct Reader {
    client: Client,
    stream: String,
    shard_id: String,
    range: Option<HashKeyRange>,
    commit_every: u64,
    output: Arc<Output>,
    /// The last user record that was written or left out.
    position: Option<Checkpoint>,
    /// Number of user records since the last checkpoint.
    uncommitted: u64,
}

impl Reader {
    pub fn new(
        client: Client,
        args: &Args,
        shard: &types::Shard,
        output: Arc<Output>,
    ) -> Result<Self, Failure> {
        let range = Shard::try_from(shard)?.range();
        Ok(Self {
            client,
            stream: args.stream.clone(),
            shard_id: shard.shard_id.clone(),
            range: Some(range).filter(|_| args.range == Range::Each),
            commit_every: args.commit_every.max(1),
            position: output.checkpoint(&shard.shard_id),
            output,
            uncommitted: 0,
        })
    }

    pub async fn run(mut self) -> Result<(), Failure> {
        let mut pause = BETWEEN_CALLS;
        let mut iterator: Option<String> = None;
        loop {
            match self.read_once(&mut iterator).await {
                Ok(batch) => {
                    self.process(&batch)?;
                    let Some(next) = batch.next_shard_iterator else {
                        return self.output.commit(&self.shard_id, Checkpoint::shard_end());
                    };
                    iterator = Some(next);
                    pause = BETWEEN_CALLS;
                }
                // A new iterator starts at the current position.
                Err(CallError::Transient(why)) if why.contains("ExpiredIterator") => iterator = None,
                Err(CallError::Transient(why)) => {
                    eprintln!("consumer: {}: {why}; retrying", self.shard_id);
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
                Err(CallError::Permanent(why)) => return Err(format!("{}: {why}", self.shard_id).into()),
            }
            time::sleep(pause).await;
        }
    }

    async fn read_once(&self, iterator: &mut Option<String>) -> Result<GetRecordsOutput, CallError> {
        let iterator = match iterator {
            Some(iterator) => iterator,
            None => iterator.insert(self.shard_iterator().await?),
        };
        self.client.get_records().shard_iterator(&*iterator).send().await.map_err(CallError::of)
    }

    /// Starts at the Kinesis record of the checkpoint, since some of its user records may not have been processed.
    async fn shard_iterator(&self) -> Result<String, CallError> {
        let call = self.client.get_shard_iterator().stream_name(&self.stream).shard_id(&self.shard_id);
        let call = match &self.position {
            None => call.shard_iterator_type(ShardIteratorType::TrimHorizon),
            Some(position) => call
                .shard_iterator_type(ShardIteratorType::AtSequenceNumber)
                .starting_sequence_number(&position.sequence_number),
        };
        let answer = call.send().await.map_err(CallError::of)?;
        answer.shard_iterator.ok_or_else(|| CallError::Transient("no iterator in the response".into()))
    }

    fn process(&mut self, batch: &GetRecordsOutput) -> Result<(), Failure> {
        let mut skipped = None;
        for sourced in iter_deaggregate_records(batch) {
            let at = sourced.extended_sequence_number().ok_or("a record without a sequence number")?;
            let done = match &self.position {
                Some(position) => at <= position.extended()?,
                None => false,
            };
            if done {
                skipped = Some(at.sequence_number);
                self.output.count(|counts| counts.skipped += 1);
                continue;
            }
            if skipped.take() == Some(at.sequence_number) {
                eprintln!("consumer: {} resumes in the middle of an aggregate, at {at}", self.shard_id);
            }
            self.keep(&sourced)?;
            self.position = Some(Checkpoint::of(at));
            self.uncommitted += 1;
            if self.uncommitted >= self.commit_every {
                self.commit()?;
            }
        }
        self.output.count(|counts| counts.kinesis_records += batch.records.len() as u64);
        if self.uncommitted > 0 { self.commit() } else { Ok(()) }
    }

    /// Writes a user record if it belongs to this shard (rule R4). A plain record always does: Kinesis chose its shard.
    fn keep(&self, sourced: &SourcedRecord<'_, types::Record>) -> Result<(), Failure> {
        let user = &sourced.user;
        let hash_key = user.hash_key();
        self.output.count(|counts| {
            counts.user_records += 1;
            counts.invalid += u64::from(hash_key.is_err());
        });
        let outside = self.range.is_some_and(|range| hash_key.is_ok_and(|key| !range.contains(key)));
        if sourced.aggregated() && outside {
            self.output.count(|counts| counts.left_out += 1);
            return Ok(());
        }
        self.output.write(&serde_json::json!({
            "shardId": self.shard_id,
            "sequenceNumber": sourced.record.sequence_number,
            "subSequenceNumber": user.sub_sequence_number,
            "approximateArrivalTimestamp": sourced.record.approximate_arrival_timestamp.map(|at| at.as_secs_f64()),
            "partitionKey": user.partition_key,
            "explicitHashKey": user.explicit_hash_key,
            "data": STANDARD.encode(user.data),
            "aggregated": sourced.aggregated(),
        }))
    }

    fn commit(&mut self) -> Result<(), Failure> {
        self.uncommitted = 0;
        let Some(position) = self.position.clone() else { return Ok(()) };
        self.output.commit(&self.shard_id, position)
    }
}

/// The reason why a call failed.
enum CallError {
    /// A retry may succeed.
    Transient(String),
    Permanent(String),
}

impl CallError {
    fn of<E: ProvideErrorMetadata + std::error::Error + 'static>(error: SdkError<E>) -> Self {
        let code = error.code().unwrap_or_default().to_owned();
        let refused = error.raw_response().is_some_and(|raw| (400..500).contains(&raw.status().as_u16()));
        let transient = ["Throttl", "Exceeded", "ExpiredIterator"].iter().any(|part| code.contains(part));
        let why = explain(&error);
        if refused && !transient {
            Self::Permanent(why)
        } else {
            Self::Transient(if code.is_empty() { why } else { code })
        }
    }
}
