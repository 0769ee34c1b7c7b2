//! `kinesis-agg deaggregate`.

use std::io::{Write, stdout};

use kinesis_aggregation::{HashKeyRange, InRange, PlainReason, RangeMode, UserRecord, deaggregate};

use crate::args::{DeaggregateArgs, RangeArg, WARNING};
use crate::failure::Failure;
use crate::input::{Payload, for_each_payload};
use crate::json_lines::JsonLines;
use crate::progress::Progress;

pub(crate) fn run(args: &DeaggregateArgs) -> Result<(), Failure> {
    let mode = match args.range.unwrap_or_default() {
        RangeArg::Each => RangeMode::Each,
        RangeArg::All => RangeMode::All,
    };
    let filter = args.hash_range.map(|range| (range, mode));
    let progress = Progress::new();
    let mut lines =
        Lines { lines: JsonLines::new(stdout().lock()), metadata: String::new(), left_out: 0, faulty: 0 };
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
    /// What the lines of a payload have in common, in JSON.
    metadata: String,
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
        self.metadata = serde_json::to_string(&payload.metadata).unwrap_or_default();
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
        if user.tags.len() > 0 {
            line.value("tags", user.tags.map(|tag| (tag.key, tag.value)).collect::<Vec<_>>());
        }
        line.members(&self.metadata);
        line.end();
        self.lines.end_line()
    }
}
