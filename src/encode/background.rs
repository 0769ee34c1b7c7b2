//! Handing out by callback on a thread of its own.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::fmt;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::panic::catch_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::encode::{Aggregate, Packs, RecordAggregator};
use crate::error::EncodeError;
use crate::message::UserRecord;

/// A [`RecordAggregator`] or a [`crate::AggregationManager`] that hands every aggregate to a callback on a worker thread,
/// in order.
///
/// Full aggregates wait in a bounded queue. When it is full, adding waits. When the callback panics, the worker
/// stops; [`Self::finish`] hands back the panic and every aggregate that was not given to the callback.
///
/// When it is dropped, what is still pending is handed out, and the worker is waited for. A panic is then lost with
/// what it kept from being handed out: use [`Self::finish`] to know.
///
/// ```
/// use kinesis_aggregation::{Limits, RecordAggregator, UserRecord};
///
/// let mut aggregator = RecordAggregator::new(Limits::default())
///     .on_complete_in_background(4, |full| println!("send {} bytes", full.data().len()))?;
/// aggregator.add(UserRecord::new("device-7", "21.5"))?;
/// aggregator.finish()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct BackgroundAggregator<P: Packs = RecordAggregator> {
    aggregator: P,
    /// Present until the worker is told to end.
    queue: Option<SyncSender<P::Full>>,
    worker: Option<JoinHandle<Result<(), WorkerPanic<P::Full>>>>,
    /// Whether the callback has panicked.
    stopped: Arc<AtomicBool>,
}

impl<P: Packs> BackgroundAggregator<P> {
    pub(crate) fn spawn<F>(aggregator: P, queue: usize, callback: F) -> std::io::Result<Self>
    where
        F: FnMut(P::Full) + Send + 'static,
        P::Full: Send + 'static,
    {
        let (sender, receiver) = sync_channel(queue);
        let stopped = Arc::new(AtomicBool::new(false));
        let worker = thread::Builder::new().name("kinesis-aggregation".into()).spawn({
            let stopped = Arc::clone(&stopped);
            move || work(&receiver, callback, &stopped)
        })?;
        Ok(Self { aggregator, queue: Some(sender), worker: Some(worker), stopped })
    }

    /// Adds a user record, as [`RecordAggregator::add`]; a full aggregate goes to the worker. Waits while the queue is
    /// full.
    ///
    /// # Errors
    ///
    /// [`AddError::WorkerStopped`] if the callback has panicked, whatever the user record is like; otherwise as
    /// [`RecordAggregator::add`]. Nothing has changed then: the user record was not added.
    pub fn add(&mut self, record: UserRecord<'_>) -> Result<(), AddError> {
        self.add_with(record, None)
    }

    /// Adds a user record, as [`RecordAggregator::add_at`]; a full aggregate goes to the worker.
    ///
    /// # Errors
    ///
    /// As [`Self::add`].
    pub fn add_at(&mut self, record: UserRecord<'_>, now: Duration) -> Result<(), AddError> {
        self.add_with(record, Some(now))
    }

    fn add_with(&mut self, record: UserRecord<'_>, now: Option<Duration>) -> Result<(), AddError> {
        if self.has_stopped() {
            return Err(AddError::WorkerStopped);
        }
        let queue = &self.queue;
        self.aggregator.add_to(record, now, |full| send(queue, full)).map_err(AddError::Encode)
    }

    /// Hands what is pending to the worker, if anything is. Waits while the queue is full.
    pub fn flush(&mut self) {
        let queue = &self.queue;
        self.aggregator.finish_to(|full| send(queue, full));
    }

    /// Gives aggregates to the worker that came from elsewhere: from what was done by [`Self::aggregator_mut`].
    pub fn hand_out(&mut self, aggregates: impl IntoIterator<Item = P::Full>) {
        aggregates.into_iter().for_each(|full| send(&self.queue, full));
    }

    /// Hands out what is pending, and waits until the callback has had everything.
    ///
    /// # Errors
    ///
    /// Answers with the panic of the callback, and with every aggregate that it was not given.
    pub fn finish(mut self) -> Result<(), WorkerPanic<P::Full>> {
        self.join()
    }

    /// Drops what is pending here. What is in the queue stays there.
    pub fn clear(&mut self) {
        self.aggregator.clear_all();
    }

    /// Says whether the callback has panicked, so that adding is refused.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// The aggregator within: its sizes, counts and limits.
    #[must_use]
    pub const fn aggregator(&self) -> &P {
        &self.aggregator
    }

    /// The aggregator within, for what only it can do. What it hands out then does not go to the worker by itself.
    #[must_use]
    pub const fn aggregator_mut(&mut self) -> &mut P {
        &mut self.aggregator
    }

    fn join(&mut self) -> Result<(), WorkerPanic<P::Full>> {
        self.flush();
        self.queue = None;
        match self.worker.take().map(JoinHandle::join) {
            Some(Ok(outcome)) => outcome,
            // Out of reach: the worker catches what the callback throws.
            Some(Err(payload)) => Err(WorkerPanic::new(payload, Vec::new())),
            None => Ok(()),
        }
    }
}

/// Puts an aggregate into the queue.
fn send<T>(queue: &Option<SyncSender<T>>, full: T) {
    if let Some(queue) = queue {
        // The worker receives until the queue is closed, whatever happens, so this cannot fail.
        _ = queue.send(full);
    }
}

/// Calls back for every aggregate until the queue is closed.
///
/// After a panic the callback is not called again, but the worker keeps receiving: whoever waits for room in the queue
/// goes on, and nothing that was put there is lost.
fn work<T>(
    queue: &Receiver<T>,
    mut callback: impl FnMut(T),
    stopped: &AtomicBool,
) -> Result<(), WorkerPanic<T>> {
    // Nobody sees the state that the callback may have broken.
    let all = AssertUnwindSafe(|| queue.iter().for_each(&mut callback));
    catch_unwind(all).map_err(|payload| {
        stopped.store(true, Ordering::Release);
        WorkerPanic::new(payload, queue.iter().collect())
    })
}

impl<P: Packs> Drop for BackgroundAggregator<P> {
    fn drop(&mut self) {
        _ = self.join();
    }
}

impl<P: Packs + fmt::Debug> fmt::Debug for BackgroundAggregator<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundAggregator")
            .field("aggregator", &self.aggregator)
            .field("stopped", &self.has_stopped())
            .finish_non_exhaustive()
    }
}

/// Why a user record was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddError {
    /// It cannot be encoded.
    Encode(EncodeError),
    /// The callback has panicked, and takes no more aggregates.
    WorkerStopped,
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(error) => error.fmt(f),
            Self::WorkerStopped => f.write_str("the callback has panicked and takes no more aggregates"),
        }
    }
}

impl core::error::Error for AddError {}

/// The panic of a callback, and what it kept from being handed out.
pub struct WorkerPanic<T = Aggregate<Vec<u8>>> {
    message: Option<String>,
    /// In a mutex, which nobody locks, so that the error can be shared between threads as errors should.
    payload: Mutex<Box<dyn Any + Send>>,
    /// Every aggregate that was not given to the callback, in order.
    pub undelivered: Vec<T>,
}

impl<T> WorkerPanic<T> {
    fn new(payload: Box<dyn Any + Send>, undelivered: Vec<T>) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let message = text.or_else(|| payload.downcast_ref().map(String::as_str)).map(Into::into);
        Self { message, payload: Mutex::new(payload), undelivered }
    }

    /// What the panic carried, to be examined or thrown on with [`std::panic::resume_unwind`].
    #[must_use]
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.payload.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The message of the panic, if it is a text.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

impl<T> fmt::Debug for WorkerPanic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPanic")
            .field("message", &self.message())
            .field("undelivered", &self.undelivered.len())
            .finish()
    }
}

impl<T> fmt::Display for WorkerPanic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message().unwrap_or("no message");
        write!(
            f,
            "the callback has panicked ({message}); {} aggregates were not handed out",
            self.undelivered.len()
        )
    }
}

impl<T> core::error::Error for WorkerPanic<T> {}
