//! What every aggregate under construction counts and checks, wherever its bytes are.

use core::time::Duration;

use crate::encode::Limits;
use crate::encode::plan::Plan;
use crate::error::EncodeError;
use crate::message::UserRecord;

/// The account of an aggregate under construction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pending {
    pub(crate) user_records: usize,
    /// The length of the partition key of the first user record.
    pub(crate) partition_key_len: usize,
    /// The length of the explicit hash key of the first user record, where it has one.
    pub(crate) explicit_hash_key_len: Option<usize>,
    /// When the first user record with a known time came.
    since: Option<Duration>,
}

impl Pending {
    pub(crate) const EMPTY: Self =
        Self { user_records: 0, partition_key_len: 0, explicit_hash_key_len: None, since: None };

    /// Says whether an aggregate of `encoded_len` bytes is within the limits once `record` is in it as well.
    #[inline]
    pub(crate) fn admits(&self, limits: &Limits, encoded_len: usize, record: &UserRecord<'_>) -> bool {
        let outer = if self.user_records == 0 { record.partition_key.len() } else { self.partition_key_len };
        encoded_len.saturating_add(outer) <= limits.max_size()
            && self.user_records < limits.max_user_records()
    }

    #[inline]
    pub(crate) fn count(&mut self, record: &UserRecord<'_>, now: Option<Duration>) {
        if self.user_records == 0 {
            self.partition_key_len = record.partition_key.len();
            self.explicit_hash_key_len = record.explicit_hash_key.map(str::len);
        }
        self.user_records = self.user_records.saturating_add(1);
        // The earlier one: a user record that is put back may be older than all that is pending.
        self.since = match (self.since, now) {
            (Some(since), Some(now)) => Some(since.min(now)),
            (since, now) => since.or(now),
        };
    }

    /// The same where the user record is not the first, and adds as many bytes to an aggregate of `encoded_len`.
    #[inline]
    pub(crate) fn admits_another(&self, limits: &Limits, encoded_len: usize, added: usize) -> bool {
        // What is pending is within the limits, so there is no need to look out for more than there can be.
        let room = limits.max_size().wrapping_sub(encoded_len).wrapping_sub(self.partition_key_len);
        added <= room && self.user_records < limits.max_user_records()
    }

    /// Counts a user record that is not the first, and came at a time that nobody told.
    #[inline]
    pub(crate) const fn count_another(&mut self) {
        self.user_records = self.user_records.wrapping_add(1);
    }

    #[cfg(feature = "alloc")]
    pub(crate) const fn since(&self) -> Option<Duration> {
        self.since
    }

    pub(crate) fn expired(&self, limits: &Limits, now: Duration) -> bool {
        match (self.since, limits.max_age()) {
            (Some(since), Some(age)) => now.saturating_sub(since) >= age,
            _ => false,
        }
    }
}

/// Refuses a user record that no aggregate can take (rules E7 and E9); answers with the encoded length of an
/// aggregate of this one alone.
pub(crate) fn check_alone(limits: &Limits, record: &UserRecord<'_>) -> Result<usize, EncodeError> {
    let limit = limits.max_size();
    let encoded_len = Plan::alone(record).encoded_len;
    let required = encoded_len.saturating_add(record.partition_key.len());
    if required <= limit {
        return Ok(encoded_len);
    }
    let bare = record.data.len().saturating_add(record.partition_key.len());
    // A bare record has no place for tags.
    if bare <= limit && record.tags.len() == 0 {
        return Err(EncodeError::FitsOnlyBare { required, limit, bare });
    }
    Err(EncodeError::TooLarge { required, limit })
}
