//! `kinesis-agg deaggregate`: a JSON line for each user record.

use std::io::Write;

use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::PlainReason;
use kinesis_aggregation::route::RangeMode;

use crate::args::{DeaggregateArgs, DeaggregateOutput, RangeArg};
use crate::failure::Failure;
use crate::input::Payload;
use crate::output::{JsonLines, Object};
use crate::progress::Progress;
use crate::select::{Sink, for_each_selected};
use crate::text::counted;

pub(crate) fn run(args: &DeaggregateArgs) -> Result<(), Failure> {
    if args.text && args.output == DeaggregateOutput::Lambda {
        return Err(Failure::Usage(
            "--text requires --output lines: Lambda events have data in base64".to_owned(),
        ));
    }
    let mode = match args.range.unwrap_or_default() {
        RangeArg::Each => RangeMode::Each,
        RangeArg::All => RangeMode::All,
    };
    let range = args.hash_range.map(|range| (range, mode));
    let progress = Progress::new();
    let mut writer = Writer { lines: JsonLines::stdout(), output: args.output, text: args.text };
    let (seen, read) = for_each_selected(&args.input, &args.selection, range, &progress, &mut writer);
    if let Some((range, _)) = range {
        let skipped = counted(seen.outside, "user record");
        progress.note(format_args!("skipped {skipped} with hash keys outside {range}"));
    }
    let mut findings = Vec::new();
    if seen.unusable > 0 {
        let skipped = counted(seen.unusable, "user record");
        findings.push(format!("skipped {skipped} with invalid explicit hash keys"));
    }
    if args.strict && seen.damaged > 0 {
        findings.push(counted(seen.damaged, "damaged aggregate"));
    }
    Failure::found(read, findings)
}

/// Writes user records in one of the two forms.
struct Writer<W> {
    lines: JsonLines<W>,
    output: DeaggregateOutput,
    text: bool,
}

impl<W: Write> Sink for Writer<W> {
    fn write(
        &mut self,
        payload: &Payload<'_>,
        user: &UserRecord<'_>,
        reason: Option<PlainReason>,
    ) -> Result<(), Failure> {
        match self.output {
            DeaggregateOutput::Lines => self.line(payload, user, reason.as_ref()),
            DeaggregateOutput::Lambda => self.lambda_record(payload, user, reason.is_none()),
        }
        self.lines.end_line()
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.lines.flush()
    }
}

impl<W: Write> Writer<W> {
    fn line(&mut self, payload: &Payload<'_>, user: &UserRecord<'_>, reason: Option<&PlainReason>) {
        let (partition_key, explicit_hash_key) = payload.keys_of(user, reason.is_some());
        let mut line = self.lines.object();
        line.value("record", payload.record);
        line.value("partitionKey", partition_key);
        line.value("explicitHashKey", explicit_hash_key);
        match self.text.then(|| core::str::from_utf8(user.data)) {
            Some(Ok(text)) => line.value("text", text),
            _ => line.base64("data", user.data),
        }
        line.value("subSequenceNumber", user.sub_sequence_number);
        line.value("aggregated", reason.is_none());
        line.some("reason", reason.map(PlainReason::as_str));
        write_tags(&mut line, user);
        line.members(payload.record_metadata);
        line.members(payload.event_metadata);
        line.end();
    }

    /// Writes what Python's library returns: the record of the Lambda event with the user record inside. A plain record
    /// stays as it is, without the members that only user records have.
    fn lambda_record(&mut self, payload: &Payload<'_>, user: &UserRecord<'_>, aggregated: bool) {
        let mut line = self.lines.object();
        let mut kinesis = line.begin("kinesis");
        if !payload.has_schema_version {
            // Only Lambda states the version, and there has never been another one.
            kinesis.value("kinesisSchemaVersion", "1.0");
        }
        kinesis.members(payload.record_metadata);
        if aggregated {
            kinesis.value("explicitHashKey", user.explicit_hash_key);
            kinesis.value("partitionKey", user.partition_key);
            kinesis.value("subSequenceNumber", user.sub_sequence_number);
            kinesis.value("aggregated", true);
        } else {
            kinesis.some("explicitHashKey", payload.explicit_hash_key);
            kinesis.some("partitionKey", payload.partition_key);
        }
        kinesis.base64("data", user.data);
        write_tags(&mut kinesis, user);
        kinesis.end();
        line.members(payload.event_metadata);
        line.end();
    }
}

fn write_tags(line: &mut Object<'_>, user: &UserRecord<'_>) {
    if user.tags.len() > 0 {
        line.value("tags", user.tags.map(|tag| (tag.key, tag.value)).collect::<Vec<_>>());
    }
}
