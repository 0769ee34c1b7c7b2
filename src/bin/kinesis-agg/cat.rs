//! `kinesis-agg cat`: the data of user records, or what a format says.

use std::io::{Write, stdout};

use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::PlainReason;

use crate::args::CatArgs;
use crate::failure::Failure;
use crate::format::{Field, Format, Part};
use crate::input::Payload;
use crate::output::Buffered;
use crate::progress::Progress;
use crate::select::{Sink, for_each_selected};
use crate::text::json_text;

pub(crate) fn run(args: &CatArgs) -> Result<(), Failure> {
    let default = if args.raw { Format::raw() } else { Format::lines() };
    let format = args.format.as_ref().unwrap_or(&default);
    let progress = Progress::new();
    let mut cat = Cat { out: Buffered::new(stdout().lock()), format };
    let (_, read) = for_each_selected(&args.input, &args.selection, None, &progress, &mut cat);
    read
}

struct Cat<'a, W> {
    out: Buffered<W>,
    format: &'a Format,
}

impl<W: Write> Sink for Cat<'_, W> {
    fn write(
        &mut self,
        payload: &Payload<'_>,
        user: &UserRecord<'_>,
        reason: Option<PlainReason>,
    ) -> Result<(), Failure> {
        for part in self.format.parts() {
            match part {
                Part::Literal(bytes) => self.out.buffer.extend_from_slice(bytes),
                Part::Field(field) => append(*field, payload, user, reason.is_some(), &mut self.out.buffer),
            }
        }
        self.out.write_if_full()
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush()
    }
}

/// Appends a field. What is not known prints nothing.
fn append(field: Field, payload: &Payload<'_>, user: &UserRecord<'_>, is_plain: bool, out: &mut Vec<u8>) {
    let (partition_key, explicit_hash_key) = payload.keys_of(user, is_plain);
    let mut text = |text: Option<&str>| out.extend_from_slice(text.unwrap_or_default().as_bytes());
    match field {
        Field::Data => out.extend_from_slice(user.data),
        Field::Size => text(Some(&user.data.len().to_string())),
        Field::PartitionKey => text(partition_key),
        Field::ExplicitHashKey => text(explicit_hash_key),
        Field::Record => text(Some(&payload.record.to_string())),
        Field::SubSequenceNumber => text(Some(&user.sub_sequence_number.to_string())),
        Field::SequenceNumber => text(payload.sequence_number),
        Field::ArrivalTime => text(payload.approximate_arrival_timestamp.map(json_text).as_deref()),
        Field::ShardId => text(payload.shard_id),
    }
}
