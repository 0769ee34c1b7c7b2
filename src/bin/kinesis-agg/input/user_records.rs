//! What `aggregate`, `route` and `verify` read: user records as JSON Lines.

use std::time::Instant;

use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::RecordTag;
use serde::Deserialize;

use crate::args::ReadArgs;
use crate::base64;
use crate::failure::Failure;
use crate::input::json::Text;
use crate::input::lines::{Lines, Place};
use crate::input::{Source, open_each};
use crate::progress::Progress;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(borrow)]
    partition_key: Text<'a>,
    #[serde(borrow)]
    explicit_hash_key: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    tags: Option<Vec<(Text<'a>, Option<Text<'a>>)>>,
}

/// A user record and the line it is from.
pub(crate) struct InputRecord<'a> {
    pub(crate) record: UserRecord<'a>,
    pub(crate) place: &'a Place,
}

/// Whether a line needs data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    Required,
    Optional,
}

/// What the input has next.
pub(crate) enum UserEvent<'a> {
    Record(InputRecord<'a>),
    /// The input has paused: what is finished must be written now.
    Pause {
        /// Set to a time at which this event is to come again if the input still pauses then.
        again_at: &'a mut Option<Instant>,
    },
}

/// Visits the user records of all files, up to the first invalid line.
pub(crate) fn for_each_user_record(
    input: &ReadArgs,
    data: Data,
    progress: &Progress,
    mut visit: impl FnMut(UserEvent<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    open_each(&input.files, progress, |source| read(source, data, &mut visit))
}

fn read(
    source: Source,
    data: Data,
    visit: &mut impl FnMut(UserEvent<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut decoded = Vec::new();
    let mut lines = Lines::new(source);
    while lines.next()?.is_some() {
        let place = lines.place();
        if !lines.current().starts_with(b"{") {
            return Err(place.fault("expected a JSON object"));
        }
        let line = parse(lines.current()).map_err(|error| lines.json_fault(&error, 0))?;
        let data = match (&line.data, &line.text) {
            (Some(data), None) => {
                base64::decode(data.0.as_bytes(), &mut decoded)
                    .map_err(|what| place.fault(format_args!("data: {what}")))?;
                decoded.as_slice()
            }
            (None, Some(text)) => text.0.as_bytes(),
            (Some(_), Some(_)) => return Err(place.fault("both data and text")),
            (None, None) if data == Data::Required => return Err(place.fault("neither data nor text")),
            (None, None) => &[],
        };
        let tags: Vec<RecordTag<'_>> = line.tags.iter().flatten().map(tag).collect();
        let mut record = UserRecord::new(&line.partition_key.0, data).with_tags(&tags);
        record.explicit_hash_key = line.explicit_hash_key.as_ref().map(|key| &*key.0);
        visit(UserEvent::Record(InputRecord { record, place }))?;
    }
    Ok(())
}

/// Parses a line. Validating UTF-8 once for the line is faster than once for each string in it.
fn parse(line: &[u8]) -> serde_json::Result<Line<'_>> {
    match core::str::from_utf8(line) {
        Ok(line) => serde_json::from_str(line),
        Err(_) => serde_json::from_slice(line),
    }
}

fn tag<'a>((key, value): &'a (Text<'_>, Option<Text<'_>>)) -> RecordTag<'a> {
    RecordTag { key: &key.0, value: value.as_ref().map(|value| &*value.0) }
}
