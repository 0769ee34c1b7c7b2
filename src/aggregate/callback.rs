//! Handing out by callback.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::aggregate::{Aggregate, RecordAggregator};
use crate::error::EncodeError;
use crate::message::UserRecord;

/// A [`RecordAggregator`] that hands every aggregate to a callback, on the calling thread.
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
pub struct CallbackAggregator<F: FnMut(Aggregate<Vec<u8>>)> {
    aggregator: RecordAggregator,
    callback: F,
    /// Whether the callback was entered and has not come back: it has panicked, if anyone gets to see this.
    inside: bool,
}

impl<F: FnMut(Aggregate<Vec<u8>>)> CallbackAggregator<F> {
    pub(crate) fn new(aggregator: RecordAggregator, callback: F) -> Self {
        Self { aggregator, callback, inside: false }
    }

    /// Adds a user record, as [`RecordAggregator::add`]; a full aggregate goes to the callback.
    ///
    /// # Errors
    ///
    /// As [`RecordAggregator::add`].
    pub fn add(&mut self, record: UserRecord<'_>) -> Result<(), EncodeError> {
        let full = self.aggregator.add(record)?;
        self.hand_out(full);
        Ok(())
    }

    /// Adds a user record, as [`RecordAggregator::add_at`]; a full aggregate goes to the callback.
    ///
    /// # Errors
    ///
    /// As [`RecordAggregator::add`].
    pub fn add_at(&mut self, record: UserRecord<'_>, now: Duration) -> Result<(), EncodeError> {
        let full = self.aggregator.add_at(record, now)?;
        self.hand_out(full);
        Ok(())
    }

    /// Hands out what is pending, if anything is.
    pub fn finish(&mut self) {
        let rest = self.aggregator.finish();
        self.hand_out(rest);
    }

    /// Drops what is pending.
    pub fn clear(&mut self) {
        self.aggregator.clear();
    }

    /// The aggregator within: its sizes, counts and limits.
    #[must_use]
    pub const fn aggregator(&self) -> &RecordAggregator {
        &self.aggregator
    }

    fn hand_out(&mut self, aggregate: Option<Aggregate<Vec<u8>>>) {
        if let Some(aggregate) = aggregate {
            self.inside = true;
            (self.callback)(aggregate);
            self.inside = false;
        }
    }
}

impl<F: FnMut(Aggregate<Vec<u8>>)> Drop for CallbackAggregator<F> {
    fn drop(&mut self) {
        if !self.inside {
            self.finish();
        }
    }
}

impl<F: FnMut(Aggregate<Vec<u8>>)> fmt::Debug for CallbackAggregator<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackAggregator").field("aggregator", &self.aggregator).finish_non_exhaustive()
    }
}
