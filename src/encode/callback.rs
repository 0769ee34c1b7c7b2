//! Passing aggregates to a callback, as the Python library does.

use core::fmt;
use core::time::Duration;

use crate::error::EncodeError;
use crate::message::UserRecord;
use crate::{Aggregate, RecordAggregator};

/// A [`RecordAggregator`] that passes every aggregate to a callback, on the calling thread.
///
/// Dropping it passes on what is pending. If the callback has panicked and the panic is unwinding, it is not called again.
///
/// ```
/// use kinesis_aggregation::{Limits, RecordAggregator, UserRecord};
///
/// let mut sent = 0;
/// let limits = Limits::default().with_max_user_records(2);
/// let mut aggregator = RecordAggregator::new(limits).on_complete(|full| sent += full.user_records);
/// for data in ["a", "b", "c"] {
///     aggregator.add(UserRecord::new("key", data))?;
/// }
/// drop(aggregator);
/// assert_eq!(sent, 3);
/// # Ok::<(), kinesis_aggregation::encode::EncodeError>(())
/// ```
pub struct CallbackAggregator<F: FnMut(Aggregate)> {
    aggregator: RecordAggregator,
    callback: F,
    /// Set while the callback runs. If anyone else gets to see it set, the callback has panicked.
    calling: bool,
}

impl<F: FnMut(Aggregate)> CallbackAggregator<F> {
    pub(crate) const fn new(aggregator: RecordAggregator, callback: F) -> Self {
        Self { aggregator, callback, calling: false }
    }

    /// Adds a user record, as [`RecordAggregator::add`]. A full aggregate is passed to the callback, after the user record
    /// was added.
    ///
    /// # Errors
    ///
    /// Same as [`RecordAggregator::add`].
    pub fn add(&mut self, record: UserRecord<'_>) -> Result<(), EncodeError> {
        let full = self.aggregator.add(record)?;
        self.call(full);
        Ok(())
    }

    /// Adds a user record, as [`RecordAggregator::add_at`]. A full aggregate is passed to the callback.
    ///
    /// # Errors
    ///
    /// Same as [`RecordAggregator::add`].
    pub fn add_at(&mut self, record: UserRecord<'_>, now: Duration) -> Result<(), EncodeError> {
        let full = self.aggregator.add_at(record, now)?;
        self.call(full);
        Ok(())
    }

    /// Passes what is pending to the callback.
    pub fn finish(&mut self) {
        let rest = self.aggregator.finish();
        self.call(rest);
    }

    /// Drops what is pending.
    pub fn clear(&mut self) {
        self.aggregator.clear();
    }

    /// Returns the aggregator, for its sizes, counts and limits.
    #[must_use]
    pub const fn aggregator(&self) -> &RecordAggregator {
        &self.aggregator
    }

    fn call(&mut self, aggregate: Option<Aggregate>) {
        if let Some(aggregate) = aggregate {
            self.calling = true;
            (self.callback)(aggregate);
            self.calling = false;
        }
    }
}

impl<F: FnMut(Aggregate)> Drop for CallbackAggregator<F> {
    fn drop(&mut self) {
        if !self.calling {
            self.finish();
        }
    }
}

impl<F: FnMut(Aggregate)> fmt::Debug for CallbackAggregator<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackAggregator").field("aggregator", &self.aggregator).finish_non_exhaustive()
    }
}
