//! Passing aggregates to a callback on a worker thread.

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::any::Any;
use core::fmt;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::panic::catch_unwind;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::error::EncodeError;
use crate::message::UserRecord;
use crate::{Aggregate, RecordAggregator};

/// A [`RecordAggregator`] that passes every aggregate to a callback on a worker thread, in order.
///
/// Full aggregates are queued, and adding waits while the queue is full. A callback must therefore not wait for the thread
/// that adds; if it has to, use [`Self::try_add`], which never waits.
///
/// When the callback panics, it is not called again. [`Self::finish`] returns the panic and every aggregate that the
/// callback was not given. Dropping also passes on what is pending and waits for the
/// worker, but discards the panic and those aggregates.
///
/// ```
/// use kinesis_aggregation::{Limits, RecordAggregator, UserRecord};
///
/// let mut aggregator = RecordAggregator::new(Limits::default())
///     .on_complete_in_background(4, |full| println!("send {} bytes", full.data.len()))?;
/// aggregator.add(UserRecord::new("device-7", "21.5"))?;
/// aggregator.finish()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct BackgroundAggregator {
    aggregator: RecordAggregator,
    /// An aggregate that [`Self::try_add`] found no room for in the queue. It goes first.
    held: Option<Aggregate>,
    /// Present until the worker is told to end.
    queue: Option<SyncSender<Aggregate>>,
    worker: Option<JoinHandle<Result<(), WorkerPanic>>>,
    /// True if the callback has panicked.
    stopped: Arc<AtomicBool>,
}

/// The largest queue. The standard library allocates all of it immediately.
const MAX_QUEUE: usize = 4096;

impl BackgroundAggregator {
    pub(crate) fn spawn(
        aggregator: RecordAggregator,
        queue: usize,
        callback: impl FnMut(Aggregate) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(queue.min(MAX_QUEUE));
        let stopped = Arc::new(AtomicBool::new(false));
        let worker = thread::Builder::new().name("kinesis-aggregation".into()).spawn({
            let stopped = Arc::clone(&stopped);
            move || work(&receiver, callback, &stopped)
        })?;
        Ok(Self { aggregator, held: None, queue: Some(sender), worker: Some(worker), stopped })
    }

    /// Adds a user record, as [`RecordAggregator::add`]. A full aggregate is queued; waits while the queue is full.
    ///
    /// # Errors
    ///
    /// [`AddError::WorkerStopped`] if the callback has panicked, [`AddError::Encode`] if [`RecordAggregator::add`] refuses
    /// the user record. Nothing has changed then.
    pub fn add(&mut self, record: UserRecord<'_>) -> Result<(), AddError> {
        self.add_with(&record, None)
    }

    /// Adds a user record, as [`RecordAggregator::add_at`]. A full aggregate is queued; waits while the queue is full.
    ///
    /// # Errors
    ///
    /// Same as [`Self::add`].
    pub fn add_at(&mut self, record: UserRecord<'_>, now: Duration) -> Result<(), AddError> {
        self.add_with(&record, Some(now))
    }

    /// Adds a user record, as [`Self::add`], but never waits.
    ///
    /// # Errors
    ///
    /// [`AddError::QueueFull`] if the queue has no capacity for the previous aggregate; otherwise the same as [`Self::add`]. Nothing
    /// has changed then.
    pub fn try_add(&mut self, record: UserRecord<'_>) -> Result<(), AddError> {
        self.try_add_with(&record, None)
    }

    /// Adds a user record, as [`Self::add_at`], but never waits.
    ///
    /// # Errors
    ///
    /// Same as [`Self::try_add`].
    pub fn try_add_at(&mut self, record: UserRecord<'_>, now: Duration) -> Result<(), AddError> {
        self.try_add_with(&record, Some(now))
    }

    fn add_with(&mut self, record: &UserRecord<'_>, now: Option<Duration>) -> Result<(), AddError> {
        self.check_worker()?;
        let full = self.aggregator.add_with(record, now).map_err(AddError::Encode)?;
        self.send_held();
        self.held = full;
        self.send_held();
        Ok(())
    }

    fn try_add_with(&mut self, record: &UserRecord<'_>, now: Option<Duration>) -> Result<(), AddError> {
        self.check_worker()?;
        if !self.try_send_held() {
            return Err(AddError::QueueFull);
        }
        self.held = self.aggregator.add_with(record, now).map_err(AddError::Encode)?;
        self.try_send_held();
        Ok(())
    }

    /// Queues what is pending. Waits while the queue is full.
    pub fn flush(&mut self) {
        self.send_held();
        self.held = self.aggregator.finish();
        self.send_held();
    }

    /// Queues what is pending, and waits until the callback has had everything.
    ///
    /// # Errors
    ///
    /// Returns the panic of the callback, and every aggregate that it was not given.
    pub fn finish(mut self) -> Result<(), WorkerPanic> {
        self.join()
    }

    /// Drops what is pending. Aggregates that are full already stay queued.
    pub fn clear(&mut self) {
        self.aggregator.clear();
    }

    /// Returns whether the callback has panicked, so that adding is refused.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Returns the aggregator, for its sizes, counts and limits.
    #[must_use]
    pub const fn aggregator(&self) -> &RecordAggregator {
        &self.aggregator
    }

    fn check_worker(&self) -> Result<(), AddError> {
        if self.has_stopped() { Err(AddError::WorkerStopped) } else { Ok(()) }
    }

    // The worker receives until the queue is closed, whatever happens, so sending fails only if it is full.

    fn send_held(&mut self) {
        if let (Some(queue), Some(aggregate)) = (&self.queue, self.held.take()) {
            _ = queue.send(aggregate);
        }
    }

    /// Returns whether nothing is held any more.
    fn try_send_held(&mut self) -> bool {
        if let (Some(queue), Some(aggregate)) = (&self.queue, self.held.take()) {
            if let Err(TrySendError::Full(aggregate)) = queue.try_send(aggregate) {
                self.held = Some(aggregate);
            }
        }
        self.held.is_none()
    }

    fn join(&mut self) -> Result<(), WorkerPanic> {
        self.flush();
        self.queue = None;
        match self.worker.take().map(JoinHandle::join) {
            Some(Ok(outcome)) => outcome,
            // Cannot happen: the worker catches every panic.
            Some(Err(payload)) => Err(WorkerPanic::new(payload, Vec::new())),
            None => Ok(()),
        }
    }
}

/// Calls back for every aggregate until the queue is closed.
///
/// After a panic the worker keeps receiving, so that nobody waits for room in the queue forever, and nothing queued is lost.
fn work(
    queue: &Receiver<Aggregate>,
    mut callback: impl FnMut(Aggregate),
    stopped: &AtomicBool,
) -> Result<(), WorkerPanic> {
    // Nobody sees the state that the callback may have left broken.
    let called = catch_unwind(AssertUnwindSafe(|| queue.iter().for_each(&mut callback)));
    if called.is_err() {
        stopped.store(true, Ordering::Release);
    }
    // What the callback has captured may panic as well when it is dropped.
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(callback)));
    let payload = match (called, dropped) {
        (Ok(()), Ok(())) => return Ok(()),
        (Ok(()), Err(payload)) | (Err(payload), Ok(())) => payload,
        (Err(payload), Err(second)) => {
            // To drop it may panic once more.
            core::mem::forget(second);
            payload
        }
    };
    Err(WorkerPanic::new(payload, queue.iter().collect()))
}

impl Drop for BackgroundAggregator {
    fn drop(&mut self) {
        if let Err(panic) = self.join() {
            // The payload may panic when it is dropped.
            core::mem::forget(panic.payload);
        }
    }
}

impl fmt::Debug for BackgroundAggregator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundAggregator")
            .field("aggregator", &self.aggregator)
            .field("stopped", &self.has_stopped())
            .finish_non_exhaustive()
    }
}

/// The error of a [`BackgroundAggregator`] that did not add a user record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddError {
    /// The user record cannot be encoded.
    Encode(EncodeError),
    /// The callback has panicked, and takes no more aggregates.
    WorkerStopped,
    /// The queue is full, so [`BackgroundAggregator::try_add`] would have to wait.
    QueueFull,
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(error) => error.fmt(f),
            Self::WorkerStopped => f.write_str("the callback has panicked and takes no more aggregates"),
            Self::QueueFull => f.write_str("the queue of the callback is full"),
        }
    }
}

impl core::error::Error for AddError {}

/// The panic of a callback, and the aggregates that it was not given.
pub struct WorkerPanic {
    message: Option<String>,
    /// In a mutex, which is never locked, so that the error is `Sync`, as errors should be.
    payload: Mutex<Box<dyn Any + Send>>,
    /// Every aggregate that was not given to the callback, in order.
    pub undelivered: Vec<Aggregate>,
}

impl WorkerPanic {
    fn new(payload: Box<dyn Any + Send>, undelivered: Vec<Aggregate>) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let message = text.or_else(|| payload.downcast_ref().map(String::as_str)).map(Into::into);
        Self { message, payload: Mutex::new(payload), undelivered }
    }

    /// Returns the payload of the panic, to be examined or passed to [`std::panic::resume_unwind`].
    #[must_use]
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.payload.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the message of the panic, if it has one.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

impl fmt::Debug for WorkerPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPanic")
            .field("message", &self.message())
            .field("undelivered", &self.undelivered.len())
            .finish()
    }
}

impl fmt::Display for WorkerPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message().unwrap_or("no message");
        let undelivered = self.undelivered.len();
        write!(f, "the callback has panicked ({message}); {undelivered} aggregates were not delivered")
    }
}

impl core::error::Error for WorkerPanic {}
