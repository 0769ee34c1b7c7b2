//! The main loop: receive records, aggregate them, put full aggregates, and handle the responses.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::{Duration, Instant};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::put_records::{PutRecordsError, PutRecordsOutput};
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kinesis_aggregation::route::{Placement, PutOutcome, PutQueue, PutRequest, RoutedAggregate, Shard};
use kinesis_aggregation::{AggregationManager, Limits, ShardMap, UserRecord};
use kinesis_aggregation_aws_examples::{Failure, explain, list_shards};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;
use tokio::time;

use crate::Args;
use crate::report::Report;
use crate::source::{Chunk, Record};

/// No more records are received while this many bytes are queued.
const MAX_QUEUED: usize = 32 * 1024 * 1024;

/// Minimum time between two calls of ListShards.
const BETWEEN_REFRESHES: Duration = Duration::from_millis(250);

type Answer = Result<PutRecordsOutput, SdkError<PutRecordsError>>;

pub struct Publisher {
    client: Client,
    stream: String,
    manager: AggregationManager,
    queue: PutQueue,
    concurrency: usize,
    calls: JoinSet<(PutRequest, Answer)>,
    /// Aggregates stored by a shard that the map does not know: confirmed again after a refresh.
    unknown: Vec<(RoutedAggregate, Box<str>)>,
    /// When to list the shards again, if a response shows that they have changed.
    refresh_at: Option<Instant>,
    refreshed: Instant,
    resent: Option<BufWriter<File>>,
    began: Instant,
    report: Report,
}

impl Publisher {
    pub async fn new(client: Client, args: &Args) -> Result<Self, Failure> {
        let limits = Limits::default().with_max_bytes(args.max_bytes).with_max_age(args.max_age());
        let map = shard_map(&client, &args.stream).await?;
        Ok(Self {
            client,
            stream: args.stream.clone(),
            manager: AggregationManager::by_shard(map, limits),
            queue: PutQueue::new().with_max_request_bytes(args.max_request_bytes),
            concurrency: args.concurrency.max(1),
            calls: JoinSet::new(),
            unknown: Vec::new(),
            refresh_at: None,
            refreshed: Instant::now(),
            resent: args.resent.as_ref().map(File::create).transpose()?.map(BufWriter::new),
            began: Instant::now(),
            report: Report::default(),
        })
    }

    /// Publishes everything that arrives, and returns when all of it has been delivered. An error says how much may not have been.
    pub async fn run(&mut self, source: Receiver<Chunk>) -> Result<(), Failure> {
        let outcome = self.publish(source).await;
        if let Some(resent) = &mut self.resent {
            resent.flush()?;
        }
        let undelivered = self.report.undelivered();
        outcome.map_err(|failure| match undelivered {
            0 => failure,
            _ => format!("{undelivered} user records may not have been delivered: {failure}").into(),
        })
    }

    async fn publish(&mut self, mut source: Receiver<Chunk>) -> Result<(), Failure> {
        let mut open = true;
        let mut outcome = Ok(());
        loop {
            self.queue.extend(self.manager.expired(self.now()));
            if !open {
                self.queue.extend(self.manager.flush());
            }
            self.dispatch();
            let sent = self.queue.is_empty() && self.calls.is_empty() && self.unknown.is_empty();
            if !open && sent && self.manager.is_empty() {
                break;
            }
            let next_event = self.next_event();
            let takes_more = open && self.queue.size_bytes() < MAX_QUEUED;
            tokio::select! {
                chunk = source.recv(), if takes_more => match chunk {
                    // Valid records are published even if others are refused.
                    Some(Ok(records)) => outcome = outcome.and(self.add(&records)),
                    Some(Err(failure)) => {
                        eprintln!("publisher: {failure}");
                        outcome = outcome.and(Err("not all of the input was read".into()));
                    }
                    None => open = false,
                },
                Some(call) = self.calls.join_next() => {
                    let (request, answer) = call?;
                    self.answered(request, answer)?;
                }
                () = time::sleep_until(next_event.into()) => {}
            }
            if self.refresh_at.is_some_and(|at| at <= Instant::now()) {
                self.refresh().await?;
            }
        }
        outcome
    }

    pub fn report(&mut self) -> &Report {
        self.report.elapsed = self.began.elapsed();
        &self.report
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Returns when something has to be done even if nothing arrives.
    fn next_event(&self) -> Instant {
        let can_send = self.calls.len() < self.concurrency;
        let times = [self.manager.next_expiry(), self.queue.next_ready().filter(|_| can_send)];
        let times = times.into_iter().flatten().map(|at| self.began + at).chain(self.refresh_at);
        times.min().unwrap_or_else(|| Instant::now() + Duration::from_secs(1))
    }

    /// Adds records. A refused one does not affect the others.
    fn add(&mut self, records: &[Record]) -> Result<(), Failure> {
        let now = self.now();
        let mut outcome = Ok(());
        for record in records {
            let mut user = UserRecord::new(&record.partition_key, &record.data);
            if let Some(hash_key) = &record.explicit_hash_key {
                user = user.with_explicit_hash_key(hash_key);
            }
            match self.manager.add_at(user, now) {
                Ok(full) => {
                    self.queue.extend(full);
                    self.report.user_record(record.partition_key.len() + record.data.len());
                }
                Err(error) => {
                    eprintln!("publisher: user record {:?} refused: {error}", record.partition_key);
                    outcome = outcome.and(Err("some user records were refused".into()));
                }
            }
        }
        outcome
    }

    /// Starts as many requests as possible.
    fn dispatch(&mut self) {
        while self.calls.len() < self.concurrency {
            let Some(request) = self.queue.next_request(self.now()) else { return };
            let call = self.client.put_records().stream_name(&self.stream);
            self.report.calls += 1;
            self.calls.spawn(async move {
                // The SDK takes ownership of the data, so each attempt needs a copy.
                let entries = request.entries().cloned().map(PutRecordsRequestEntry::try_from).collect();
                let answer = match entries {
                    Ok(entries) => call.set_records(Some(entries)).send().await,
                    Err(error) => Err(SdkError::construction_failure(error)),
                };
                (request, answer)
            });
        }
    }

    fn answered(&mut self, request: PutRequest, answer: Answer) -> Result<(), Failure> {
        let error = match answer {
            Ok(output) => {
                let outcomes = output.records().iter().map(PutOutcome::from);
                let settled = self.queue.settle(request, outcomes, self.now());
                self.report.throttled += settled.throttled;
                self.report.failed += settled.failed;
                for (aggregate, shard_id) in settled.delivered {
                    self.report.kinesis_record(&aggregate);
                    self.delivered(aggregate, shard_id)?;
                }
                return Ok(());
            }
            Err(error) => error,
        };
        self.report.failed_calls += 1;
        match effect(&error) {
            Effect::None => {}
            Effect::Unclear => {
                for aggregate in request.entries() {
                    note_resent(&mut self.resent, "answer lost", aggregate)?;
                }
            }
            Effect::Rejected => {
                drop(self.queue.give_up(request));
                return Err(explain(&error).into());
            }
        }
        self.queue.retry(request, self.now());
        Ok(())
    }

    /// Compares the shard that stored an aggregate with the predicted one (rule R3).
    fn delivered(&mut self, aggregate: RoutedAggregate, shard_id: Box<str>) -> Result<(), Failure> {
        let user_records = aggregate.aggregate.user_records;
        match self.manager.confirm(aggregate, &shard_id) {
            Placement::Delivered => {
                self.report.delivered += user_records;
                return Ok(());
            }
            Placement::DeliveredElsewhere => self.report.delivered += user_records,
            Placement::Unknown(aggregate) => self.unknown.push((aggregate, shard_id)),
            Placement::Misplaced(aggregate) => {
                note_resent(&mut self.resent, "misplaced", &aggregate)?;
                self.report.misplaced += user_records;
                self.queue.extend(self.manager.requeue(aggregate)?);
            }
        }
        // The map is stale.
        let earliest = self.refreshed + BETWEEN_REFRESHES;
        self.refresh_at.get_or_insert(earliest.max(Instant::now()));
        Ok(())
    }

    /// Lists the shards again and routes everything pending and queued with the new map.
    async fn refresh(&mut self) -> Result<(), Failure> {
        self.report.refreshes += 1;
        self.refreshed = Instant::now();
        self.refresh_at = None;
        let map = match shard_map(&self.client, &self.stream).await {
            Ok(map) => map,
            Err(failure) => {
                // During a reshard, the listed ranges may overlap or have gaps.
                eprintln!("publisher: {failure}; retrying");
                self.refresh_at = Some(self.refreshed + BETWEEN_REFRESHES);
                return Ok(());
            }
        };
        let changed = self.manager.shard_map() != Some(&map);
        let queued = if changed { self.queue.drain() } else { Vec::new() };
        self.queue.extend(self.manager.refresh(map));
        for aggregate in queued {
            self.queue.extend(self.manager.requeue(aggregate)?);
        }
        for (aggregate, shard_id) in std::mem::take(&mut self.unknown) {
            self.delivered(aggregate, shard_id)?;
        }
        Ok(())
    }
}

async fn shard_map(client: &Client, stream: &str) -> Result<ShardMap, Failure> {
    let shards = list_shards(client, stream).await?;
    let shards: Vec<Shard<'_>> = shards.iter().map(Shard::try_from).collect::<Result<_, _>>()?;
    Ok(ShardMap::new(shards)?)
}

/// What a failed call means for its entries.
enum Effect {
    /// None was stored; a retry may succeed.
    None,
    /// Some may have been stored.
    Unclear,
    /// None was stored, and no retry can succeed.
    Rejected,
}

fn effect(error: &SdkError<PutRecordsError>) -> Effect {
    match error {
        SdkError::ConstructionFailure(_) => Effect::Rejected,
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let throttled = ["Throttl", "Exceeded", "TooManyRequests"];
            match service.err().code() {
                Some(code) if throttled.iter().any(|part| code.contains(part)) => Effect::None,
                _ if (400..500).contains(&status) => Effect::Rejected,
                _ => Effect::Unclear,
            }
        }
        SdkError::DispatchFailure(failure) if failure.is_user() => Effect::Rejected,
        _ => Effect::Unclear,
    }
}

/// Records user records that are sent again although they may have been stored.
fn note_resent(
    file: &mut Option<BufWriter<File>>,
    reason: &str,
    aggregate: &RoutedAggregate,
) -> Result<(), Failure> {
    let Some(file) = file else { return Ok(()) };
    for user in aggregate.records() {
        let line = serde_json::json!({
            "reason": reason,
            "partitionKey": user.partition_key,
            "explicitHashKey": user.explicit_hash_key,
            "data": STANDARD.encode(user.data),
        });
        writeln!(file, "{line}")?;
    }
    Ok(())
}
