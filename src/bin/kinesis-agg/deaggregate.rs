//! `kinesis-agg deaggregate`.

use std::io::{BufWriter, Write, stdout};

use data_encoding::BASE64;
use kinesis_aggregation::{PlainReason, Tags, UserRecord, deaggregate};
use serde::{Serialize, Serializer};

use crate::args::DeaggregateArgs;
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
    let mut writer = BufWriter::with_capacity(256 * 1024, stdout().lock());
    let progress = Progress::new();
    let mut base64 = String::new();
    let read =
        for_each_payload(&args.input, &progress, |payload| write_lines(&payload, &mut base64, &mut writer));
    writer.flush()?;
    read
}

fn write_lines(payload: &Payload<'_>, base64: &mut String, writer: &mut impl Write) -> Result<(), Failure> {
    let users = deaggregate(payload.data);
    let reason = users.plain_reason();
    for user in users {
        base64.clear();
        BASE64.encode_append(user.data, base64);
        write_json_line(writer, &line(payload, &user, reason.as_ref(), base64))?;
    }
    Ok(())
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
