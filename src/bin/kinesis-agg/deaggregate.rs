//! `kinesis-agg deaggregate`.

use std::io::{Write, stdout};

use kinesis_aggregation::decode::PlainReason;
use kinesis_aggregation::route::{HashKeyRange, InRange, RangeMode};
use kinesis_aggregation::{UserRecord, deaggregate};

use crate::args::{DeaggregateArgs, RangeArg, UserRecordForm, WARNING};
use crate::failure::Failure;
use crate::input::{Payload, for_each_payload};
use crate::json_lines::{JsonLines, Object};
use crate::progress::Progress;

pub(crate) fn run(args: &DeaggregateArgs) -> Result<(), Failure> {
    let mode = match args.range.unwrap_or_default() {
        RangeArg::Each => RangeMode::Each,
        RangeArg::All => RangeMode::All,
    };
    let filter = args.hash_range.map(|range| (range, mode));
    let progress = Progress::new();
    let mut lines = Lines {
        lines: JsonLines::new(stdout().lock()),
        form: args.output,
        record_metadata: String::new(),
        event_metadata: String::new(),
        left_out: 0,
        faulty: 0,
    };
    let read =
        for_each_payload(&args.input, &progress, |payload| lines.write_all(&payload, filter, &progress));
    lines.lines.flush()?;
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
    lines: JsonLines<W>,
    form: UserRecordForm,
    /// What the lines of a payload have in common, in JSON.
    record_metadata: String,
    event_metadata: String,
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
        self.record_metadata = serde_json::to_string(&payload.metadata.record).unwrap_or_default();
        self.event_metadata = serde_json::to_string(&payload.metadata.event).unwrap_or_default();
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
        self.faulty = self.faulty.saturating_add(inside.invalid());
        Ok(())
    }

    fn write(
        &mut self,
        payload: &Payload<'_>,
        user: &UserRecord<'_>,
        reason: Option<&PlainReason>,
    ) -> Result<(), Failure> {
        match self.form {
            UserRecordForm::Lines => self.write_line(payload, user, reason),
            UserRecordForm::Lambda => self.write_event(payload, user, reason.is_none()),
        }
        self.lines.end_line()
    }

    fn write_line(&mut self, payload: &Payload<'_>, user: &UserRecord<'_>, reason: Option<&PlainReason>) {
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
        line.members(&self.record_metadata);
        line.members(&self.event_metadata);
        line.end();
    }

    /// Writes what Python's library returns: Lambda's record, into which the user record was put. A plain record is as it
    /// came, so it lacks what only user records have.
    fn write_event(&mut self, payload: &Payload<'_>, user: &UserRecord<'_>, aggregated: bool) {
        let mut line = self.lines.object();
        let mut kinesis = line.begin("kinesis");
        if payload.metadata.record.kinesis_schema_version.is_none() {
            // Only Lambda tells the version. There has never been another one.
            kinesis.value("kinesisSchemaVersion", "1.0");
        }
        kinesis.members(&self.record_metadata);
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
        line.members(&self.event_metadata);
        line.end();
    }
}

fn write_tags(line: &mut Object<'_>, user: &UserRecord<'_>) {
    if user.tags.len() > 0 {
        line.value("tags", user.tags.map(|tag| (tag.key, tag.value)).collect::<Vec<_>>());
    }
}
