//! Handing out by callback.

use core::fmt;
use core::time::Duration;

use crate::aggregate::{Packs, RecordAggregator};
use crate::error::EncodeError;
use crate::message::UserRecord;

/// A [`RecordAggregator`] or a [`crate::AggregationManager`] that hands every aggregate to a callback, on the calling
/// thread.
///
/// When it is dropped, what is still pending is handed out as well, unless the callback has panicked.
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
    /// Whether the callback was entered and has not come back: it has panicked, if anyone gets to see this.
    inside: bool,
}

impl<F: FnMut(P::Full), P: Packs> CallbackAggregator<F, P> {
    pub(crate) fn new(aggregator: P, callback: F) -> Self {
        Self { aggregator, callback, inside: false }
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
        let Self { aggregator, callback, inside } = self;
        aggregator.add_to(record, now, guarded(callback, inside))
    }

    /// Hands out what is pending, if anything is.
    pub fn finish(&mut self) {
        let Self { aggregator, callback, inside } = self;
        aggregator.finish_to(guarded(callback, inside));
    }

    /// Gives aggregates to the callback that came from elsewhere: from what was done by [`Self::aggregator_mut`].
    pub fn hand_out(&mut self, aggregates: impl IntoIterator<Item = P::Full>) {
        aggregates.into_iter().for_each(guarded(&mut self.callback, &mut self.inside));
    }

    /// Drops what is pending.
    pub fn clear(&mut self) {
        self.aggregator.clear_all();
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
}

/// Calls back, and notes whether the callback came back.
fn guarded<T>(callback: &mut impl FnMut(T), inside: &mut bool) -> impl FnMut(T) {
    |full| {
        *inside = true;
        callback(full);
        *inside = false;
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
