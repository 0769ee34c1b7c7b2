//! Malformed bodies are plain, with the kind and the offset of their fault, and unusual ones that are valid are decoded.
//!
//! A payload that a fuzzer finds becomes a row here, with a name that says what is wrong with it.

use std::collections::HashMap;

use kinesis_aggregation::Payload;
#[cfg(feature = "alloc")]
use kinesis_aggregation::deaggregate;
use kinesis_aggregation::decode::DecodeErrorKind::{self, *};
use kinesis_aggregation::decode::{DigestCheck, MAGIC, PlainReason};

use crate::common::{field, frame, hex, long_varint};

/// The number of user records in a body, or its fault and the offset.
type Outcome = Result<usize, (DecodeErrorKind, usize)>;

fn decode(name: &str, body: &[u8]) -> Outcome {
    let payload = frame(body);
    // The shortest key takes two bytes.
    let found = match Payload::parse(&payload, &mut vec![""; body.len() / 2]) {
        Payload::Aggregated(aggregate) => {
            assert_eq!(aggregate.records().count(), aggregate.len(), "{name}");
            Ok(aggregate.len())
        }
        Payload::Plain(PlainReason::Malformed(error)) => Err(error),
        other => panic!("{name}: {other:?}"),
    };
    // The size of the buffer does not change the verdict.
    match Payload::parse_with(&payload, &mut [], DigestCheck::Skip) {
        Payload::Plain(reason) => assert_eq!(found.map_err(PlainReason::Malformed), Err(reason), "{name}"),
        Payload::Aggregated(_) | Payload::NeedsKeys { .. } => assert!(found.is_ok(), "{name}"),
    }
    // A malformed payload yields nothing but itself.
    #[cfg(feature = "alloc")]
    {
        let users = deaggregate(&payload);
        assert_eq!(users.plain_reason(), found.err().map(PlainReason::Malformed), "{name}");
        match found {
            Ok(count) => assert_eq!(users.len(), count, "{name}"),
            Err(_) => assert!(users.map(|user| user.data).eq([&payload[..]]), "{name}"),
        }
    }
    found.map_err(|error| {
        assert_eq!(error.to_string(), format!("{} at byte {}", error.kind(), error.offset()), "{name}");
        (error.kind(), error.offset())
    })
}

/// A name, a body in hexadecimal with `^` before the byte that the fault is reported at, and the fault.
const FAULTS: &[(&str, &str, DecodeErrorKind)] = &[
    // Values (D6).
    ("index cut off by the end of the body", "0a 01 61 1a 01 08", Truncated),
    ("index cut off by the end of its record", "1a 02 08 ^80 01 00", Truncated),
    ("fixed64 over the end of its record", "0a 00 1a 08 49 ^00 00 00 00 00 00 00 00", Truncated),
    ("fixed32 of 3 bytes", "08 00 4d ^00 00 00", Truncated),
    ("tag cut off", "08 01 ^88", Truncated),
    ("eleven bytes of index", "1a 0c 08 ^80 80 80 80 80 80 80 80 80 80 00", VarintOverflow),
    ("bit 64 of an index", "1a 0c 08 ^ff ff ff ff ff ff ff ff ff 02 00", VarintOverflow),
    ("bit 64 of a length, which is 1 without it", "0a ^81 80 80 80 80 80 80 80 80 02 61", VarintOverflow),
    ("bit 64 of a tag, which is 0a without it", "^8a 80 80 80 80 80 80 80 80 02 01 61", VarintOverflow),
    // Tags (D7).
    ("field 0", "08 01 ^02 00", FieldNumber),
    ("field 2^29", "^80 80 80 80 10 00", FieldNumber),
    ("field 2^29 + 1, which is 1 in 29 bits", "^8a 80 80 80 10 01 61", FieldNumber),
    ("field 2^32 + 1, which is 1 in 32 bits", "^8a 80 80 80 80 01 01 61", FieldNumber),
    ("field 0 in a group", "4b ^03 04 4c", FieldNumber),
    ("wire type 6", "^0e", WireType),
    ("wire type 7 in a record", "1a 02 ^0f 00", WireType),
    // Lengths (D8).
    ("one more than there is", "0a ^02 61", LengthOutOfBounds),
    ("2^31, negative in 32 bits", "0a ^80 80 80 80 08 61", LengthOutOfBounds),
    ("2^32 + 1, which is 1 in 32 bits", "0a ^81 80 80 80 10 61", LengthOutOfBounds),
    ("2^63, negative in 64 bits", "0a ^80 80 80 80 80 80 80 80 80 01 61", LengthOutOfBounds),
    ("2^64 - 1, which is -1", "1a ^ff ff ff ff ff ff ff ff ff 01 08 00", LengthOutOfBounds),
    ("data of 2^64 - 8", "0a 00 1a 0d 08 00 1a ^f8 ff ff ff ff ff ff ff ff 01", LengthOutOfBounds),
    ("data past its record, but not the body", "1a 05 08 00 1a ^02 78 79", LengthOutOfBounds),
    ("tag past its record, but not the body", "1a 06 08 00 1a 00 22 ^02 0a 00", LengthOutOfBounds),
    ("tag key past its tag, but not the record", "1a 0a 08 00 1a 00 22 02 0a ^02 0a 00", LengthOutOfBounds),
    ("bytes in a group past its record", "1a 03 4b 4a ^01 78 4c", LengthOutOfBounds),
    // Groups (D9).
    ("end without beginning", "^4c", UnmatchedGroupEnd),
    ("end of another group", "4b ^44", UnmatchedGroupEnd),
    ("ends in the wrong order", "4b 43 ^4c 44", UnmatchedGroupEnd),
    ("ended twice, in a record", "1a 03 4b 4c ^4c", UnmatchedGroupEnd),
    ("never ended", "08 01 ^4b 08 01", UnterminatedGroup),
    ("begun in a record, ended after it", "1a 05 08 00 ^4b 08 01 4c", UnterminatedGroup),
    ("begun in a tag, ended in its record", "1a 0a 08 00 1a 00 22 03 0a 00 ^4b 4c", UnterminatedGroup),
    ("records as a group, never ended", "^1b 08 00 1a 00", UnterminatedGroup),
    // UTF-8 (D12).
    ("partition key nobody uses", "0a 02 61 ^ff", InvalidUtf8),
    ("surrogate", "0a 03 ^ed a0 80", InvalidUtf8),
    ("over-long slash", "12 03 30 ^c0 af", InvalidUtf8),
    ("character cut off by the end of the key", "0a 03 61 ^e2 82 ac", InvalidUtf8),
    ("tag value that a later one overrides", "1a 0d 08 00 1a 00 22 07 12 01 ^ff 12 00 0a 00", InvalidUtf8),
    // What is required (D4).
    ("empty record", "0a 00 ^1a 00", MissingPartitionKeyIndex),
    (
        "partition key index as fixed64",
        "0a 00 ^1a 0b 09 00 00 00 00 00 00 00 00 1a 00",
        MissingPartitionKeyIndex,
    ),
    ("no data", "0a 00 ^1a 02 08 00", MissingData),
    ("data in a group", "0a 00 ^1a 06 08 00 4b 1a 00 4c", MissingData),
    ("empty tag", "1a 06 08 00 1a 00 ^22 00", MissingTagKey),
    ("tag with a value alone, in a record without data", "1a 04 ^22 02 12 00", MissingTagKey),
    // Indexes (D11).
    ("no table", "1a 04 08 ^00 1a 00", PartitionKeyIndexOutOfRange),
    ("one too far", "0a 00 1a 04 08 ^01 1a 00", PartitionKeyIndexOutOfRange),
    ("one too far, with an unknown field", "0a 00 1a 06 08 ^01 48 00 1a 00", PartitionKeyIndexOutOfRange),
    ("one too far, in three bytes more", "0a 00 1a 07 08 ^81 80 80 00 1a 00", PartitionKeyIndexOutOfRange),
    ("2^32, which is 0 in 32 bits", "0a 00 1a 08 08 ^80 80 80 80 10 1a 00", PartitionKeyIndexOutOfRange),
    (
        "2^64 - 1, which is -1",
        "0a 00 1a 0d 08 ^ff ff ff ff ff ff ff ff ff 01 1a 00",
        PartitionKeyIndexOutOfRange,
    ),
    ("into the other table", "0a 00 12 00 1a 04 08 ^01 1a 00", PartitionKeyIndexOutOfRange),
    ("explicit, no table", "0a 00 1a 06 08 00 10 ^00 1a 00", ExplicitHashKeyIndexOutOfRange),
    (
        "explicit, 2^64 - 1, which wraps past the first table",
        "0a 00 12 00 1a 0f 08 00 10 ^ff ff ff ff ff ff ff ff ff 01 1a 00",
        ExplicitHashKeyIndexOutOfRange,
    ),
    (
        "only the last record is bad",
        "0a 00 1a 04 08 00 1a 00 1a 04 08 00 1a 00 1a 04 08 ^01 1a 00",
        PartitionKeyIndexOutOfRange,
    ),
    (
        "first bad one in wire order, not the largest",
        "0a 00 1a 06 08 00 10 ^00 1a 00 1a 05 08 ff 01 1a 00",
        ExplicitHashKeyIndexOutOfRange,
    ),
];

#[test]
fn each_fault_is_found_where_it_is() {
    for &(name, marked, kind) in FAULTS {
        // Without a mark, the fault is at the end.
        let (before, _) = marked.split_once('^').unwrap_or((marked, ""));
        assert_eq!(decode(name, &hex(marked)), Err((kind, 4 + hex(before).len())), "{name}");
    }
}

#[test]
fn every_kind_of_fault_has_a_row_and_a_message() {
    let messages: HashMap<DecodeErrorKind, &str> = HashMap::from([
        (Truncated, "value cut short"),
        (VarintOverflow, "varint of more than 64 bits"),
        (FieldNumber, "field number out of range"),
        (WireType, "unknown wire type"),
        (LengthOutOfBounds, "length past the end of its message"),
        (UnmatchedGroupEnd, "group end without its start"),
        (UnterminatedGroup, "group without end"),
        (InvalidUtf8, "invalid UTF-8"),
        (MissingPartitionKeyIndex, "user record without partition key index"),
        (MissingData, "user record without data"),
        (MissingTagKey, "tag without key"),
        (PartitionKeyIndexOutOfRange, "partition key index out of range"),
        (ExplicitHashKeyIndexOutOfRange, "explicit hash key index out of range"),
    ]);
    for (_, _, kind) in FAULTS {
        assert_eq!(Some(&*kind.to_string()), messages.get(kind).copied());
    }
    for kind in messages.keys() {
        assert!(FAULTS.iter().any(|(_, _, other)| other == kind), "{kind:?} has no row");
    }
    // Rows for groups that nest too deep are below.
    assert_eq!(GroupsTooDeep.to_string(), "more than 100 groups open");
}

#[test]
fn large_and_deep_bodies_have_the_expected_verdict() {
    let open = |depth| vec![0x4b; depth];
    let nested = |depth| [vec![0x4b; depth], vec![0x4c; depth]].concat();
    let record = hex("08 00 1a 01 78");
    let good = |fields: Vec<u8>| [hex("0a 01 61 1a 05 08 00 1a 01 78"), fields].concat();
    let in_record =
        |fields: Vec<u8>| [hex("0a 01 61"), field(3, &[record.clone(), fields].concat())].concat();
    let in_tag = |fields: Vec<u8>| in_record(field(4, &[hex("0a 01 6b"), fields].concat()));
    // The first group of the body stands at `offset`; the hundred and first is too many.
    let bomb = |offset: usize| Err((GroupsTooDeep, 4 + offset + 100));
    let one = Ok(1);

    let rows: Vec<(&str, Vec<u8>, Outcome)> = vec![
        ("100 groups", good(nested(100)), one),
        ("101 groups", good(nested(101)), bomb(10)),
        ("100 groups in a record", in_record(nested(100)), one),
        ("101 groups in a record", in_record(nested(101)), bomb(11)),
        ("100 groups in a tag", in_tag(nested(100)), one),
        ("101 groups in a tag", in_tag(nested(101)), bomb(17)),
        (
            "100 groups with a field in the innermost",
            good([open(100), hex("08 01"), vec![0x4c; 100]].concat()),
            one,
        ),
        ("a hundred thousand groups, one in the other", open(100_000), bomb(0)),
        ("a hundred thousand groups, one in the other, in a record", in_record(open(100_000)), bomb(12)),
        ("half a hundred thousand groups, one after the other", good(nested(1).repeat(50_000)), one),
        ("99 groups, ten thousand times", good(nested(99).repeat(10_000)), one),
        ("fifty thousand empty keys and nothing else", hex("0a 00").repeat(50_000), Ok(0)),
        ("fifty thousand empty explicit hash keys", good(hex("12 00").repeat(50_000)), one),
        ("fifty thousand empty records", hex("1a 00").repeat(50_000), Err((MissingPartitionKeyIndex, 4))),
        ("fifty thousand unknown fields in a record", in_record(hex("48 00").repeat(50_000)), one),
        ("a hundred thousand empty tags", in_record(hex("22 02 0a 00").repeat(100_000)), one),
        ("data overridden a hundred thousand times", in_record(hex("1a 00").repeat(100_000)), one),
        (
            "index overridden a hundred thousand times",
            in_record([hex("08 7f").repeat(100_000), hex("08 00")].concat()),
            one,
        ),
        (
            "every record out of range",
            hex("1a 04 08 00 1a 00").repeat(100_000),
            Err((PartitionKeyIndexOutOfRange, 4 + 3)),
        ),
        ("a record that is itself an aggregate", in_record(field(3, &frame(&good(vec![])))), one),
        (
            "table after a hundred thousand records",
            [hex("1a 04 08 00 1a 00").repeat(100_000), hex("0a 00")].concat(),
            Ok(100_000),
        ),
        ("64 KiB of continued varint", vec![0x80; 1 << 16], Err((VarintOverflow, 4))),
        ("64 KiB of zeros", vec![0; 1 << 16], Err((FieldNumber, 4))),
    ];
    for (name, body, expected) in rows {
        assert_eq!(decode(name, &body), expected, "{name}");
    }
}

/// An index is looked up whatever number of bytes it takes, and reported if it is past the end of its table.
#[test]
fn indexes_of_every_length_are_looked_up() {
    let large = if cfg!(debug_assertions) { vec![] } else { vec![(1 << 21) - 1, 1 << 21, (1 << 21) + 1] };
    let edges = [0, 1, 126, 127, 128, 129, (1 << 14) - 1, 1 << 14, (1 << 14) + 1];
    for edge in edges.into_iter().chain(large) {
        for explicit in [false, true] {
            let (table, others, before, kind) = if explicit {
                (2, field(1, b""), hex("08 00 10"), ExplicitHashKeyIndexOutOfRange)
            } else {
                (1, vec![], hex("08"), PartitionKeyIndexOutOfRange)
            };
            let keys = [others, field(table, b"k").repeat(edge)].concat();
            // A large table takes its time.
            for at_least in 1..=if edge < 20_000 { 10 } else { 1 } {
                let index = long_varint(edge.try_into().unwrap(), at_least);
                let record = field(3, &[&before, &index, &hex("1a 00")[..]].concat());
                let name = format!("index {edge} in {at_least} bytes, explicit: {explicit}");
                let mut buffer = vec![""; edge + 2];

                let payload = [&MAGIC, &keys[..], &field(table, b"last"), &record, &[0; 16]].concat();
                let parsed = Payload::parse_with(&payload, &mut buffer, DigestCheck::Skip);
                let Payload::Aggregated(aggregate) = parsed else { panic!("{name}: {parsed:?}") };
                let user = aggregate.records().next().unwrap();
                let key = if explicit { user.explicit_hash_key } else { Some(user.partition_key) };
                assert_eq!(key, Some("last"), "{name}");

                let payload = [&MAGIC, &keys[..], &record, &[0; 16]].concat();
                let parsed = Payload::parse_with(&payload, &mut [], DigestCheck::Skip);
                let Payload::Plain(PlainReason::Malformed(error)) = parsed else {
                    panic!("{name}: {parsed:?}")
                };
                let offset = MAGIC.len() + keys.len() + 2 + before.len();
                assert_eq!((error.kind(), error.offset()), (kind, offset), "{name}");
            }
        }
    }
}
