//! `aws_sdk_kinesis`: deaggregates responses of GetRecords, reads shards, and makes entries of PutRecords from aggregates. The data of
//! an aggregate moves; it is never copied.

use alloc::string::{String, ToString};

use ::aws_sdk_kinesis::error::BuildError;
use ::aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
use ::aws_sdk_kinesis::operation::put_record::builders::PutRecordInputBuilder;
use ::aws_sdk_kinesis::primitives::Blob;
use ::aws_sdk_kinesis::types;
use ::aws_sdk_kinesis::types::builders::PutRecordsRequestEntryBuilder;

use crate::Aggregate;
use crate::decode::KinesisRecord;
use crate::hash_key::{HashKeyRange, HashKeyRangeError};
use crate::produce::{CallEntry, EntryAnswer};
use crate::route::{RoutedAggregate, Shard};

impl KinesisRecord for types::Record {
    fn data(&self) -> &[u8] {
        self.data.as_ref()
    }

    fn partition_key(&self) -> Option<&str> {
        self.partition_key.text()
    }

    fn sequence_number(&self) -> Option<&str> {
        Some(&self.sequence_number)
    }
}

/// A field that is optional in some versions of the SDK and not in others, as partition keys are: with this the adapter builds
/// with all of them.
trait Text {
    fn text(&self) -> Option<&str>;
}

impl Text for String {
    fn text(&self) -> Option<&str> {
        Some(self)
    }
}

impl Text for Option<String> {
    fn text(&self) -> Option<&str> {
        self.as_deref()
    }
}

// `SubscribeToShardEvent` is an event of enhanced fan-out.
batches!(types::Record: GetRecordsOutput => records, types::SubscribeToShardEvent => records);

/// Makes what is put of aggregates.
macro_rules! from_aggregates {
    ($($(#[doc = $doc:literal])* $builder:ty),+) => {$(
        $(#[doc = $doc])*
        impl From<Aggregate> for $builder {
            fn from(aggregate: Aggregate) -> Self {
                Self::default()
                    .partition_key(aggregate.partition_key)
                    .set_explicit_hash_key(aggregate.explicit_hash_key.map(|key| key.to_string()))
                    .data(Blob::new(aggregate.data))
            }
        }

        $(#[doc = $doc])*
        impl From<RoutedAggregate> for $builder {
            fn from(routed: RoutedAggregate) -> Self {
                routed.aggregate.into()
            }
        }
    )+};
}

from_aggregates!(
    PutRecordsRequestEntryBuilder,
    /// To be completed by the name or ARN of a stream.
    PutRecordInputBuilder
);

/// The error is out of reach: all that an entry must have is there.
impl TryFrom<Aggregate> for types::PutRecordsRequestEntry {
    type Error = BuildError;

    fn try_from(aggregate: Aggregate) -> Result<Self, BuildError> {
        PutRecordsRequestEntryBuilder::from(aggregate).build()
    }
}

/// The error is out of reach: all that an entry must have is there.
impl TryFrom<RoutedAggregate> for types::PutRecordsRequestEntry {
    type Error = BuildError;

    fn try_from(routed: RoutedAggregate) -> Result<Self, BuildError> {
        routed.aggregate.try_into()
    }
}

/// A shard as ListShards describes it, closed where it has an ending sequence number.
///
/// # Errors
///
/// Fails if a hash key is missing or invalid. A shard without a range is reported as one without a first hash key.
impl<'a> TryFrom<&'a types::Shard> for Shard<'a> {
    type Error = HashKeyRangeError;

    fn try_from(shard: &'a types::Shard) -> Result<Self, HashKeyRangeError> {
        let range = shard.hash_key_range();
        let range = HashKeyRange::parse(
            range.map_or("", |range| range.starting_hash_key()),
            range.map_or("", |range| range.ending_hash_key()),
        )?;
        let described = Self::new(shard.shard_id(), range)
            .with_parents(shard.parent_shard_id(), shard.adjacent_parent_shard_id());
        let ending = shard.sequence_number_range().and_then(|range| range.ending_sequence_number());
        Ok(if ending.is_some() { described.closed() } else { described })
    }
}

/// The error cannot occur: an entry has all required members.
impl TryFrom<CallEntry<'_>> for types::PutRecordsRequestEntry {
    type Error = BuildError;

    fn try_from(entry: CallEntry<'_>) -> Result<Self, BuildError> {
        PutRecordsRequestEntryBuilder::default()
            .partition_key(entry.partition_key)
            .set_explicit_hash_key(entry.explicit_hash_key.map(|key| key.to_string()))
            .data(Blob::new(entry.data))
            .build()
    }
}

impl<'a> From<&'a types::PutRecordsResultEntry> for EntryAnswer<'a> {
    fn from(result: &'a types::PutRecordsResultEntry) -> Self {
        Self::new(result.error_code(), result.error_message(), result.shard_id(), result.sequence_number())
    }
}
