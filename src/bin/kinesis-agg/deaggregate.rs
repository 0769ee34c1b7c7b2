//! `kinesis-agg deaggregate`: a JSON line for each user record.

use std::io::{Write, stdout};

use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::PlainReason;
use kinesis_aggregation::route::{HashKeyRange, InRange, RangeMode};

use crate::args::{DeaggregateArgs, DeaggregateOutput, RangeArg};
use crate::failure::Failure;
use crate::input::{Event, Payload, for_each_event};
use crate::output::{JsonLines, Object};
use crate::progress::Progress;

pub(crate) fn run(args: &DeaggregateArgs) -> Result<(), Failure> {
    let mode = match args.range.unwrap_or_default() {
        RangeArg::Each => RangeMode::Each,
        RangeArg::All => RangeMode::All,
    };
    let progress = Progress::new();
    let mut writer = Writer {
        lines: JsonLines::new(stdout().lock()),
        output: args.output,
        filter: args.hash_range.map(|range| (range, mode)),
        progress: &progress,
        outside: 0,
        invalid: 0,
    };
    let read = for_each_event(&args.input, &progress, |event| match event {
        Event::Payload(payload) => writer.payload(&payload),
        Event::Damaged(_) | Event::Pause => writer.lines.flush(),
    });
    writer.lines.flush()?;
    if let Some((range, _)) = writer.filter {
        let count = user_records(writer.outside);
        progress.say(format_args!("skipped {count} with hash keys outside {range}"));
    }
    read?;
    match writer.invalid {
        0 => Ok(()),
        count => {
            Err(Failure::Input(format!("skipped {} with invalid explicit hash keys", user_records(count))))
        }
    }
}

fn user_records(count: u64) -> String {
    format!("{count} user record{}", if count == 1 { "" } else { "s" })
}

/// Writes user records, and counts those that the filter skips.
struct Writer<'p, W> {
    lines: JsonLines<W>,
    output: DeaggregateOutput,
    filter: Option<(HashKeyRange, RangeMode)>,
    progress: &'p Progress,
    outside: u64,
    invalid: u64,
}

impl<W: Write> Writer<'_, W> {
    fn payload(&mut self, payload: &Payload<'_>) -> Result<(), Failure> {
        match (payload.parse(), self.filter) {
            (Ok(aggregate), Some((range, mode))) => {
                self.filtered(payload, range.filter(aggregate.records(), mode))
            }
            (Ok(aggregate), None) => {
                aggregate.records().try_for_each(|user| self.user_record(payload, &user, None))
            }
            // A plain record is its own user record.
            (Err(reason), _) => {
                let user = UserRecord::new(payload.partition_key.unwrap_or_default(), payload.data);
                self.user_record(payload, &user, Some(&reason))
            }
        }
    }

    fn filtered<'a>(
        &mut self,
        payload: &Payload<'_>,
        mut inside: InRange<impl Iterator<Item = UserRecord<'a>>>,
    ) -> Result<(), Failure> {
        for user in &mut inside {
            match user {
                Ok(user) => self.user_record(payload, &user, None)?,
                Err(invalid) => self.progress.warn(format_args!(
                    "{}: record {}: {invalid} ({:?})",
                    payload.place,
                    payload.record,
                    invalid.record.explicit_hash_key.unwrap_or_default()
                )),
            }
        }
        self.outside += inside.left_out();
        self.invalid += inside.invalid();
        Ok(())
    }

    /// Writes a user record. A plain record is its own user record; `reason` says why it is plain.
    fn user_record(
        &mut self,
        payload: &Payload<'_>,
        user: &UserRecord<'_>,
        reason: Option<&PlainReason>,
    ) -> Result<(), Failure> {
        match self.output {
            DeaggregateOutput::Lines => self.line(payload, user, reason),
            DeaggregateOutput::Lambda => self.lambda_record(payload, user, reason.is_none()),
        }
        self.lines.end_line()
    }

    fn line(&mut self, payload: &Payload<'_>, user: &UserRecord<'_>, reason: Option<&PlainReason>) {
        let (partition_key, explicit_hash_key) = match reason {
            None => (Some(user.partition_key), user.explicit_hash_key),
            Some(_) => (payload.partition_key, payload.explicit_hash_key),
        };
        let mut line = self.lines.object();
        line.value("record", payload.record);
        line.value("partitionKey", partition_key);
        line.value("explicitHashKey", explicit_hash_key);
        line.base64("data", user.data);
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
