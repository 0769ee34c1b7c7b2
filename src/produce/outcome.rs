//! The input and output of a producer: calls, answers and results.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::encode::EncodeError;
use crate::route::HashKey;

/// The next thing to do: see [`Producer::poll`](crate::Producer::poll).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Action {
    /// Call PutRecords with the entries of [`Producer::call`](crate::Producer::call), and tell
    /// [`Producer::on_put`](crate::Producer::on_put) the answer.
    Put(CallId),
    /// List the shards of the stream, and tell [`Producer::on_shards`](crate::Producer::on_shards) the answer.
    ListShards(ListId),
    /// Nothing before [`Producer::next_deadline`](crate::Producer::next_deadline), unless a record is added or an answer
    /// arrives.
    Idle,
    /// Nothing ever again: the producer is closed and every record has its result.
    Finished,
}

/// Identifies a PutRecords call. The id is invalid once the call is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub(super) u64);

/// Identifies a listing of the shards. The id is invalid once the listing is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListId(pub(super) u64);

/// An entry of a PutRecords call.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallEntry<'p> {
    /// `Data`.
    pub data: &'p [u8],
    /// `PartitionKey`.
    pub partition_key: &'p str,
    /// `ExplicitHashKey`.
    pub explicit_hash_key: Option<HashKey>,
}

impl fmt::Debug for CallEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallEntry")
            .field("partition_key", &self.partition_key)
            .field("explicit_hash_key", &self.explicit_hash_key)
            .field("data_len", &self.data.len())
            .finish()
    }
}

/// A PutRecords call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call<'p> {
    /// The entries, in the order in which they are to be put. At least one.
    pub entries: Vec<CallEntry<'p>>,
    /// The bytes of all entries, partition keys included.
    pub size_bytes: usize,
}

/// The answer to a PutRecords call.
#[derive(Clone, Copy, Debug)]
pub enum PutAnswer<'a> {
    /// It was answered: what happened to each entry, in the order of the call. Entries without an answer count as unclear.
    Entries(&'a [EntryAnswer<'a>]),
    /// It failed as a whole.
    Failed(CallFailure<'a>),
}

/// The answer to one entry of a PutRecords call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryAnswer<'a> {
    /// A shard took it.
    Stored {
        /// `ShardId`.
        shard: &'a str,
        /// `SequenceNumber`.
        sequence_number: &'a str,
    },
    /// It was not stored.
    Failed {
        /// `ErrorCode`.
        code: &'a str,
        /// `ErrorMessage`.
        message: &'a str,
    },
}

impl<'a> EntryAnswer<'a> {
    /// Reads the members of an entry of the answer, as they are there: `ErrorCode`, `ErrorMessage`, `ShardId`, `SequenceNumber`.
    #[must_use]
    pub fn new(
        code: Option<&'a str>,
        message: Option<&'a str>,
        shard: Option<&'a str>,
        sequence_number: Option<&'a str>,
    ) -> Self {
        match code {
            None | Some("") => Self::Stored {
                shard: shard.unwrap_or_default(),
                sequence_number: sequence_number.unwrap_or_default(),
            },
            Some(code) => Self::Failed { code, message: message.unwrap_or_default() },
        }
    }
}

/// The failure of a whole PutRecords call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallFailure<'a> {
    /// The kind of the failure, which decides what the producer does.
    pub kind: FailureKind,
    /// The error code, or what stands for it.
    pub code: &'a str,
    /// The error message.
    pub message: &'a str,
}

/// The kind of a failed call, which decides what the producer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The stream or the account accepts no more for now. Nothing was stored.
    Throttled,
    /// The service failed and said that nothing was stored.
    Transient,
    /// Nobody knows whether something was stored: a time-out, or a connection that was lost.
    Unclear,
    /// The call did not leave: no connection.
    NotSent,
    /// Calls fail until somebody fixes access, credentials or the stream. Records are kept and retried.
    Denied,
    /// It broke a rule for the entries (`ValidationException`). It is halved until the offending record is found (rule P9).
    Rejected,
}

/// Listing the shards failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListFailed;

/// The result of one record. There is exactly one for each record that was added (rule P2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Done<R> {
    /// The receipt that was passed to [`Producer::add`](crate::Producer::add).
    pub receipt: R,
    /// The outcome of the record.
    pub outcome: Outcome,
    /// The calls that it was in.
    pub attempts: Attempts,
}

/// The outcome of a record. One that is abandoned comes back from [`Producer::abandon`](crate::Producer::abandon) instead.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is in the stream, on the shard that owns it.
    Delivered {
        /// The shard.
        shard: Arc<str>,
        /// The sequence number of its Kinesis record.
        sequence_number: Arc<str>,
        /// Its position in the aggregate, from 0.
        sub_sequence_number: u64,
        /// True if another copy may be in the stream: an earlier call may have stored it without saying so.
        possible_duplicate: bool,
    },
    /// It was too old: [`ProducerConfig::ttl`](crate::produce::ProducerConfig::ttl).
    Expired {
        /// True if it may be in the stream.
        possibly_delivered: bool,
    },
    /// Its shard was throttled, and [`ProducerConfig::fail_if_throttled`](crate::produce::ProducerConfig::fail_if_throttled) is set.
    Throttled {
        /// True if it may be in the stream.
        possibly_delivered: bool,
    },
    /// Kinesis does not accept it.
    Refused {
        /// The error code.
        code: Arc<str>,
        /// True if it may be in the stream.
        possibly_delivered: bool,
    },
}

impl Outcome {
    /// Returns whether the record is known to be in the stream.
    #[must_use]
    pub const fn is_delivered(&self) -> bool {
        matches!(self, Self::Delivered { .. })
    }
}

/// The calls that a record was in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempts(pub(super) Option<Arc<History>>);

impl Attempts {
    /// Counts them.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.as_ref().map_or(0, |history| history.count)
    }

    /// Returns the last few, oldest first.
    #[must_use]
    pub fn recent(&self) -> &[Attempt] {
        self.0.as_ref().map_or(&[], |history| &history.recent)
    }

    /// Returns the error of the last one that failed, among the last few.
    #[must_use]
    pub fn last_error(&self) -> Option<&AttemptError> {
        self.recent().iter().rev().find_map(|attempt| attempt.error.as_ref())
    }
}

/// A call that a record was in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// When the call began.
    pub started: Duration,
    /// The time until the answer.
    pub duration: Duration,
    /// The reason it did not deliver the record.
    pub error: Option<AttemptError>,
}

/// The reason a call did not deliver a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptError {
    /// The error code of Kinesis; `timeout`, `no_answer` or `misplaced` where there is none.
    pub code: Arc<str>,
    /// The error message of Kinesis.
    pub message: Arc<str>,
}

/// The most calls that are remembered.
const RECENT: usize = 4;

/// The history that records have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct History {
    count: u32,
    recent: Vec<Attempt>,
    pub(super) possibly_stored: bool,
}

impl History {
    pub(super) fn push(&mut self, attempt: Attempt) {
        self.count = self.count.saturating_add(1);
        self.recent.push(attempt);
        self.trim();
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0 && !self.possibly_stored
    }

    /// Notes that the last attempt came to nothing after all.
    pub(super) fn fail_last(&mut self, error: AttemptError) {
        if let Some(last) = self.recent.last_mut() {
            last.error = Some(error);
        }
    }

    /// When the last attempt began.
    pub(super) fn last_start(&self) -> Option<Duration> {
        self.recent.last().map(|attempt| attempt.started)
    }

    /// Puts an earlier history before this one.
    pub(super) fn after(&self, earlier: Option<&Arc<Self>>) -> Self {
        let Some(earlier) = earlier else { return self.clone() };
        let mut all = Self::clone(earlier);
        all.count = all.count.saturating_add(self.count);
        all.recent.extend(self.recent.iter().cloned());
        all.possibly_stored |= self.possibly_stored;
        all.trim();
        all
    }

    fn trim(&mut self) {
        if let Some(surplus) = self.recent.len().checked_sub(RECENT) {
            self.recent.drain(..surplus);
        }
    }
}

/// The error of a record that was not added, with its receipt.
#[derive(Clone, PartialEq, Eq)]
pub struct AddError<R> {
    /// The receipt that was passed to [`Producer::add`](crate::Producer::add).
    pub receipt: R,
    /// The reason.
    pub reason: NotAdded,
}

/// The reason a record was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotAdded {
    /// The budget is used up. Try again once [`Producer::has_capacity`](crate::Producer::has_capacity) returns true.
    NoCapacity,
    /// The record is larger than the whole budget.
    AboveBudget,
    /// The producer was closed.
    Closed,
    /// The record cannot be sent.
    Invalid(EncodeError),
}

impl fmt::Display for NotAdded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCapacity => f.write_str("the producer's memory budget is used up"),
            Self::AboveBudget => f.write_str("the record is larger than the producer's memory budget"),
            Self::Closed => f.write_str("the producer is closed"),
            Self::Invalid(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for NotAdded {}

impl<R> fmt::Debug for AddError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddError").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<R> fmt::Display for AddError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<R> core::error::Error for AddError<R> {}

/// A record that was abandoned: it had no result when the producer was stopped. See
/// [`Producer::abandon`](crate::Producer::abandon).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outstanding<R> {
    /// The receipt that was passed to [`Producer::add`](crate::Producer::add).
    pub receipt: R,
    /// The partition key; empty for a record without a key.
    pub partition_key: String,
    /// The explicit hash key that the record was added with.
    pub explicit_hash_key: Option<String>,
    /// The data.
    pub data: Vec<u8>,
    /// The tags: keys and values.
    pub tags: Vec<(String, Option<String>)>,
    /// True if the record may be in the stream.
    pub possibly_delivered: bool,
}
