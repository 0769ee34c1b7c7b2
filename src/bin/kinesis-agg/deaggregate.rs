//! `kinesis-agg deaggregate`.

use std::io::{BufWriter, Write, stdout};

use data_encoding::BASE64;
use kinesis_aggregation::{HashKeyRange, InRange, PlainReason, RangeMode, Tags, UserRecord, deaggregate};
use serde::{Serialize, Serializer};

use crate::args::{DeaggregateArgs, RangeArg, WARNING};
use crate::failure::Failure;
use crate::input::{Metadata, Payload, for_each_payload};
use crate::output::write_json_line;
use crate::progress::Progress;

/// A user record, or a record that is not aggregated.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    record: u64,
    partition_key: Option<&'a str>,
    explicit_hash_key: Option<&'a str>,
    data: &'a str,
    sub_sequence_number: u64,
    aggregated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "is_empty", serialize_with = "as_pairs")]
    tags: Tags<'a>,
    #[serde(flatten)]
    metadata: Metadata<'a>,
}

fn is_empty(tags: &Tags<'_>) -> bool {
    tags.len() == 0
}

fn as_pairs<S: Serializer>(tags: &Tags<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(tags.map(|tag| (tag.key, tag.value)))
}

pub(crate) fn run(args: &DeaggregateArgs) -> Result<(), Failure> {
    let mode = match args.range.unwrap_or_default() {
        RangeArg::Each => RangeMode::Each,
        RangeArg::All => RangeMode::All,
    };
    let filter = args.hash_range.map(|range| (range, mode));
    let progress = Progress::new();
    let mut lines = Lines {
        writer: BufWriter::with_capacity(256 * 1024, stdout().lock()),
        base64: String::new(),
        left_out: 0,
        faulty: 0,
    };
    let read =
        for_each_payload(&args.input, &progress, |payload| lines.write_all(&payload, filter, &progress));
    lines.writer.flush()?;
    if let Some((range, _)) = filter {
        let left_out = lines.left_out;
        let s = if left_out == 1 { "" } else { "s" };
        progress.say(format_args!("{left_out} user record{s} left out: hash keys outside {range}"));
    }
    read?;
    match lines.faulty {
        0 => Ok(()),
        1 => Err(Failure::Input("1 user record left out: its explicit hash key is no number".to_owned())),
        faulty => Err(Failure::Input(format!(
            "{faulty} user records left out: their explicit hash keys are no numbers"
        ))),
    }
}

/// Writes a line for each user record, and counts those it does not write.
struct Lines<W> {
    writer: W,
    base64: String,
    left_out: u64,
    faulty: u64,
}

impl<W: Write> Lines<W> {
    /// Writes the user records of a payload, of an aggregate only those that pass the filter, or the payload itself where
    /// it is plain.
    fn write_all(
        &mut self,
        payload: &Payload<'_>,
        filter: Option<(HashKeyRange, RangeMode)>,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let mut users = deaggregate(payload.data);
        let reason = users.plain_reason();
        match filter {
            Some((range, mode)) if reason.is_none() => {
                self.write_inside(payload, range.filter(users, mode), progress)
            }
            _ => users.try_for_each(|user| self.write(payload, &user, reason.as_ref())),
        }
    }

    fn write_inside<'a>(
        &mut self,
        payload: &Payload<'_>,
        mut inside: InRange<impl Iterator<Item = UserRecord<'a>>>,
        progress: &Progress,
    ) -> Result<(), Failure> {
        for user in &mut inside {
            match user {
                Ok(user) => self.write(payload, &user, None)?,
                Err(fault) => progress.say(format_args!(
                    "{WARNING}warning:{WARNING:#} {}: record {}: {fault} ({:?})",
                    payload.source,
                    payload.record,
                    fault.record.explicit_hash_key.unwrap_or_default()
                )),
            }
        }
        self.left_out = self.left_out.saturating_add(inside.left_out());
        self.faulty = self.faulty.saturating_add(inside.faulty());
        Ok(())
    }

    fn write(
        &mut self,
        payload: &Payload<'_>,
        user: &UserRecord<'_>,
        reason: Option<&PlainReason>,
    ) -> Result<(), Failure> {
        self.base64.clear();
        BASE64.encode_append(user.data, &mut self.base64);
        write_json_line(&mut self.writer, &line(payload, user, reason, &self.base64))
    }
}

fn line<'a>(
    payload: &Payload<'a>,
    user: &UserRecord<'a>,
    reason: Option<&'a PlainReason>,
    base64: &'a str,
) -> Line<'a> {
    let aggregated = reason.is_none();
    Line {
        record: payload.record,
        partition_key: if aggregated { Some(user.partition_key) } else { payload.partition_key },
        explicit_hash_key: if aggregated { user.explicit_hash_key } else { payload.explicit_hash_key },
        data: base64,
        sub_sequence_number: user.sub_sequence_number,
        aggregated,
        reason: reason.map(PlainReason::as_str),
        tags: user.tags,
        metadata: payload.metadata,
    }
}
