//! The input of `aggregate`, `route` and `verify`: user records as JSON Lines.

use core::fmt;
use std::time::Instant;

use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::RecordTag;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::args::ReadArgs;
use crate::base64;
use crate::failure::Failure;
use crate::input::detect::foreign;
use crate::input::json::{Base64, Text};
use crate::input::lines::{Lines, Place};
use crate::input::quote::Values;
use crate::input::source::{Source, open_each};
use crate::progress::Progress;

/// A line of the input.
struct Line<'a> {
    partition_key: Text<'a>,
    explicit_hash_key: Option<Text<'a>>,
    data: Option<Base64<'a>>,
    text: Option<Text<'a>>,
    tags: Option<Tags<'a>>,
}

/// Keys and values.
type Tags<'a> = Vec<(Text<'a>, Option<Text<'a>>)>;

/// The names are compared as bytes. Checking them for UTF-8 first, as derived code does, takes 4 % of the time of `aggregate`.
impl<'de> Deserialize<'de> for Line<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LineVisitor)
    }
}

struct LineVisitor;

impl<'de> Visitor<'de> for LineVisitor {
    type Value = Line<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a user record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line<'de>, A::Error> {
        let (mut partition_key, mut explicit_hash_key, mut data, mut text, mut tags) =
            (None, None, None, None, None);
        while let Some(Base64(name)) = map.next_key()? {
            match &*name {
                b"partitionKey" => set(&mut partition_key, "partitionKey", &mut map)?,
                b"explicitHashKey" => set(&mut explicit_hash_key, "explicitHashKey", &mut map)?,
                b"data" => set(&mut data, "data", &mut map)?,
                b"text" => set(&mut text, "text", &mut map)?,
                b"tags" => set(&mut tags, "tags", &mut map)?,
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(Line {
            partition_key: partition_key.ok_or_else(|| A::Error::missing_field("partitionKey"))?,
            explicit_hash_key: explicit_hash_key.flatten(),
            data: data.flatten(),
            text: text.flatten(),
            tags: tags.flatten(),
        })
    }
}

/// Reads a member, which must not be there twice.
fn set<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    member: &mut Option<T>,
    name: &'static str,
    map: &mut A,
) -> Result<(), A::Error> {
    if member.is_some() {
        return Err(A::Error::duplicate_field(name));
    }
    *member = Some(map.next_value()?);
    Ok(())
}

/// A user record and the line it is from.
pub(crate) struct InputRecord<'a> {
    pub(crate) record: UserRecord<'a>,
    pub(crate) place: &'a Place,
}

/// The choice of whether a line needs data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    Required,
    Optional,
}

/// The next part of the input.
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
    let values = Values { shown: !input.no_values };
    open_each(input, progress, |source| read(source, data, values, &mut visit))
}

fn read(
    source: Source,
    data: Data,
    values: Values,
    visit: &mut impl FnMut(UserEvent<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut decoded = Vec::new();
    let mut lines = Lines::new(source);
    while lines.next(|| pause(visit))?.is_some() {
        let place = lines.place();
        let fault = |what: String| if lines.is_cut() { Ok(()) } else { Err(place.fault(what)) };
        if !lines.current().starts_with(b"{") {
            return fault(format!("expected a JSON object{}", describe(lines.current(), values)));
        }
        let line = match serde_json::from_slice::<Line<'_>>(lines.current()) {
            Ok(line) => line,
            Err(error) => return fault(describe_error(&lines, &error, values)),
        };
        let data = match (&line.data, &line.text) {
            (Some(data), None) => match base64::decode_at(&data.0, &mut decoded, 0) {
                Ok(len) => decoded.get(..len).unwrap_or_default(),
                Err(what) => {
                    let shown = values.show(&data.0);
                    return fault(format!("data: {what}{shown}; data that is text belongs in \"text\""));
                }
            },
            (None, Some(text)) => text.0.as_bytes(),
            (Some(_), Some(_)) => return fault("both data and text".to_owned()),
            (None, None) if data == Data::Required => return fault("neither data nor text".to_owned()),
            (None, None) => &[],
        };
        let tags: Vec<RecordTag<'_>> = line.tags.iter().flatten().map(tag).collect();
        let mut record = UserRecord::new(&line.partition_key.0, data).with_tags(&tags);
        record.explicit_hash_key = line.explicit_hash_key.as_ref().map(|key| &*key.0);
        visit(UserEvent::Record(InputRecord { record, place }))?;
    }
    Ok(())
}

fn pause(visit: &mut impl FnMut(UserEvent<'_>) -> Result<(), Failure>) -> Result<Option<Instant>, Failure> {
    let mut again_at = None;
    visit(UserEvent::Pause { again_at: &mut again_at })?;
    Ok(again_at)
}

/// Describes a line that is not an object.
fn describe(line: &[u8], values: Values) -> String {
    match foreign(line) {
        Some(what) => format!(", but this looks like {what}"),
        None if line.starts_with(b"[") => {
            ", but this is a list: write each user record on a line of its own, for example with jq -c '.[]'"
                .to_owned()
        }
        None => values.show(line),
    }
}

/// Describes an error in the JSON of a line, and the expected form.
fn describe_error(lines: &Lines, error: &serde_json::Error, values: Values) -> String {
    if error.is_eof() {
        return format!(
            "{}: a user record has to be on one line; jq -c . joins the lines of each",
            lines.json_error(error, lines.indentation(), values)
        );
    }
    let what = lines.json_error(error, lines.indentation(), values);
    if error.is_data() && what.contains("missing field") {
        return format!(
            "{what}; expected {{\"partitionKey\": \"…\", \"data\": \"<base64>\"}}, or \"text\" for data"
        );
    }
    what
}

fn tag<'a>((key, value): &'a (Text<'_>, Option<Text<'_>>)) -> RecordTag<'a> {
    RecordTag { key: &key.0, value: value.as_ref().map(|value| &*value.0) }
}
