//! What `aggregate` reads: user records as JSON Lines.

use std::path::PathBuf;

use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::RecordTag;
use serde::Deserialize;

use crate::base64;
use crate::failure::Failure;
use crate::input::entry::Text;
use crate::input::lines::Lines;
use crate::input::{Source, open_each};
use crate::progress::Progress;

/// One line.
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

/// A user record, with how to report it if it cannot be packed.
pub(crate) struct Event<'a> {
    pub(crate) record: UserRecord<'a>,
    lines: &'a Lines,
}

impl Event<'_> {
    /// A failure that names the line of the event.
    pub(crate) fn fault(&self, what: impl core::fmt::Display) -> Failure {
        self.lines.fault(what)
    }
}

/// Whether events must have data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    Required,
    Optional,
}

/// Reads all events of all files, up to the first that is bad.
pub(crate) fn for_each_event(
    files: &[PathBuf],
    data: Data,
    progress: &Progress,
    mut visit: impl FnMut(Event<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    open_each(files, progress, |source| read_events(source, data, &mut visit))
}

/// Reads all events of an input, up to the first that is bad.
pub(crate) fn read_events(
    source: Source,
    data: Data,
    visit: &mut impl FnMut(Event<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let required = data == Data::Required;
    let mut decoded = Vec::new();
    let mut lines = Lines::new(source);
    while lines.next()?.is_some() {
        if !lines.current().starts_with(b"{") {
            return Err(lines.fault("a JSON object is expected"));
        }
        let line = parse(lines.current()).map_err(|error| lines.json_fault(&error, 0))?;
        let data = match (&line.data, &line.text) {
            (Some(data), None) => {
                base64::decode(data.0.as_bytes(), &mut decoded)
                    .map_err(|what| lines.fault(format_args!("data: {what}")))?;
                decoded.as_slice()
            }
            (None, Some(text)) => text.0.as_bytes(),
            (Some(_), Some(_)) => return Err(lines.fault("both data and text")),
            (None, None) if required => return Err(lines.fault("neither data nor text")),
            (None, None) => &[],
        };
        let tags: Vec<RecordTag<'_>> = line.tags.iter().flatten().map(tag).collect();
        let mut record = UserRecord::new(&line.partition_key.0, data).with_tags(&tags);
        record.explicit_hash_key = line.explicit_hash_key.as_ref().map(|key| &*key.0);
        visit(Event { record, lines: &lines })?;
    }
    Ok(())
}

/// Parses a line. One look at whether all of it is UTF-8 is faster than one at each of its texts.
fn parse(line: &[u8]) -> serde_json::Result<Line<'_>> {
    match core::str::from_utf8(line) {
        Ok(line) => serde_json::from_str(line),
        Err(_) => serde_json::from_slice(line),
    }
}

fn tag<'a>((key, value): &'a (Text<'_>, Option<Text<'_>>)) -> RecordTag<'a> {
    RecordTag { key: &key.0, value: value.as_ref().map(|value| &*value.0) }
}
