//! The user records that `deaggregate` and `cat` write.

use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::{MAGIC, PlainReason};
use kinesis_aggregation::route::{HashKeyRange, RangeMode};

use crate::args::{InputArgs, SelectionArgs};
use crate::damage::likely_cause;
use crate::failure::Failure;
use crate::input::{Event, Payload, for_each_event};
use crate::progress::Progress;
use crate::text::{MESSAGE_VALUE, quoted, record_name};

/// The destination of selected user records.
pub(crate) trait Sink {
    /// Takes a user record. A plain record is its own user record; `reason` says why it is plain.
    fn write(
        &mut self,
        payload: &Payload<'_>,
        user: &UserRecord<'_>,
        reason: Option<PlainReason>,
    ) -> Result<(), Failure>;

    /// Writes what is in the buffer.
    fn flush(&mut self) -> Result<(), Failure>;
}

/// The counts of a selection.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Payloads that begin with the magic and are plain.
    pub(crate) damaged: u64,
    /// User records with hash keys outside the range.
    pub(crate) outside: u64,
    /// User records whose explicit hash key is not a number, where there is a range.
    pub(crate) unusable: u64,
}

/// Reads the input, and passes the selected user records to `sink`.
pub(crate) fn for_each_selected(
    input: &InputArgs,
    selection: &SelectionArgs,
    range: Option<(HashKeyRange, RangeMode)>,
    progress: &Progress,
    sink: &mut impl Sink,
) -> (Seen, Result<(), Failure>) {
    let no_values = input.read.no_values;
    let mut selector =
        Selector { selection, matched: 0, left: selection.limit.map(|limit| limit.get()), no_values, range };
    let mut seen = Seen::default();
    let mut unreadable = false;
    let read = for_each_event(input, progress, |event| match event {
        Event::Payload(payload) => {
            if selection.at.is_none_or(|at| at.record == payload.record) {
                selector.payload(&payload, &mut seen, progress, sink)?;
            }
            // Nothing behind the wanted record is read.
            let is_last = selection.at.is_some_and(|at| at.record <= payload.record);
            if is_last { Err(Failure::Enough) } else { Ok(()) }
        }
        Event::Damaged(_) => {
            unreadable = true;
            sink.flush()
        }
        Event::Pause => sink.flush(),
    });
    let flushed = sink.flush();
    let read = match read {
        Err(Failure::Enough) if unreadable => Err(Failure::Reported),
        Err(Failure::Enough) => Ok(()),
        read => read,
    };
    // An error of the output comes first: it is why reading stopped.
    (seen, flushed.and(read))
}

struct Selector<'a> {
    selection: &'a SelectionArgs,
    /// The number of user records that met all conditions, not counting `--sample`.
    matched: u64,
    /// The number of user records that may still be written, if there is a limit.
    left: Option<u64>,
    no_values: bool,
    range: Option<(HashKeyRange, RangeMode)>,
}

impl Selector<'_> {
    fn payload(
        &mut self,
        payload: &Payload<'_>,
        seen: &mut Seen,
        progress: &Progress,
        sink: &mut impl Sink,
    ) -> Result<(), Failure> {
        match (payload.parse(), self.range) {
            (Ok(aggregate), None) => {
                aggregate.records().try_for_each(|user| self.user_record(payload, &user, None, sink))
            }
            (Ok(aggregate), Some((range, mode))) => {
                let mut inside = range.filter(aggregate.records(), mode);
                for user in &mut inside {
                    match user {
                        Ok(user) => self.user_record(payload, &user, None, sink)?,
                        Err(unusable) if self.no_values => {
                            progress.warn(format_args!("{}: {unusable}", record_name(payload)));
                        }
                        Err(unusable) => {
                            let key = unusable.record.explicit_hash_key.unwrap_or_default();
                            let key = quoted(key, MESSAGE_VALUE);
                            progress.warn(format_args!("{}: {unusable} ({key})", record_name(payload)));
                        }
                    }
                }
                seen.outside += inside.left_out();
                seen.unusable += inside.invalid();
                Ok(())
            }
            (Err(reason), _) => {
                if payload.data.starts_with(&MAGIC) {
                    seen.damaged += 1;
                    warn_of_damage(payload, reason, progress);
                }
                let user = UserRecord::new(payload.partition_key.unwrap_or_default(), payload.data);
                self.user_record(payload, &user, Some(reason), sink)
            }
        }
    }

    fn user_record(
        &mut self,
        payload: &Payload<'_>,
        user: &UserRecord<'_>,
        reason: Option<PlainReason>,
        sink: &mut impl Sink,
    ) -> Result<(), Failure> {
        if !self.matches(payload, user, reason.is_some()) {
            return Ok(());
        }
        self.matched += 1;
        if self.selection.sample.is_some_and(|sample| (self.matched - 1) % sample.get() != 0) {
            return Ok(());
        }
        sink.write(payload, user, reason)?;
        if let Some(left) = &mut self.left {
            *left -= 1;
            if *left == 0 {
                return Err(Failure::Enough);
            }
        }
        Ok(())
    }

    fn matches(&self, payload: &Payload<'_>, user: &UserRecord<'_>, is_plain: bool) -> bool {
        let SelectionArgs { keys, grep, at, .. } = self.selection;
        let (key, _) = payload.keys_of(user, is_plain);
        let wanted = at.and_then(|at| at.sub_sequence_number);
        wanted.is_none_or(|number| user.sub_sequence_number == number)
            && (keys.is_empty() || key.is_some_and(|key| keys.iter().any(|wanted| wanted == key)))
            && grep.as_ref().is_none_or(|grep| grep.is_match(user.data))
    }
}

fn warn_of_damage(payload: &Payload<'_>, reason: PlainReason, progress: &Progress) {
    let cause = likely_cause(payload.data, reason);
    let cause = cause.map_or(String::new(), |cause| format!(", probably {}", cause.phrase()));
    progress.warn(format_args!(
        "{}: damaged aggregate ({}{cause}), written unchanged",
        record_name(payload),
        reason.as_str()
    ));
}
