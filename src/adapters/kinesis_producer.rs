//! The producer for `aws-sdk-kinesis` on tokio.
//!
//! Handles add records to the state machine directly, under a lock that is never held across an await. One task, the driver, polls
//! the state machine, sleeps until its next deadline, and sends results to those who wait for them. Every call of the SDK runs
//! in a task of its own, which reports the answer and wakes the driver. All decisions are the state machine's: a call
//! whose task is dropped or panics is one that is never answered.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::future::Future;
use core::hash::BuildHasher;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};

use ::aws_sdk_kinesis::Client;
use ::aws_sdk_kinesis::config::http::HttpResponse;
use ::aws_sdk_kinesis::config::interceptors::BeforeTransmitInterceptorContextRef;
use ::aws_sdk_kinesis::config::retry::RetryConfig;
use ::aws_sdk_kinesis::config::{self, ConfigBag, Intercept, RuntimeComponents};
use ::aws_sdk_kinesis::error::{BoxError, DisplayErrorContext, ProvideErrorMetadata, SdkError};
use ::aws_sdk_kinesis::types::{self, PutRecordsRequestEntry};
use tokio::runtime;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::produce::codes::THROUGHPUT;
use crate::produce::{
    Action, Attempts, CallFailure, CallId, ConfigError, Done, EntryAnswer, FailureKind, ListFailed, ListId,
    NotAdded, Outcome, Outstanding, ProducerConfig, ProducerStats, PutAnswer,
};
use crate::route::Shard;
use crate::{Producer, ShardMap, UserRecord};

/// Sends records to a Kinesis stream and reports what became of each.
///
/// This is a [`Producer`] that calls `aws-sdk-kinesis` from tokio tasks. Cloning it is cheap: all clones share the buffer, the
/// connections and the budget.
///
/// ```no_run
/// use std::time::Duration;
/// use kinesis_aggregation::UserRecord;
/// use kinesis_aggregation::produce::{KinesisProducer, ProducerConfig};
///
/// # async fn example(client: aws_sdk_kinesis::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let producer = KinesisProducer::start(client, "readings", ProducerConfig::default())?;
/// let delivery = producer.enqueue(UserRecord::new("device-7", "21.5")).await?;
/// let delivered = producer.send(UserRecord::new("device-8", "19")).await?;
/// println!("{} is on {}", delivered.sequence_number, delivered.shard);
/// delivery.await?;
/// assert!(producer.close(Duration::from_secs(30)).await.is_empty());
/// # Ok(())
/// # }
/// ```
///
/// The producer owns a record as soon as it is added. Futures and handles may be dropped at any time: dropping the future of
/// [`Self::send`] or a [`Delivery`] gives up the result, not the record. Dropping the last handle closes the producer without
/// waiting for it. What was added is still sent as long as the runtime lives; what is outstanding when it shuts down is
/// logged. Call [`Self::close`] to know.
///
/// Events of the crate `tracing` tell operators what happens: refused calls and failed listings, throttling, records that were
/// routed again, and what was outstanding at the end. For metrics, see [`Self::stats`].
#[derive(Clone)]
pub struct KinesisProducer {
    handle: Arc<Handle>,
}

/// Closes the producer when the last clone of a [`KinesisProducer`] is dropped.
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.begin_close();
    }
}

impl KinesisProducer {
    /// Starts a producer on the current tokio runtime, for a stream given by name or ARN.
    ///
    /// The SDK's own retries are disabled for the calls of the producer, and each call is given up shortly before
    /// [`ProducerConfig::call_timeout`]. If the seed of the configuration is 0, a random one is used.
    ///
    /// # Errors
    ///
    /// Returns which option is out of its range.
    ///
    /// # Panics
    ///
    /// Panics if there is no tokio runtime, as [`tokio::spawn`] does. [`BlockingProducer`] brings its own.
    pub fn start(
        client: Client,
        stream: impl Into<String>,
        config: ProducerConfig,
    ) -> Result<Self, ConfigError> {
        let shared = Arc::new(Shared::new(client, stream.into(), config)?);
        let driver = Driver(Arc::clone(&shared));
        let handle = Arc::new(Handle(shared));
        drop(tokio::spawn(driver.run()));
        Ok(Self { handle })
    }

    /// Sends a record, and returns once Kinesis holds it on the shard that owns it. Waits for capacity before.
    ///
    /// Awaiting each record before sending the next costs a round trip and [`ProducerConfig::linger`] per record: use
    /// [`Self::enqueue`] where many are sent by one task.
    ///
    /// # Errors
    ///
    /// Returns why the record was not delivered, and whether it may have been all the same.
    pub async fn send(&self, record: UserRecord<'_>) -> Result<Delivered, Undelivered> {
        self.enqueue(record).await?.await
    }

    /// Adds a record, and returns a future of its result. Waits for capacity before.
    ///
    /// # Errors
    ///
    /// Returns why the record was not added; never [`NotAdded::NoCapacity`].
    pub async fn enqueue(&self, record: UserRecord<'_>) -> Result<Delivery, NotAdded> {
        let shared = self.shared();
        match shared.add(record) {
            Err(NotAdded::NoCapacity) => {}
            added => return added,
        }
        loop {
            // Listens before it looks again, so that capacity freed in between is not missed.
            let mut freed = pin!(shared.capacity.notified());
            freed.as_mut().enable();
            match shared.add(record) {
                Err(NotAdded::NoCapacity) => freed.await,
                added => return added,
            }
        }
    }

    /// Adds a record if there is capacity, and returns a future of its result.
    ///
    /// # Errors
    ///
    /// Returns why the record was not added.
    pub fn try_enqueue(&self, record: UserRecord<'_>) -> Result<Delivery, NotAdded> {
        self.shared().add(record)
    }

    /// Sends what was added so far without waiting for [`ProducerConfig::linger`], and returns once every record added before has
    /// a result. Records added in the meantime do not delay it.
    pub async fn flush(&self) {
        let shared = self.shared();
        let flushed = {
            let mut state = shared.lock();
            let now = shared.now();
            if state.ended {
                return;
            }
            state.producer.flush(now);
            state.flushes.begin()
        };
        shared.work.notify_one();
        // An error means that the producer was stopped: then every record has its result.
        _ = flushed.await;
    }

    /// Refuses further records, sends what was added, and returns the records that have no result after `timeout`.
    ///
    /// The futures of the records that are returned resolve to [`Undelivered::Abandoned`]. If this future is dropped, the
    /// producer goes on until all is sent. If several handles call this, the outstanding records are returned once.
    pub async fn close(&self, timeout: Duration) -> Vec<Outstanding<()>> {
        let shared = self.shared();
        shared.begin_close();
        if tokio::time::timeout(timeout, shared.ended()).await.is_err() {
            shared.stop();
        }
        core::mem::take(&mut shared.lock().outstanding)
    }

    /// Returns what the producer has done so far.
    #[must_use]
    pub fn stats(&self) -> ProducerStats {
        self.shared().lock().producer.stats().clone()
    }

    /// Counts the records without a result.
    #[must_use]
    pub fn outstanding(&self) -> u64 {
        self.shared().lock().producer.outstanding()
    }

    /// Returns the age of the oldest record without a result. Looks at every shard, or every key.
    #[must_use]
    pub fn oldest(&self) -> Option<Duration> {
        let shared = self.shared();
        let oldest = shared.lock().producer.oldest();
        oldest.map(|added| shared.now().saturating_sub(added))
    }

    fn shared(&self) -> &Shared {
        &self.handle.0
    }
}

impl fmt::Debug for KinesisProducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.shared();
        let stream = shared.stream.arn.as_ref().or(shared.stream.name.as_ref());
        f.debug_struct("KinesisProducer")
            .field("stream", &stream.map_or("", |stream| stream))
            .field("outstanding", &self.outstanding())
            .finish_non_exhaustive()
    }
}

/// A [`KinesisProducer`] for code without async, with its own thread and tokio runtime.
///
/// ```no_run
/// use std::time::Duration;
/// use kinesis_aggregation::UserRecord;
/// use kinesis_aggregation::produce::{BlockingProducer, ProducerConfig};
///
/// # fn example(client: aws_sdk_kinesis::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let producer = BlockingProducer::start(client, "readings", ProducerConfig::default())?;
/// let delivery = producer.enqueue(UserRecord::new("device-7", "21.5"))?;
/// println!("it is on {}", delivery.wait()?.shard);
/// assert!(producer.close(Duration::from_secs(30)).is_empty());
/// # Ok(())
/// # }
/// ```
///
/// Cloning it is cheap. Dropping the last handle closes the producer and waits until all is sent, but no longer than
/// [`ProducerConfig::call_timeout`], since a program often ends right after; what is outstanding then is logged.
///
/// Its methods panic if they have to wait on a thread that runs async tasks.
#[derive(Clone, Debug)]
pub struct BlockingProducer {
    inner: Arc<Blocking>,
}

#[derive(Debug)]
struct Blocking {
    producer: KinesisProducer,
    runtime: runtime::Handle,
    /// Dropped to let the thread end once all is sent.
    running: Option<oneshot::Sender<()>>,
    /// Disconnected once the thread has ended.
    ended: Mutex<mpsc::Receiver<()>>,
}

impl BlockingProducer {
    /// Starts a producer on a thread of its own, for a stream given by name or ARN. See [`KinesisProducer::start`].
    ///
    /// # Errors
    ///
    /// Returns why there is no thread or no runtime, or a [`ConfigError`] as an error of the kind
    /// [`InvalidInput`](io::ErrorKind::InvalidInput).
    pub fn start(client: Client, stream: impl Into<String>, config: ProducerConfig) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let producer = {
            let _context = handle.enter();
            KinesisProducer::start(client, stream, config)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?
        };
        let shared = Arc::clone(&producer.handle.0);
        let (running, dropped) = oneshot::channel::<()>();
        let (alive, ended) = mpsc::channel();
        std::thread::Builder::new().name("kinesis-producer".into()).spawn(move || {
            runtime.block_on(async {
                // The runtime outlives every handle: a handle may be waiting on its timer.
                _ = dropped.await;
                shared.ended().await;
            });
            drop(alive);
        })?;
        let inner = Blocking { producer, runtime: handle, running: Some(running), ended: Mutex::new(ended) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Sends a record, and returns once Kinesis holds it on the shard that owns it. See [`KinesisProducer::send`].
    ///
    /// # Errors
    ///
    /// Returns why the record was not delivered, and whether it may have been all the same.
    pub fn send(&self, record: UserRecord<'_>) -> Result<Delivered, Undelivered> {
        self.enqueue(record)?.wait()
    }

    /// Adds a record as soon as there is capacity. See [`KinesisProducer::enqueue`].
    ///
    /// # Errors
    ///
    /// Returns why the record was not added; never [`NotAdded::NoCapacity`].
    pub fn enqueue(&self, record: UserRecord<'_>) -> Result<Delivery, NotAdded> {
        match self.try_enqueue(record) {
            Err(NotAdded::NoCapacity) => self.inner.runtime.block_on(self.inner.producer.enqueue(record)),
            added => added,
        }
    }

    /// Adds a record if there is capacity.
    ///
    /// # Errors
    ///
    /// Returns why the record was not added.
    pub fn try_enqueue(&self, record: UserRecord<'_>) -> Result<Delivery, NotAdded> {
        self.inner.producer.try_enqueue(record)
    }

    /// Returns once every record added before has a result. See [`KinesisProducer::flush`].
    pub fn flush(&self) {
        self.inner.runtime.block_on(self.inner.producer.flush());
    }

    /// Refuses further records, and returns the records that have no result after `timeout`. See [`KinesisProducer::close`].
    #[must_use = "these records were not delivered"]
    pub fn close(&self, timeout: Duration) -> Vec<Outstanding<()>> {
        self.inner.runtime.block_on(self.inner.producer.close(timeout))
    }

    /// Returns what the producer has done so far.
    #[must_use]
    pub fn stats(&self) -> ProducerStats {
        self.inner.producer.stats()
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        let shared = self.producer.shared();
        shared.begin_close();
        drop(self.running.take());
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(shared.patience) == Err(mpsc::RecvTimeoutError::Timeout) {
            shared.stop();
            log_outstanding(&shared.lock().outstanding);
        }
    }
}

/// The result of a record that was added, as a future. Dropping it does not drop the record.
#[derive(Debug)]
pub struct Delivery(oneshot::Receiver<DeliveryResult>);

type DeliveryResult = Result<Delivered, Undelivered>;

impl Delivery {
    /// Blocks the thread until there is a result.
    ///
    /// # Errors
    ///
    /// Returns why the record was not delivered, and whether it may have been all the same.
    ///
    /// # Panics
    ///
    /// Panics on a thread that runs async tasks.
    pub fn wait(self) -> Result<Delivered, Undelivered> {
        self.0.blocking_recv().unwrap_or(Err(Undelivered::UNKNOWN))
    }
}

impl Future for Delivery {
    type Output = Result<Delivered, Undelivered>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|received| received.unwrap_or(Err(Undelivered::UNKNOWN)))
    }
}

/// The position at which a record is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivered {
    /// The shard, which owns the hash key of the record.
    pub shard: Arc<str>,
    /// The sequence number of the Kinesis record.
    pub sequence_number: Arc<str>,
    /// The position of the record in the aggregate, from 0.
    pub sub_sequence_number: u64,
    /// True if another copy may be in the stream: an earlier call may have stored it without saying so.
    pub possible_duplicate: bool,
    /// The calls that the record was in.
    pub attempts: Attempts,
}

/// The reason a record was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undelivered {
    /// It was not added.
    NotAdded(NotAdded),
    /// It waited longer than [`ProducerConfig::ttl`].
    Expired {
        /// True if it may be in the stream.
        possibly_delivered: bool,
        /// The calls that it was in.
        attempts: Attempts,
    },
    /// Its shard was throttled, and [`ProducerConfig::fail_if_throttled`] is set.
    Throttled {
        /// True if it may be in the stream.
        possibly_delivered: bool,
        /// The calls that it was in.
        attempts: Attempts,
    },
    /// Kinesis does not accept it.
    Refused {
        /// The error code.
        code: Arc<str>,
        /// True if it may be in the stream.
        possibly_delivered: bool,
        /// The calls that it was in.
        attempts: Attempts,
    },
    /// The producer was closed, or its runtime shut down, before the record was delivered.
    Abandoned {
        /// True if it may be in the stream.
        possibly_delivered: bool,
    },
}

impl Undelivered {
    const UNKNOWN: Self = Self::Abandoned { possibly_delivered: true };

    /// Returns whether the record may be in the stream all the same.
    #[must_use]
    pub const fn possibly_delivered(&self) -> bool {
        match *self {
            Self::NotAdded(_) => false,
            Self::Expired { possibly_delivered, .. }
            | Self::Throttled { possibly_delivered, .. }
            | Self::Refused { possibly_delivered, .. }
            | Self::Abandoned { possibly_delivered } => possibly_delivered,
        }
    }

    /// Returns the calls that the record was in, unless it was abandoned.
    #[must_use]
    pub const fn attempts(&self) -> Option<&Attempts> {
        match self {
            Self::NotAdded(_) | Self::Abandoned { .. } => None,
            Self::Expired { attempts, .. }
            | Self::Throttled { attempts, .. }
            | Self::Refused { attempts, .. } => Some(attempts),
        }
    }
}

impl From<NotAdded> for Undelivered {
    fn from(reason: NotAdded) -> Self {
        Self::NotAdded(reason)
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAdded(reason) => return reason.fmt(f),
            Self::Expired { .. } => f.write_str("the record expired before it was delivered")?,
            Self::Throttled { .. } => {
                f.write_str("the record was given up because its shard was throttled")?
            }
            Self::Refused { code, .. } => write!(f, "Kinesis does not accept the record ({code})")?,
            Self::Abandoned { .. } => {
                f.write_str("the producer was closed before the record was delivered")?
            }
        }
        if let Some(error) = self.attempts().and_then(Attempts::last_error) {
            write!(f, ": {} {}", error.code, error.message)?;
        }
        f.write_str(if self.possibly_delivered() { "; it may be in the stream" } else { "" })
    }
}

impl Error for Undelivered {}

fn delivery_result(outcome: Outcome, attempts: Attempts) -> DeliveryResult {
    match outcome {
        Outcome::Delivered { shard, sequence_number, sub_sequence_number, possible_duplicate } => {
            Ok(Delivered { shard, sequence_number, sub_sequence_number, possible_duplicate, attempts })
        }
        Outcome::Expired { possibly_delivered } => Err(Undelivered::Expired { possibly_delivered, attempts }),
        Outcome::Throttled { possibly_delivered } => {
            Err(Undelivered::Throttled { possibly_delivered, attempts })
        }
        Outcome::Refused { code, possibly_delivered } => {
            Err(Undelivered::Refused { code, possibly_delivered, attempts })
        }
    }
}

/// The state that handles, the driver and calls share.
struct Shared {
    state: Mutex<State>,
    /// Wakes the driver.
    work: Notify,
    /// Wakes those who wait for capacity.
    capacity: Notify,
    /// Wakes those who wait for the end.
    end: Notify,
    /// The time from which the state machine counts.
    start: Instant,
    stream: Stream,
    /// The time limit of a call or a listing. It is shorter than the state machine's, so that an answer is never late.
    patience: Duration,
}

struct State {
    producer: Producer<Receipt>,
    /// When the driver polls next; zero if it is about to.
    wakes_at: Duration,
    /// True if a caller is waiting for capacity.
    starved: bool,
    flushes: Flushes,
    /// The records that were outstanding when the producer was stopped, until they are taken.
    outstanding: Vec<Outstanding<()>>,
    closed: bool,
    /// True if the producer is closed and every record has its result.
    ended: bool,
}

/// The receipt of a record, which the state machine returns with its result.
struct Receipt {
    sender: oneshot::Sender<DeliveryResult>,
    period: usize,
}

/// Which records a flush waits for. Each flush ends a period, and waits for the records of all periods up to then.
#[derive(Default)]
struct Flushes {
    /// The number of the first period.
    first: usize,
    /// Periods that were ended, and are waited for.
    ended: VecDeque<(u64, oneshot::Sender<()>)>,
    /// The records without a result that were added since.
    current: u64,
}

impl Flushes {
    fn add(&mut self) -> usize {
        self.current += 1;
        self.first + self.ended.len()
    }

    fn settle(&mut self, period: usize) {
        debug_assert!(period >= self.first, "a period is over once its records have results");
        match self.ended.get_mut(period - self.first) {
            Some((outstanding, _)) => *outstanding -= 1,
            None => self.current -= 1,
        }
    }

    fn begin(&mut self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.ended.push_back((core::mem::take(&mut self.current), sender));
        receiver
    }

    /// Takes the flushes whose records all have results.
    fn finished(&mut self) -> Vec<oneshot::Sender<()>> {
        let over = self.ended.iter().take_while(|(outstanding, _)| *outstanding == 0).count();
        self.first += over;
        self.ended.drain(..over).map(|(_, sender)| sender).collect()
    }
}

/// The most results that the driver takes at a time, so that it does not hold the lock for long.
const RESULTS: usize = 1024;

/// The next work of the driver.
struct Step {
    action: Action,
    results: Vec<Done<Receipt>>,
    flushed: Vec<oneshot::Sender<()>>,
    seen: Seen,
    /// True if there is more to do than this. If not, when there is.
    more: bool,
    deadline: Option<Duration>,
}

impl Shared {
    fn new(client: Client, stream: String, mut config: ProducerConfig) -> Result<Self, ConfigError> {
        if config.seed == 0 {
            config.seed = std::hash::RandomState::new().hash_one(&stream);
        }
        let patience = config.call_timeout - config.call_timeout / 10;
        let state = State {
            producer: Producer::new(config)?,
            wakes_at: Duration::ZERO,
            starved: false,
            flushes: Flushes::default(),
            outstanding: Vec::new(),
            closed: false,
            ended: false,
        };
        Ok(Self {
            state: Mutex::new(state),
            work: Notify::new(),
            capacity: Notify::new(),
            end: Notify::new(),
            start: Instant::now(),
            stream: Stream::new(client, stream),
            patience,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn add(&self, record: UserRecord<'_>) -> Result<Delivery, NotAdded> {
        let (sender, receiver) = oneshot::channel();
        let now = self.now();
        let mut state = self.lock();
        let State { producer, wakes_at, starved, flushes, closed, .. } = &mut *state;
        if *closed {
            return Err(NotAdded::Closed);
        }
        // Without records, idle buffers are all that the budget is used for, and `add` releases them.
        if !producer.has_capacity() && producer.outstanding() > 0 {
            *starved = true;
            return Err(NotAdded::NoCapacity);
        }
        let period = flushes.add();
        if let Err(error) = producer.add(record, Receipt { sender, period }, now) {
            flushes.settle(period);
            *starved |= error.reason == NotAdded::NoCapacity;
            return Err(error.reason);
        }
        let earlier =
            *wakes_at > Duration::ZERO && producer.next_deadline().is_some_and(|due| due < *wakes_at);
        if earlier {
            *wakes_at = Duration::ZERO;
        }
        drop(state);
        if earlier {
            self.work.notify_one();
        }
        Ok(Delivery(receiver))
    }

    fn begin_close(&self) {
        let now = self.now();
        let mut state = self.lock();
        state.closed = true;
        state.producer.close(now);
        drop(state);
        self.capacity.notify_waiters();
        self.work.notify_one();
    }

    /// Waits until the producer is closed and every record has its result.
    async fn ended(&self) {
        loop {
            let mut end = pin!(self.end.notified());
            end.as_mut().enable();
            if self.lock().ended {
                return;
            }
            end.await;
        }
    }

    /// Polls the state machine, and takes results.
    fn step(&self) -> Step {
        let now = self.now();
        let mut state = self.lock();
        let State { producer, wakes_at, starved, flushes, .. } = &mut *state;
        let mut results = Vec::new();
        let action = producer.poll(now);
        results.extend(core::iter::from_fn(|| producer.next_done()).take(RESULTS));
        for done in &results {
            flushes.settle(done.receipt.period);
        }
        if *starved && (producer.has_capacity() || producer.outstanding() == 0) {
            *starved = false;
            self.capacity.notify_waiters();
        }
        let more = results.len() == RESULTS || matches!(action, Action::Put(_) | Action::ListShards(_));
        let deadline = producer.next_deadline();
        *wakes_at = if more { Duration::ZERO } else { deadline.unwrap_or(Duration::MAX) };
        Step {
            action,
            results,
            flushed: flushes.finished(),
            seen: Seen::of(producer.stats()),
            more,
            deadline,
        }
    }

    /// Stops at once: what has no result is abandoned.
    fn stop(&self) {
        let mut state = self.lock();
        (state.closed, state.ended) = (true, true);
        let flushes = core::mem::take(&mut state.flushes);
        let mut results = Vec::new();
        while let Some(done) = state.producer.next_done() {
            results.push((done.receipt, delivery_result(done.outcome, done.attempts)));
        }
        for record in state.producer.abandon() {
            let Outstanding { receipt, partition_key, explicit_hash_key, data, tags, possibly_delivered } =
                record;
            results.push((receipt, Err(Undelivered::Abandoned { possibly_delivered })));
            let record =
                Outstanding { receipt: (), partition_key, explicit_hash_key, data, tags, possibly_delivered };
            state.outstanding.push(record);
        }
        drop(state);
        for (receipt, result) in results {
            _ = receipt.sender.send(result);
        }
        // After the results that they wait for.
        drop(flushes);
        self.capacity.notify_waiters();
        self.end.notify_waiters();
        self.work.notify_one();
    }

    async fn put(self: Arc<Self>, id: CallId) {
        // The SDK owns what it sends, so this is where data is copied.
        let entries = match self.lock().producer.call(id) {
            Some(call) => call.entries.into_iter().map(PutRecordsRequestEntry::try_from).collect(),
            None => return,
        };
        let answer = match entries {
            Ok(entries) => self.stream.put(entries, self.patience).await,
            Err(error) => Err(Failure::new(FailureKind::Denied, "request", &error)),
        };
        match answer {
            Ok(results) => {
                let answers: Vec<EntryAnswer<'_>> = results.iter().map(EntryAnswer::from).collect();
                self.on_put(id, PutAnswer::Entries(&answers));
            }
            Err(Failure { kind, code, message }) => {
                tracing::warn!(?kind, code, message, "PutRecords failed");
                self.on_put(id, PutAnswer::Failed(CallFailure { kind, code: &code, message: &message }));
            }
        }
    }

    fn on_put(&self, id: CallId, answer: PutAnswer<'_>) {
        let now = self.now();
        self.lock().producer.on_put(id, answer, now);
        self.work.notify_one();
    }

    async fn list(self: Arc<Self>, id: ListId) {
        let listed = match tokio::time::timeout(self.patience, self.stream.list()).await {
            Ok(listed) => listed,
            Err(elapsed) => Err(elapsed.into()),
        };
        let answer = listed.map_err(|error| {
            tracing::warn!(error = %DisplayErrorContext(&*error), "the shards of the stream could not be listed");
            ListFailed
        });
        let now = self.now();
        self.lock().producer.on_shards(id, answer, now);
        self.work.notify_one();
    }
}

/// The task that drives the state machine. Dropping it stops the producer: the runtime shuts down, or nothing is left to do.
struct Driver(Arc<Shared>);

impl Driver {
    async fn run(self) {
        let shared = &self.0;
        let mut report = Report::default();
        loop {
            let Step { action, results, flushed, seen, more, deadline } = shared.step();
            for Done { receipt, outcome, attempts } in results {
                if let Err(Err(undelivered)) = receipt.sender.send(delivery_result(outcome, attempts)) {
                    report.unheard(undelivered);
                }
            }
            // After the results that they wait for.
            for flush in flushed {
                _ = flush.send(());
            }
            report.update(shared.now(), seen);
            match action {
                Action::Put(id) => drop(tokio::spawn(Arc::clone(shared).put(id))),
                Action::ListShards(id) => drop(tokio::spawn(Arc::clone(shared).list(id))),
                Action::Finished if !more => return,
                Action::Idle | Action::Finished => {}
            }
            if more {
                tokio::task::yield_now().await;
                continue;
            }
            match deadline.and_then(|deadline| shared.start.checked_add(deadline)) {
                Some(deadline) => _ = tokio::time::timeout_at(deadline, shared.work.notified()).await,
                None => shared.work.notified().await,
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let closed = self.0.lock().ended;
        self.0.stop();
        // Otherwise `close` has returned them.
        if !closed {
            log_outstanding(&self.0.lock().outstanding);
        }
    }
}

fn log_outstanding(outstanding: &[Outstanding<()>]) {
    if !outstanding.is_empty() {
        let possibly_delivered = outstanding.iter().filter(|record| record.possibly_delivered).count();
        tracing::error!(
            records = outstanding.len(),
            possibly_delivered,
            "the producer was stopped before all records were delivered"
        );
    }
}

/// A stream, and how to call it.
struct Stream {
    client: Client,
    name: Option<String>,
    arn: Option<String>,
}

impl Stream {
    fn new(client: Client, stream: String) -> Self {
        let (name, arn) =
            if stream.starts_with("arn:") { (None, Some(stream)) } else { (Some(stream), None) };
        Self { client, name, arn }
    }

    async fn put(
        &self,
        entries: Vec<PutRecordsRequestEntry>,
        timeout: Duration,
    ) -> Result<Vec<types::PutRecordsResultEntry>, Failure> {
        let sent = Arc::new(AtomicBool::new(false));
        let request =
            self.client.put_records().set_stream_name(self.name.clone()).set_stream_arn(self.arn.clone());
        let request = request.set_records(Some(entries)).customize();
        let request = request.config_override(without_retries()).interceptor(SentFlag(Arc::clone(&sent)));
        let answer = tokio::time::timeout(timeout, request.send()).await;
        let sent = sent.load(Ordering::Relaxed);
        match answer {
            Ok(Ok(output)) => Ok(output.records),
            Ok(Err(error)) => Err(classify(&error, sent)),
            Err(elapsed) => {
                let kind = if sent { FailureKind::Unclear } else { FailureKind::NotSent };
                Err(Failure::new(kind, "timeout", &elapsed))
            }
        }
    }

    /// Lists all shards, closed ones included.
    async fn list(&self) -> Result<ShardMap, BoxError> {
        let mut shards = Vec::new();
        let first =
            self.client.list_shards().set_stream_name(self.name.clone()).set_stream_arn(self.arn.clone());
        let mut page = first.customize().config_override(without_retries()).send().await?;
        loop {
            shards.extend(page.shards.take().unwrap_or_default());
            let Some(token) = page.next_token.take().filter(|token| !token.is_empty()) else { break };
            // A request for another page must not name the stream.
            let next = self.client.list_shards().next_token(token);
            page = next.customize().config_override(without_retries()).send().await?;
        }
        let shards: Vec<Shard<'_>> = shards.iter().map(Shard::try_from).collect::<Result<_, _>>()?;
        Ok(ShardMap::new(shards)?)
    }
}

/// The state machine retries: it knows what may have been stored, and what else is waiting.
fn without_retries() -> config::Builder {
    config::Builder::new().retry_config(RetryConfig::disabled())
}

/// Notes that a request is handed to the HTTP client. What fails before that, such as loading credentials, was never sent.
#[derive(Debug)]
struct SentFlag(Arc<AtomicBool>);

impl Intercept for SentFlag {
    fn name(&self) -> &'static str {
        "SentFlag"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// A [`CallFailure`] that owns its texts.
#[derive(Debug)]
struct Failure {
    kind: FailureKind,
    code: String,
    message: String,
}

impl Failure {
    fn new(kind: FailureKind, code: &str, error: &dyn Error) -> Self {
        Self { kind, code: code.into(), message: explain(error) }
    }
}

/// Decides what follows from an error of the SDK. `sent` tells whether the HTTP client was given the request.
fn classify<E>(error: &SdkError<E, HttpResponse>, sent: bool) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ConstructionFailure(_) => Failure::new(FailureKind::Denied, "request", error),
        SdkError::TimeoutError(_) if !sent => Failure::new(FailureKind::NotSent, "timeout", error),
        SdkError::TimeoutError(_) => Failure::new(FailureKind::Unclear, "timeout", error),
        // No credentials, no endpoint, no HTTP client.
        SdkError::DispatchFailure(_) if !sent => Failure::new(FailureKind::Denied, "request", error),
        SdkError::DispatchFailure(failure) if failure.is_user() => {
            Failure::new(FailureKind::Denied, "request", error)
        }
        SdkError::DispatchFailure(_) if never_connected(error) => {
            Failure::new(FailureKind::NotSent, "connection", error)
        }
        SdkError::DispatchFailure(_) => Failure::new(FailureKind::Unclear, "connection", error),
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let (code, message) = (error.code().unwrap_or_default(), error.message().unwrap_or_default());
            let kind = FailureKind::of_response(status, code, message);
            let code = if code.is_empty() { format!("HTTP {status}") } else { code.into() };
            Failure { kind, code, message: message.into() }
        }
        // The service answered, but not what it had to.
        _ => Failure::new(FailureKind::Unclear, "response", error),
    }
}

/// Returns whether an error is one of connecting, so that nothing was sent.
///
/// The HTTP client of the SDK says so in texts alone; where they change, such a failure counts as unclear, which is safe.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable};
    let of_connecting =
        ["client error (Connect)", "error trying to connect", "HTTP connect timeout", "dns error"];
    sources(Some(error)).any(|error| match error.downcast_ref::<io::Error>() {
        Some(error) => {
            matches!(
                error.kind(),
                AddrNotAvailable | ConnectionRefused | HostUnreachable | NetworkUnreachable
            )
        }
        None => {
            let text = error.to_string();
            of_connecting.iter().any(|start| text.starts_with(start))
        }
    })
}

/// An error, its source, the source of that, and so on.
fn sources<'e>(
    mut next: Option<&'e (dyn Error + 'static)>,
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    core::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// Writes an error with its sources: alone, an error of the SDK says no more than "dispatch failure".
fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    for source in sources(error.source()) {
        let next = source.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
    }
    text
}

/// The part of [`ProducerStats`] that is reported to operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    throttled: u64,
    refused: u64,
    misplaced: u64,
    rerouted: u64,
    replaced: u64,
    stalled: bool,
}

impl Seen {
    fn of(stats: &ProducerStats) -> Self {
        Self {
            throttled: stats.errors.get(THROUGHPUT).copied().unwrap_or(0),
            refused: stats.refused,
            misplaced: stats.misplaced,
            rerouted: stats.rerouted,
            replaced: stats.stream_replaced,
            stalled: stats.stalled,
        }
    }
}

/// Reports to operators, at most once per interval.
#[derive(Default)]
struct Report {
    reported: Seen,
    next: Duration,
    /// Results other than success that nobody waited for, and the last one.
    unheard: u64,
    last_unheard: Option<Undelivered>,
}

const REPORT_INTERVAL: Duration = Duration::from_secs(1);

impl Report {
    fn unheard(&mut self, undelivered: Undelivered) {
        self.unheard += 1;
        self.last_unheard = Some(undelivered);
    }

    fn update(&mut self, now: Duration, seen: Seen) {
        if seen.stalled != self.reported.stalled {
            self.reported.stalled = seen.stalled;
            if seen.stalled {
                tracing::error!("PutRecords has been denied for a long time; all records are kept");
            } else {
                tracing::info!("PutRecords is not denied any more");
            }
        }
        if now < self.next || (seen == self.reported && self.unheard == 0) {
            return;
        }
        self.next = now.saturating_add(REPORT_INTERVAL);
        let last = core::mem::replace(&mut self.reported, seen);
        if seen.throttled > last.throttled {
            tracing::warn!(entries = seen.throttled - last.throttled, "shards were throttled");
        }
        if seen.refused > last.refused {
            tracing::warn!(records = seen.refused - last.refused, "Kinesis does not accept records");
        }
        if seen.rerouted > last.rerouted {
            tracing::info!(
                records = seen.rerouted - last.rerouted,
                "records were routed again after a reshard"
            );
        }
        if seen.misplaced > last.misplaced {
            let records = seen.misplaced - last.misplaced;
            tracing::info!(records, "shards took records that they do not own; they are sent again");
        }
        if seen.replaced > last.replaced {
            tracing::warn!("the stream was replaced by another one of the same name");
        }
        if let Some(error) = self.last_unheard.take() {
            let records = core::mem::take(&mut self.unheard);
            tracing::error!(records, %error, "records were not delivered, and nobody waited for their results");
        }
    }
}

#[cfg(test)]
mod tests {
    use ::aws_sdk_kinesis::error::ConnectorError;
    use ::aws_sdk_kinesis::operation::put_records::PutRecordsError;
    use alloc::boxed::Box;

    use aws_smithy_runtime_api::http::StatusCode;

    use super::*;

    #[test]
    fn errors_of_the_sdk() {
        type PutError = SdkError<PutRecordsError, HttpResponse>;
        #[derive(Debug)]
        struct Wrapped(&'static str, io::ErrorKind);
        impl fmt::Display for Wrapped {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0)
            }
        }
        impl Error for Wrapped {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                // As hyper's errors: the cause is a source, not part of the text.
                Some(Box::leak(Box::new(io::Error::from(self.1))))
            }
        }
        let io = |kind: io::ErrorKind| ConnectorError::io(io::Error::from(kind).into());
        let wrapped = |text, kind| ConnectorError::io(Wrapped(text, kind).into());
        let response = || HttpResponse::new(StatusCode::try_from(200).unwrap(), "{".into());
        use FailureKind::{Denied, NotSent, Unclear};
        use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, Other, TimedOut};
        let rows: [(PutError, bool, FailureKind, &str); 13] = [
            (SdkError::construction_failure("no stream"), false, Denied, "request"),
            (SdkError::timeout_error("credentials"), false, NotSent, "timeout"),
            (SdkError::timeout_error("attempt"), true, Unclear, "timeout"),
            (
                SdkError::dispatch_failure(ConnectorError::other("no credentials".into(), None)),
                false,
                Denied,
                "request",
            ),
            (SdkError::dispatch_failure(ConnectorError::user("bad URI".into())), true, Denied, "request"),
            (SdkError::dispatch_failure(io(ConnectionRefused)), true, NotSent, "connection"),
            (SdkError::dispatch_failure(io(ConnectionReset)), true, Unclear, "connection"),
            (
                SdkError::dispatch_failure(wrapped("client error (Connect)", Other)),
                true,
                NotSent,
                "connection",
            ),
            (
                SdkError::dispatch_failure(wrapped("client error (SendRequest)", BrokenPipe)),
                true,
                Unclear,
                "connection",
            ),
            (
                SdkError::dispatch_failure(ConnectorError::timeout(
                    Wrapped("HTTP connect timeout occurred after 3.1s", TimedOut).into(),
                )),
                true,
                NotSent,
                "connection",
            ),
            (SdkError::dispatch_failure(ConnectorError::timeout("read".into())), true, Unclear, "connection"),
            (
                SdkError::dispatch_failure(ConnectorError::other("?".into(), None)),
                true,
                Unclear,
                "connection",
            ),
            (SdkError::response_error("no JSON", response()), true, Unclear, "response"),
        ];
        for (error, sent, kind, code) in rows {
            let failure = classify(&error, sent);
            assert_eq!((failure.kind, &*failure.code), (kind, code), "{error:?}");
            assert!(failure.message.starts_with(&error.to_string()), "{}", failure.message);
        }
    }

    #[test]
    fn a_flush_waits_for_its_periods() {
        let mut flushes = Flushes::default();
        let (a, b) = (flushes.add(), flushes.add());
        let mut first = flushes.begin();
        let mut second = flushes.begin();
        let c = flushes.add();
        let mut third = flushes.begin();
        let d = flushes.add();
        assert_eq!([a, b, c, d], [0, 0, 2, 3]);
        flushes.settle(c);
        flushes.settle(d);
        flushes.settle(b);
        assert!(flushes.finished().is_empty());
        flushes.settle(a);
        flushes.finished().into_iter().for_each(|flush| flush.send(()).unwrap());
        for flush in [&mut first, &mut second, &mut third] {
            assert_eq!(flush.try_recv(), Ok(()));
        }
        assert_eq!(flushes.add(), 3);
    }
}
