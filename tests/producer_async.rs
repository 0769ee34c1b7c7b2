//! `KinesisProducer` and `BlockingProducer`, with the SDK's client, against a stand-in for Kinesis inside its HTTP client.
//!
//! The clock is tokio's, paused: it moves on when every task waits. What the state machine does in which order is tested
//! elsewhere; here it is that its driver tells it everything, and loses nothing.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic fails the test, as it should")]

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::http::{HttpRequest, HttpResponse};
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, HttpClient, Region, RuntimeComponents};
use aws_sdk_kinesis::error::ConnectorError;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kinesis_aggregation::produce::{
    BlockingProducer, ConfigError, Delivered, Delivery, KinesisProducer, NotAdded, ProducerConfig,
    Undelivered,
};
use kinesis_aggregation::route::HashKey;
use kinesis_aggregation::{UserRecord, deaggregate};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// The outcome of a PutRecords call.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Every entry fails with this code.
    Entries(&'static str),
    /// The call is answered with a status and an error code.
    Status(u16, &'static str),
    /// There is no connection.
    Refused,
    /// The connection is lost after all was stored.
    Lost,
    /// All is stored, and never answered.
    Silence,
}

/// A stream, and what was asked of it.
#[derive(Debug, Default)]
struct Service {
    /// Ids, ranges and whether they are closed.
    shards: Vec<(&'static str, u128, u128, bool)>,
    /// The data of user records, by shard, in order.
    stored: BTreeMap<&'static str, Vec<String>>,
    sequence_number: u64,
    faults: VecDeque<Fault>,
    listing_faults: VecDeque<Fault>,
    /// Calls with this in their data are rejected.
    poison: Option<&'static str>,
    /// The number of shards in a page of ListShards.
    page: usize,
    round_trip: Duration,
    /// The members of each request but for the records.
    puts: Vec<Value>,
    listings: Vec<Value>,
}

#[derive(Clone, Debug)]
struct Kinesis(Arc<Mutex<Service>>);

const MIDDLE: u128 = 1 << 127;

impl Kinesis {
    /// A stream of two shards, split at the middle from one that is closed.
    fn new() -> Self {
        let shards = vec![
            ("shardId-0", 0, u128::MAX, true),
            ("shardId-1", 0, MIDDLE - 1, false),
            ("shardId-2", MIDDLE, u128::MAX, false),
        ];
        let round_trip = Duration::from_millis(20);
        Self(Arc::new(Mutex::new(Service { shards, page: 1000, round_trip, ..Service::default() })))
    }

    fn with_faults(faults: impl IntoIterator<Item = Fault>) -> Self {
        let kinesis = Self::new();
        kinesis.service().faults.extend(faults);
        kinesis
    }

    fn service(&self) -> MutexGuard<'_, Service> {
        self.0.lock().unwrap()
    }

    /// A client that would retry, if it were asked to.
    fn client(&self) -> Client {
        let config = aws_sdk_kinesis::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .retry_config(RetryConfig::standard().with_max_attempts(10))
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .http_client(self.clone());
        Client::from_conf(config.build())
    }

    fn start(&self, config: ProducerConfig) -> KinesisProducer {
        KinesisProducer::start(self.client(), "readings", config).unwrap()
    }

    /// The data of all user records that were stored, sorted.
    fn stored(&self) -> Vec<String> {
        let mut stored: Vec<String> = self.service().stored.values().flatten().cloned().collect();
        stored.sort_unstable();
        stored
    }
}

impl Service {
    fn put_records(&mut self, request: &Value) -> Value {
        let mut results = Vec::new();
        for entry in request["Records"].as_array().unwrap() {
            let key = match entry["ExplicitHashKey"].as_str() {
                Some(key) => key.parse().unwrap(),
                None => HashKey::of_partition_key(entry["PartitionKey"].as_str().unwrap()),
            };
            let owner = |&&(_, start, end, closed): &&(&str, u128, u128, bool)| {
                !closed && (start..=end).contains(&key.get())
            };
            let shard = self.shards.iter().find(owner).unwrap().0;
            let data = STANDARD.decode(entry["Data"].as_str().unwrap()).unwrap();
            let stored = self.stored.entry(shard).or_default();
            stored.extend(deaggregate(&data).map(|record| String::from_utf8(record.data.to_vec()).unwrap()));
            self.sequence_number += 1;
            results.push(json!({ "ShardId": shard, "SequenceNumber": self.sequence_number.to_string() }));
        }
        json!({ "FailedRecordCount": 0, "Records": results })
    }

    fn list_shards(&self, request: &Value) -> Value {
        let start: usize = request["NextToken"].as_str().map_or(0, |token| token.parse().unwrap());
        let end = self.shards.len().min(start + self.page);
        let shards = self.shards[start..end].iter().map(|&(id, first, last, closed)| {
            let mut numbers = json!({ "StartingSequenceNumber": "0" });
            if closed {
                numbers["EndingSequenceNumber"] = json!("9");
            }
            json!({
                "ShardId": id,
                "HashKeyRange": { "StartingHashKey": first.to_string(), "EndingHashKey": last.to_string() },
                "SequenceNumberRange": numbers,
            })
        });
        let mut answer = json!({ "Shards": shards.collect::<Vec<_>>() });
        if end < self.shards.len() {
            answer["NextToken"] = json!(end.to_string());
        }
        answer
    }

    fn contains_poison(&self, request: &Value) -> bool {
        let Some(poison) = self.poison else { return false };
        request["Records"].as_array().unwrap().iter().any(|entry| {
            let data = STANDARD.decode(entry["Data"].as_str().unwrap()).unwrap();
            deaggregate(&data).any(|record| record.data == poison.as_bytes())
        })
    }

    /// Responds to a request, or fails it, or never does either.
    fn answer(&mut self, target: &str, request: &Value) -> Option<Result<(u16, Value), ConnectorError>> {
        let listing = target.ends_with("ListShards");
        let faults = if listing { &mut self.listing_faults } else { &mut self.faults };
        let mut summary = request.clone();
        summary.as_object_mut().unwrap().remove("Records");
        if listing {
            self.listings.push(summary)
        } else {
            self.puts.push(summary)
        }
        let fault = match faults.pop_front() {
            None if !listing && self.contains_poison(request) => {
                Some(Fault::Status(400, "ValidationException"))
            }
            fault => fault,
        };
        let answer = match fault {
            None if listing => self.list_shards(request),
            None => self.put_records(request),
            Some(Fault::Entries(code)) => {
                let failed = json!({ "ErrorCode": code, "ErrorMessage": "not now" });
                let count = request["Records"].as_array().unwrap().len();
                json!({ "FailedRecordCount": count, "Records": vec![failed; count] })
            }
            Some(Fault::Status(status, code)) => {
                return Some(Ok((status, json!({ "__type": code, "message": "no" }))));
            }
            Some(Fault::Refused) => {
                return Some(Err(ConnectorError::io(
                    io::Error::from(io::ErrorKind::ConnectionRefused).into(),
                )));
            }
            Some(Fault::Lost) => {
                self.put_records(request);
                return Some(Err(ConnectorError::io(io::Error::from(io::ErrorKind::ConnectionReset).into())));
            }
            Some(Fault::Silence) => {
                self.put_records(request);
                return None;
            }
        };
        Some(Ok((200, answer)))
    }
}

impl HttpConnector for Kinesis {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap().to_owned();
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let mut service = self.service();
        let round_trip = service.round_trip;
        let answer = service.answer(&target, &body);
        HttpConnectorFuture::new(async move {
            sleep(round_trip).await;
            let Some(answer) = answer else { return core::future::pending().await };
            let (status, body) = answer?;
            Ok(HttpResponse::new(StatusCode::try_from(status).unwrap(), body.to_string().into()))
        })
    }
}

impl HttpClient for Kinesis {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// Nothing is sent before a flush.
fn patient() -> ProducerConfig {
    let mut config = ProducerConfig::default();
    config.linger = Duration::from_secs(3600);
    config
}

async fn enqueue(producer: &KinesisProducer, records: impl IntoIterator<Item = usize>) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    for number in records {
        let (key, data) = (format!("key-{}", number % 50), format!("{number:06}"));
        deliveries.push(producer.enqueue(UserRecord::new(&key, &data)).await.unwrap());
    }
    deliveries
}

fn expected(records: impl IntoIterator<Item = usize>) -> Vec<String> {
    records.into_iter().map(|number| format!("{number:06}")).collect()
}

#[tokio::test(start_paused = true)]
async fn send_returns_where_the_record_is() {
    let kinesis = Kinesis::new();
    let producer = kinesis.start(ProducerConfig::default());
    for key in ["a", "b", "c", "d", "e"] {
        let Delivered { shard, sub_sequence_number, possible_duplicate, attempts, .. } =
            producer.send(UserRecord::new(key, key)).await.unwrap();
        let owner = if HashKey::of_partition_key(key).get() < MIDDLE { "shardId-1" } else { "shardId-2" };
        assert_eq!((&*shard, sub_sequence_number, possible_duplicate), (owner, 0, false), "{key}");
        assert_eq!(attempts.count(), 1, "{key}");
    }
    assert_eq!(kinesis.stored(), ["a", "b", "c", "d", "e"]);
    let stats = producer.stats();
    assert_eq!((stats.added, stats.delivered, stats.calls, stats.listings), (5, 5, 5, 1));
    assert_eq!((producer.outstanding(), producer.oldest()), (0, None));
    assert!(producer.close(Duration::ZERO).await.is_empty());
    assert_eq!(producer.stats().delivered, 5);
}

#[tokio::test(start_paused = true)]
async fn records_share_aggregates_and_calls() {
    let kinesis = Kinesis::new();
    let producer = kinesis.start(ProducerConfig::default());
    let deliveries = enqueue(&producer, 0..1000).await;
    assert_eq!(producer.oldest().map(|age| age < Duration::from_secs(1)), Some(true));
    for (number, delivery) in deliveries.into_iter().enumerate() {
        assert!(delivery.await.is_ok(), "{number}");
    }
    assert_eq!(kinesis.stored(), expected(0..1000));
    assert_eq!(producer.stats().calls, 1);
    assert_eq!(producer.stats().entries_delivered, 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_be_given_by_its_arn() {
    let kinesis = Kinesis::new();
    let arn = "arn:aws:kinesis:us-east-1:123456789012:stream/readings";
    let producer = KinesisProducer::start(kinesis.client(), arn, ProducerConfig::default()).unwrap();
    producer.send(UserRecord::new("a", "a")).await.unwrap();
    assert_eq!(kinesis.service().puts, [json!({ "StreamARN": arn })]);
    assert_eq!(kinesis.service().listings, [json!({ "StreamARN": arn })]);
}

#[tokio::test(start_paused = true)]
async fn listings_have_pages_and_may_fail() {
    let kinesis = Kinesis::new();
    kinesis.service().page = 2;
    kinesis.service().listing_faults.push_back(Fault::Status(400, "LimitExceededException"));
    let producer = kinesis.start(ProducerConfig::default());
    let deliveries = enqueue(&producer, 0..100).await;
    for delivery in deliveries {
        assert!(!delivery.await.unwrap().possible_duplicate);
    }
    let stats = producer.stats();
    assert_eq!((stats.listings, stats.failed_listings), (2, 1));
    let stream = json!({ "StreamName": "readings" });
    assert_eq!(kinesis.service().listings, [stream.clone(), stream, json!({ "NextToken": "2" })]);
    assert_eq!(kinesis.service().stored.keys().collect::<Vec<_>>(), [&"shardId-1", &"shardId-2"]);
}

#[tokio::test(start_paused = true)]
async fn enqueue_waits_for_capacity() {
    let kinesis = Kinesis::new();
    kinesis.service().round_trip = Duration::from_secs(1);
    let mut config = ProducerConfig::default();
    config.budget = 400_000;
    let producer = kinesis.start(config);
    let data = "x".repeat(1000);
    let mut tried = 0;
    let refused = loop {
        match producer.try_enqueue(UserRecord::new("key", &data)) {
            Ok(_) => tried += 1,
            Err(reason) => break reason,
        }
    };
    assert_eq!(refused, NotAdded::NoCapacity);
    assert!((100..=400).contains(&tried), "{tried} records of 1,000 bytes");
    // Several tasks wait, and each comes to its turn.
    let began = Instant::now();
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (producer, data) = (producer.clone(), data.clone());
            tokio::spawn(async move {
                for _ in 0..250 {
                    drop(producer.enqueue(UserRecord::new("key", &data)).await.unwrap());
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(began.elapsed() > Duration::from_secs(1), "{:?}", began.elapsed());
    producer.flush().await;
    assert_eq!(kinesis.stored().len(), tried + 1000);
    let large = "x".repeat(500_000);
    assert_eq!(producer.enqueue(UserRecord::new("key", &large)).await.unwrap_err(), NotAdded::AboveBudget);
}

#[tokio::test(start_paused = true)]
async fn records_that_cannot_be_sent_are_returned_at_once() {
    let producer = Kinesis::new().start(ProducerConfig::default());
    let error = producer.send(UserRecord::new("", "data")).await.unwrap_err();
    assert!(matches!(error, Undelivered::NotAdded(NotAdded::Invalid(_))), "{error}");
    assert!(!error.possibly_delivered() && error.attempts().is_none());
    let mut config = ProducerConfig::default();
    config.max_calls = 0;
    let started = KinesisProducer::start(Kinesis::new().client(), "readings", config);
    assert_eq!(started.unwrap_err(), ConfigError::MaxCalls);
}

#[tokio::test(start_paused = true)]
async fn flush_waits_for_what_was_added_before() {
    let kinesis = Kinesis::new();
    let producer = kinesis.start(patient());
    producer.flush().await;
    // So that the shards are known: records that wait for them are routed together.
    drop(enqueue(&producer, [200]).await);
    producer.flush().await;
    let before = enqueue(&producer, 0..100).await;
    let began = Instant::now();
    let flush = {
        let producer = producer.clone();
        tokio::spawn(async move { producer.flush().await })
    };
    sleep(Duration::from_millis(1)).await;
    // Not flushed, and not waited for.
    let after = enqueue(&producer, 100..200).await;
    flush.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for mut delivery in before {
        let polled = poll_once(&mut delivery);
        assert!(polled.is_some_and(|result| result.is_ok()), "a result without waiting");
    }
    assert_eq!(producer.outstanding(), 100);
    let (first, second) = (producer.clone(), producer.clone());
    let flushes =
        [tokio::spawn(async move { first.flush().await }), tokio::spawn(async move { second.flush().await })];
    for flush in flushes {
        flush.await.unwrap();
    }
    assert_eq!((kinesis.stored(), producer.outstanding()), (expected(0..201), 0));
    drop(after);
}

/// Polls a future once.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    match Pin::new(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[tokio::test(start_paused = true)]
async fn close_returns_what_is_outstanding() {
    let kinesis = Kinesis::with_faults([Fault::Silence, Fault::Silence]);
    let producer = kinesis.start(ProducerConfig::default());
    let record = UserRecord::new("key", "sent").with_explicit_hash_key("7");
    let sent = producer.enqueue(record).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    // Waits behind the first, which is in flight.
    let waiting = producer.enqueue(record).await.unwrap();
    let began = Instant::now();
    let outstanding = producer.close(Duration::from_secs(5)).await;
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    let seen: Vec<_> = outstanding
        .iter()
        .map(|record| {
            let key = record.explicit_hash_key.as_deref();
            (&*record.partition_key, key, &*record.data, record.possibly_delivered)
        })
        .collect();
    assert_eq!(seen, [("key", Some("7"), &b"sent"[..], true), ("key", Some("7"), b"sent", false)]);
    assert_eq!(sent.await.unwrap_err(), Undelivered::Abandoned { possibly_delivered: true });
    assert_eq!(waiting.await.unwrap_err(), Undelivered::Abandoned { possibly_delivered: false });
    assert_eq!(producer.enqueue(record).await.unwrap_err(), NotAdded::Closed);
    assert!(producer.close(Duration::from_secs(5)).await.is_empty());
    producer.flush().await;
    assert_eq!((producer.stats().added, producer.stats().abandoned, producer.outstanding()), (2, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn close_sends_everything_first() {
    let kinesis = Kinesis::new();
    let producer = kinesis.start(patient());
    let deliveries = enqueue(&producer, 0..1000).await;
    let other = producer.clone();
    let closing = tokio::spawn(async move { other.close(Duration::from_secs(60)).await });
    assert!(producer.close(Duration::from_secs(60)).await.is_empty());
    assert!(closing.await.unwrap().is_empty());
    assert_eq!(kinesis.stored(), expected(0..1000));
    for delivery in deliveries {
        assert!(delivery.await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn closing_ends_the_wait_for_capacity() {
    let kinesis = Kinesis::with_faults([Fault::Silence; 100]);
    let mut config = ProducerConfig::default();
    config.budget = 100_000;
    let producer = kinesis.start(config);
    let data = "x".repeat(1000);
    while producer.try_enqueue(UserRecord::new("key", &data)).is_ok() {}
    let waiting = {
        let producer = producer.clone();
        tokio::spawn(async move { producer.send(UserRecord::new("key", "late")).await })
    };
    tokio::task::yield_now().await;
    assert!(!producer.close(Duration::from_secs(1)).await.is_empty());
    assert_eq!(waiting.await.unwrap().unwrap_err(), Undelivered::NotAdded(NotAdded::Closed));
}

#[tokio::test(start_paused = true)]
async fn dropped_futures_and_handles_lose_nothing() {
    let kinesis = Kinesis::new();
    let producer = kinesis.start(ProducerConfig::default());
    drop(enqueue(&producer, 0..10).await);
    for number in 10..20 {
        let producer = producer.clone();
        let task = tokio::spawn(async move {
            let (key, data) = (format!("key-{number}"), format!("{number:06}"));
            producer.send(UserRecord::new(&key, &data)).await
        });
        // Cancelled at different times: while it waits, while its call is in flight.
        sleep(Duration::from_millis(number * 7)).await;
        task.abort();
    }
    // A flush and a close that are dropped have begun all the same.
    assert!(
        tokio::time::timeout(Duration::ZERO, producer.flush()).await.is_err() || producer.outstanding() == 0
    );
    let last = enqueue(&producer, 20..30).await;
    assert!(tokio::time::timeout(Duration::ZERO, producer.close(Duration::MAX / 4)).await.is_err());
    drop(producer);
    for delivery in last {
        assert!(delivery.await.is_ok());
    }
    assert_eq!(kinesis.stored(), expected(0..30));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_sends_what_was_added() {
    let kinesis = Kinesis::new();
    let producer = kinesis.start(patient());
    let clone = producer.clone();
    drop(enqueue(&producer, 0..10).await);
    drop(producer);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(kinesis.stored(), [""; 0], "a handle is left");
    drop(clone);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(kinesis.stored(), expected(0..10));
}

#[test]
fn a_runtime_that_shuts_down_leaves_the_records_to_their_owner() {
    let kinesis = Kinesis::with_faults([Fault::Silence]);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let (producer, delivery) = first.block_on(async {
        let producer = kinesis.start(ProducerConfig::default());
        let delivery = producer.enqueue(UserRecord::new("key", "data")).await.unwrap();
        while kinesis.service().puts.is_empty() {
            sleep(Duration::from_millis(1)).await;
        }
        (producer, delivery)
    });
    drop(first);
    assert_eq!(delivery.wait().unwrap_err(), Undelivered::Abandoned { possibly_delivered: true });
    assert_eq!(producer.try_enqueue(UserRecord::new("key", "data")).unwrap_err(), NotAdded::Closed);
    let outstanding = runtime().block_on(producer.close(Duration::from_secs(1)));
    assert_eq!(outstanding.iter().map(|record| &*record.data).collect::<Vec<_>>(), [b"data"]);
}

/// Each fault, the code of the attempt that met it, and whether the record may be there twice.
#[tokio::test(start_paused = true)]
async fn calls_that_fail_are_retried() {
    const THROUGHPUT: &str = "ProvisionedThroughputExceededException";
    let rows = [
        (Fault::Entries(THROUGHPUT), THROUGHPUT, false),
        (Fault::Entries("InternalFailure"), "InternalFailure", false),
        (Fault::Status(400, THROUGHPUT), THROUGHPUT, false),
        (Fault::Status(400, "KMSThrottlingException"), "KMSThrottlingException", false),
        (Fault::Status(400, "AccessDeniedException"), "AccessDeniedException", false),
        (Fault::Status(400, "ExpiredTokenException"), "ExpiredTokenException", false),
        (Fault::Status(400, "SomethingNew"), "SomethingNew", false),
        (Fault::Status(503, "ServiceUnavailable"), "ServiceUnavailable", false),
        (Fault::Status(500, "InternalFailure"), "InternalFailure", true),
        (Fault::Refused, "connection", false),
        (Fault::Lost, "connection", true),
        (Fault::Silence, "timeout", true),
    ];
    for (fault, code, possible_duplicate) in rows {
        let kinesis = Kinesis::with_faults([fault, fault]);
        let producer = kinesis.start(ProducerConfig::default());
        let delivered = producer.send(UserRecord::new("key", "data")).await.unwrap();
        let codes: Vec<_> = delivered
            .attempts
            .recent()
            .iter()
            .map(|attempt| attempt.error.as_ref().map(|error| &*error.code))
            .collect();
        assert_eq!(codes, [Some(code), Some(code), None], "{fault:?}");
        assert_eq!(delivered.possible_duplicate, possible_duplicate, "{fault:?}");
        // The SDK did not retry by itself.
        assert_eq!(kinesis.service().puts.len(), 3, "{fault:?}");
        let copies = if matches!(fault, Fault::Lost | Fault::Silence) { 3 } else { 1 };
        assert_eq!(kinesis.stored().len(), copies, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_rejected_holds_up_no_other() {
    let kinesis = Kinesis::new();
    kinesis.service().poison = Some("000042");
    let producer = kinesis.start(ProducerConfig::default());
    let deliveries = enqueue(&producer, 0..100).await;
    for (number, delivery) in deliveries.into_iter().enumerate() {
        match delivery.await {
            Ok(_) => assert_ne!(number, 42),
            Err(error) => {
                assert_eq!(number, 42, "{error}");
                assert!(
                    matches!(&error, Undelivered::Refused { code, .. } if &**code == "ValidationException")
                );
                assert!(!error.possibly_delivered());
                assert!(error.attempts().is_some_and(|attempts| attempts.count() > 1));
                let text = "Kinesis does not accept the record (ValidationException): ValidationException no";
                assert_eq!(error.to_string(), text);
            }
        }
    }
    assert_eq!(kinesis.stored(), expected((0..100).filter(|&number| number != 42)));
}

#[tokio::test(start_paused = true)]
async fn without_credentials_nothing_is_sent_and_all_is_kept() {
    let kinesis = Kinesis::new();
    let config = aws_sdk_kinesis::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .http_client(kinesis.clone());
    let mut options = ProducerConfig::default();
    options.routing = kinesis_aggregation::produce::Routing::ByKey;
    let producer = KinesisProducer::start(Client::from_conf(config.build()), "readings", options).unwrap();
    let delivery = producer.enqueue(UserRecord::new("key", "data")).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    let stats = producer.stats();
    assert!(stats.stalled, "{stats:?}");
    assert!(stats.errors.keys().all(|code| &**code == "request"), "{:?}", stats.errors);
    let outstanding = producer.close(Duration::from_secs(1)).await;
    assert_eq!(outstanding.iter().map(|record| record.possibly_delivered).collect::<Vec<_>>(), [false]);
    assert_eq!(delivery.await.unwrap_err(), Undelivered::Abandoned { possibly_delivered: false });
    assert!(kinesis.service().puts.is_empty());
}

/// A `linger` of zero, for tests on the real clock.
fn prompt() -> ProducerConfig {
    let mut config = ProducerConfig::default();
    config.linger = Duration::ZERO;
    config
}

#[test]
fn blocking_producers_need_no_runtime() {
    let kinesis = Kinesis::new();
    let producer = BlockingProducer::start(kinesis.client(), "readings", prompt()).unwrap();
    let delivered = producer.send(UserRecord::new("a", "000000")).unwrap();
    assert_eq!(&*delivered.shard, "shardId-1");
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let producer = producer.clone();
            std::thread::spawn(move || {
                let first = 1 + thread * 100;
                for number in first..first + 100 {
                    drop(producer.enqueue(UserRecord::new("key", &format!("{number:06}"))).unwrap());
                }
                producer.flush();
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(kinesis.stored(), expected(0..401));
    assert_eq!(producer.stats().delivered, 401);
    assert!(producer.close(Duration::from_secs(10)).is_empty());
    assert_eq!(producer.enqueue(UserRecord::new("a", "late")).unwrap_err(), NotAdded::Closed);
    drop(producer);

    let mut config = prompt();
    config.shard_rate = 0;
    let error = BlockingProducer::start(kinesis.client(), "readings", config).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (io::ErrorKind::InvalidInput, ConfigError::ShardRate.to_string())
    );
}

#[test]
fn blocking_producers_wait_for_capacity() {
    let kinesis = Kinesis::new();
    let mut config = prompt();
    config.budget = 100_000;
    let producer = BlockingProducer::start(kinesis.client(), "readings", config).unwrap();
    let data = "x".repeat(1000);
    for number in 0..500 {
        assert!(producer.enqueue(UserRecord::new("key", &data)).is_ok(), "{number}");
    }
    assert!(producer.close(Duration::from_secs(30)).is_empty());
    assert_eq!(kinesis.stored().len(), 500);
}

#[test]
fn dropping_a_blocking_producer_waits_for_what_was_added() {
    let kinesis = Kinesis::new();
    let producer = BlockingProducer::start(kinesis.client(), "readings", patient()).unwrap();
    for number in 0..10 {
        drop(producer.enqueue(UserRecord::new("key", &format!("{number:06}"))).unwrap());
    }
    drop(producer);
    assert_eq!(kinesis.stored(), expected(0..10));

    // But not forever.
    let kinesis = Kinesis::with_faults([Fault::Silence; 10]);
    let mut config = prompt();
    config.call_timeout = Duration::from_millis(200);
    let producer = BlockingProducer::start(kinesis.client(), "readings", config).unwrap();
    let delivery = producer.enqueue(UserRecord::new("key", "data")).unwrap();
    drop(producer);
    assert_eq!(delivery.wait().unwrap_err(), Undelivered::Abandoned { possibly_delivered: true });
}
