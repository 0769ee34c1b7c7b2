//! Handing out by callback.

use alloc::collections::VecDeque;
use core::fmt;
use core::time::Duration;

use crate::encode::{Packs, RecordAggregator};
use crate::error::EncodeError;
use crate::message::UserRecord;

/// A [`RecordAggregator`] or a [`crate::AggregationManager`] that hands every aggregate to a callback, on the calling
/// thread.
///
/// When it is dropped, what is still pending is handed out as well, unless the callback has panicked: then
/// [`Self::finish`] hands it out, with all aggregates that the callback has not been given.
///
/// ```
/// use kinesis_aggregation::{Limits, RecordAggregator, UserRecord};
///
/// let mut sent = 0;
/// let limits = Limits::default().with_max_user_records(2);
/// let mut aggregator = RecordAggregator::new(limits).on_complete(|full| sent += full.user_records());
/// for data in ["a", "b", "c"] {
///     aggregator.add(UserRecord::new("key", data))?;
/// }
/// drop(aggregator);
/// assert_eq!(sent, 3);
/// # Ok::<(), kinesis_aggregation::EncodeError>(())
/// ```
pub struct CallbackAggregator<F: FnMut(P::Full), P: Packs = RecordAggregator> {
    aggregator: P,
    callback: F,
    /// What was handed out and not given to the callback so far: more than nothing only while it is called, or after it
    /// has panicked.
    waiting: VecDeque<P::Full>,
    /// Whether the callback was entered and has not come back: it has panicked, if anyone gets to see this.
    inside: bool,
}

impl<F: FnMut(P::Full), P: Packs> CallbackAggregator<F, P> {
    pub(crate) fn new(aggregator: P, callback: F) -> Self {
        Self { aggregator, callback, waiting: VecDeque::new(), inside: false }
    }

    /// Adds a user record, as [`RecordAggregator::add`]; a full aggregate goes to the callback.
    ///
    /// # Errors
    ///
    /// As [`RecordAggregator::add`].
    pub fn add(&mut self, record: UserRecord<'_>) -> Result<(), EncodeError> {
        self.add_with(record, None)
    }

    /// Adds a user record, as [`RecordAggregator::add_at`]; a full aggregate goes to the callback.
    ///
    /// # Errors
    ///
    /// As [`RecordAggregator::add`].
    pub fn add_at(&mut self, record: UserRecord<'_>, now: Duration) -> Result<(), EncodeError> {
        self.add_with(record, Some(now))
    }

    fn add_with(&mut self, record: UserRecord<'_>, now: Option<Duration>) -> Result<(), EncodeError> {
        let waiting = &mut self.waiting;
        self.aggregator.add_to(record, now, |full| waiting.push_back(full))?;
        self.call_back();
        Ok(())
    }

    /// Hands out what is pending, if anything is, and what a panic of the callback has held up.
    pub fn finish(&mut self) {
        let waiting = &mut self.waiting;
        self.aggregator.finish_to(|full| waiting.push_back(full));
        self.call_back();
    }

    /// Gives aggregates to the callback that came from elsewhere: from what was done by [`Self::aggregator_mut`].
    pub fn hand_out(&mut self, aggregates: impl IntoIterator<Item = P::Full>) {
        self.waiting.extend(aggregates);
        self.call_back();
    }

    /// Drops what is pending.
    pub fn clear(&mut self) {
        self.aggregator.clear_all();
        self.waiting.clear();
    }

    /// The aggregator within: its sizes, counts and limits.
    #[must_use]
    pub const fn aggregator(&self) -> &P {
        &self.aggregator
    }

    /// The aggregator within, for what only it can do. What it hands out then does not go to the callback by itself.
    #[must_use]
    pub const fn aggregator_mut(&mut self) -> &mut P {
        &mut self.aggregator
    }

    fn call_back(&mut self) {
        while let Some(full) = self.waiting.pop_front() {
            self.inside = true;
            (self.callback)(full);
            self.inside = false;
        }
    }
}

impl<F: FnMut(P::Full), P: Packs> Drop for CallbackAggregator<F, P> {
    fn drop(&mut self) {
        if !self.inside {
            self.finish();
        }
    }
}

impl<F: FnMut(P::Full), P: Packs + fmt::Debug> fmt::Debug for CallbackAggregator<F, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackAggregator").field("aggregator", &self.aggregator).finish_non_exhaustive()
    }
}
