//! Groups without a begin, without an end, and with another's end.

use kinesis_aggregation::DecodeErrorKind::{GroupsTooDeep, UnmatchedGroupEnd, UnterminatedGroup};

use crate::common::field;
use crate::{END_GROUP, Expected, MESSAGES, Message, START_GROUP, UNKNOWN, VALID, VARINT, expect, tag};

/// A group with fields in it.
fn group(number: u64, fields: &[u8]) -> Vec<u8> {
    [&tag(number, START_GROUP), fields, &tag(number, END_GROUP)].concat()
}

#[test]
fn unmatched_groups() {
    let start = |number| tag(number, START_GROUP);
    let end = |number| tag(number, END_GROUP);
    let hello = field(2, b"hello world");
    // In the suite, 201 and 202 are known groups, 1234 is unknown, and 1 is a number. None is known here: D5 and D9 don't
    // tell them apart.
    let rows: Vec<(&str, Vec<u8>, Expected)> = vec![
        ("UnmatchedEndGroup", end(201), Err((UnmatchedGroupEnd, 0))),
        ("UnmatchedEndGroupUnknown", end(1234), Err((UnmatchedGroupEnd, 0))),
        ("UnmatchedEndGroupWrongType", end(1), Err((UnmatchedGroupEnd, 0))),
        ("UnmatchedEndGroupNested", group(201, &end(202)), Err((UnmatchedGroupEnd, 2))),
        ("UnmatchedEndGroupWithData", [end(1), hello.clone()].concat(), Err((UnmatchedGroupEnd, 0))),
        ("UnmatchedStartGroup", start(201), Err((UnterminatedGroup, 0))),
        ("UnmatchedStartGroupUnknown", start(1234), Err((UnterminatedGroup, 0))),
        ("UnmatchedStartGroupWrongType", start(1), Err((UnterminatedGroup, 0))),
        // The end is that of the outer one, while the inner one is open.
        ("UnmatchedStartGroupNested", group(201, &start(202)), Err((UnmatchedGroupEnd, 4))),
        ("UnmatchedStartGroupWithData", [start(1), hello.clone()].concat(), Err((UnterminatedGroup, 0))),
        (
            "MismatchedGroupTags",
            [start(201), hello.clone(), end(202)].concat(),
            Err((UnmatchedGroupEnd, 2 + hello.len())),
        ),
        (
            "MismatchedNestedGroupTags",
            group(201, &[start(202), hello.clone(), end(203)].concat()),
            Err((UnmatchedGroupEnd, 4 + hello.len())),
        ),
        ("a group with data, complete", group(201, &hello), VALID),
        ("a group in a group of the same number", group(201, &group(201, &hello)), VALID),
    ];
    for (name, fields, expected) in rows {
        for message in MESSAGES {
            expect(name, message, &fields, expected);
        }
    }
}

/// UnmatchedEndGroupNestedLen and UnmatchedStartGroupNestedLen: in a field that is a message. A group neither ends nor goes
/// on past the end of its message. In an unknown field nothing is looked into, where the suite knows the field.
#[test]
fn unmatched_groups_in_nested_messages() {
    for (name, fields, kind) in [
        ("UnmatchedEndGroupNestedLen", tag(1234, END_GROUP), UnmatchedGroupEnd),
        ("UnmatchedStartGroupNestedLen", tag(1234, START_GROUP), UnterminatedGroup),
    ] {
        expect(name, Message::AggregatedRecord, &field(3, &fields), Err((kind, 2)));
        expect(name, Message::Record, &field(4, &fields), Err((kind, 2)));
        for message in MESSAGES {
            expect(&format!("{name}: unknown (D5)"), message, &field(18, &fields), VALID);
        }
        // The group that would be ended stands outside, and the one that is open would be ended there.
        let across = [tag(1234, START_GROUP), field(4, &fields), tag(1234, END_GROUP)].concat();
        expect(&format!("{name}: in a group"), Message::Record, &across, VALID);
        let across = [field(4, &fields), tag(1234, END_GROUP)].concat();
        expect(&format!("{name}: ended outside"), Message::Record, &across, Err((kind, 2)));
    }
}

/// A hundred groups may be open (D9): as many as the suite's reference parsers take by default, counted in each message by
/// itself.
#[test]
fn depth() {
    for message in MESSAGES {
        for number in [1, 15, 16, UNKNOWN] {
            for depth in [1, 2, 99, 100, 101, 102, 1000] {
                let start = tag(number, START_GROUP);
                let innermost = [tag(number, VARINT), vec![1]].concat();
                let end = tag(number, END_GROUP);
                let fields = [start.repeat(depth), innermost, end.repeat(depth)].concat();
                let expected = if depth <= 100 { VALID } else { Err((GroupsTooDeep, 100 * start.len())) };
                expect(&format!("{depth} groups {number}"), message, &fields, expected);
            }
        }
    }
}
