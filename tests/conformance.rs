//! Conformance-derived: the wire-level cases of Google's protobuf conformance suite, ported to the three messages.
//!
//! The cases are those of the suite's binary input tests (github.com/protocolbuffers/protobuf, `conformance/`); names in
//! capitals and camel case are the suite's. It is made for other messages, so a case becomes one for each message and
//! field here that it can be said of. What it says of JSON, text, maps, packed and singular message fields has no
//! counterpart in this format. Where `docs/wire-format.md` wants another verdict than the suite, the case names the rule.

#![cfg(feature = "alloc")]
#![expect(clippy::panic, reason = "all numbers are small, and a panic fails the test, as it should")]

#[path = "common/agree.rs"]
mod agree;
mod common;
#[path = "conformance/groups.rs"]
mod groups;
#[path = "conformance/premature_eof.rs"]
mod premature_eof;
mod reference;
#[path = "conformance/tags.rs"]
mod tags;
#[path = "conformance/unknown.rs"]
mod unknown;
#[path = "conformance/values.rs"]
mod values;

use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::{AggregatedRecord, DecodeErrorKind, DigestCheck, PlainReason};

use agree::agree;
use common::{field, frame, hex, varint};

/// Where fields stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    AggregatedRecord,
    Record,
    Tag,
}

const MESSAGES: [Message; 3] = [Message::AggregatedRecord, Message::Record, Message::Tag];

/// A field that the suite takes for an unknown one, and the ones that a message knows.
const UNKNOWN: u64 = 666;

impl Message {
    /// The numbers of its fields.
    const fn known(self) -> &'static [u64] {
        match self {
            Self::AggregatedRecord => &[1, 2, 3],
            Self::Record => &[1, 2, 3, 4],
            Self::Tag => &[1, 2],
        }
    }

    /// A body in which the message is complete and ends with these fields, and where they begin. Other fields follow the
    /// message, if it can be `followed`: a fault must not be healed by them.
    fn ending_with(self, fields: &[u8], followed: bool) -> (Vec<u8>, usize) {
        // Not the first key: an index that is taken for missing or 0 shows.
        let tables = hex("0a 01 7a 0a 01 61 12 01 30");
        let begin = hex(match self {
            Self::AggregatedRecord => "1a 05 08 01 1a 01 78",
            Self::Record => "08 01 1a 01 78",
            Self::Tag => "0a 01 6b",
        });
        let message = [&begin, fields].concat();
        let rest = if followed { hex("1a 05 08 00 1a 01 79 78 01") } else { vec![] };
        let (before, message, after) = match self {
            Self::AggregatedRecord => (tables, message, vec![]),
            Self::Record => (tables, field(3, &message), rest),
            Self::Tag => (tables, field(3, &[hex("08 01 1a 01 78"), field(4, &message)].concat()), rest),
        };
        let offset = before.len() + message.len() - fields.len();
        ([before, message, after].concat(), offset)
    }
}

/// What a case is expected to come to: valid, or a fault at an offset in the fields that it adds.
type Expected = Result<(), (DecodeErrorKind, usize)>;

const VALID: Expected = Ok(());

/// Asserts that a message that ends with these fields has this verdict, in the last message of the payload and in one
/// before others.
fn expect(name: &str, message: Message, fields: &[u8], expected: Expected) {
    for followed in [false, true] {
        let (body, offset) = message.ending_with(fields, followed);
        let verdict = decode(&body, |_| ());
        let expected = expected.map_err(|(kind, at)| (kind, 4 + offset + at));
        assert_eq!(verdict, expected, "{name}: in {message:?}, followed by others: {followed}");
    }
}

/// What `see` sees of the user records, or the fault and its offset in the payload. The specification agrees.
fn decode<T>(body: &[u8], see: impl FnOnce(&[UserRecord<'_>]) -> T) -> Result<T, (DecodeErrorKind, usize)> {
    let payload = frame(body);
    agree(&payload, DigestCheck::Verify);
    match AggregatedRecord::parse(&payload) {
        Ok(aggregate) => Ok(see(&aggregate.records().collect::<Vec<_>>())),
        Err(PlainReason::Malformed(error)) => Err((error.kind(), error.offset())),
        Err(other) => panic!("{other}"),
    }
}

/// A tag of the wire format.
fn tag(number: u64, wire_type: u64) -> Vec<u8> {
    varint(number << 3 | wire_type)
}

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;
const START_GROUP: u64 = 3;
const END_GROUP: u64 = 4;
const FIXED32: u64 = 5;
