//! What `bench` reads: user records as `aggregate` reads them, or payloads in any form, whichever they turn out to be.

use core::fmt;
use std::path::PathBuf;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::failure::Failure;
use crate::input::detect::{form_of, look_ahead};
use crate::input::entry::Text;
use crate::input::events::{Data, Event, read_events};
use crate::input::open_each;
use crate::input::payloads::{Counting, Payload};
use crate::progress::Progress;

/// One of what was read.
pub(crate) enum Item<'a> {
    Event(Event<'a>),
    Payload(Payload<'a>),
}

/// Reads all of all files, each as what it begins with, up to the first that is bad.
pub(crate) fn for_each_item(
    files: &[PathBuf],
    progress: &Progress,
    mut visit: impl FnMut(Item<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut records = 0;
    open_each(files, progress, |source| {
        let (source, beginning) = look_ahead(source)?;
        if begins_with_event(&beginning) {
            return read_events(source, Data::Required, &mut |event| visit(Item::Event(event)));
        }
        let mut payloads = Counting::from(records, |payload: Payload<'_>| visit(Item::Payload(payload)));
        payloads.read(source, form_of(&beginning))?;
        records = payloads.records();
        Ok(())
    })
}

/// Says whether something begins with a JSON object that has a partition key as user records have it. The end of the
/// object may be missing.
fn begins_with_event(beginning: &[u8]) -> bool {
    struct Names<'a>(&'a mut bool);

    impl<'de> Visitor<'de> for Names<'_> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(Text(name)) = map.next_key()? {
                *self.0 |= name == "partitionKey";
                map.next_value::<IgnoredAny>()?;
            }
            Ok(())
        }
    }

    let mut found = false;
    let json = beginning.strip_prefix(crate::input::BYTE_ORDER_MARK).unwrap_or(beginning);
    // What is wrong is found when all of it is read.
    _ = serde_json::Deserializer::from_slice(json).deserialize_map(Names(&mut found));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_and_others() {
        let cases: &[(&str, &[u8], bool)] = &[
            ("nothing", b"", false),
            ("an event", b"{\"partitionKey\": \"a\"}", true),
            ("after blanks and a mark", b"\xef\xbb\xbf\n {\"partitionKey\": \"a\"}", true),
            ("the data first", b"{\"data\": \"YQ==\", \"partitionKey\": \"a\", \"x\": {}}\n{", true),
            ("cut behind it", b"{\"partitionKey\": \"a\", \"data\": \"YQ", true),
            ("cut before it", b"{\"data\": \"YQ", false),
            ("an entry", b"{\"PartitionKey\": \"a\", \"Data\": \"YQ==\"}", false),
            ("further inside", b"{\"Records\": [{\"kinesis\": {\"partitionKey\": \"a\"}}]}", false),
            ("a list", b"[{\"partitionKey\": \"a\"}]", false),
            ("bytes", b"\xf3\x89\x9a\xc2", false),
        ];
        for &(name, beginning, expected) in cases {
            assert_eq!(begins_with_event(beginning), expected, "{name}");
        }
    }
}
