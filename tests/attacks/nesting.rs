//! Groups in groups, deeper than a stack.

use std::thread;

use kinesis_aggregation::{DecodeErrorKind::GroupsTooDeep, Payload, deaggregate};

use crate::common::{field, frame, varint};
use crate::payloads::{in_a_record, in_a_tag};
use crate::{is_malformed, takes_linear_time};

/// Nothing that goes down with its input gets far in it: a million calls take a thousand times as much.
const SMALL_STACK: usize = 64 << 10;

/// How deep the input goes.
const DEPTH: usize = 1_000_000;

/// Does something on a thread with little stack. An overflow of it ends the process.
fn on_a_small_stack(work: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(SMALL_STACK).spawn_scoped(scope, work);
        thread.unwrap().join().unwrap_or_else(|_| panic!("see above"));
    });
}

/// The tag of a group's begin, or of its end.
fn group(number: u64, end: bool) -> Vec<u8> {
    varint(number << 3 | if end { 4 } else { 3 })
}

/// CVE-2024-7254: protobuf-java recursed into nested groups of unknown fields without a bound, and overflowed its stack.
/// CVE-2025-4565: pure Python protobuf did, in nested groups and messages. RUSTSEC-2024-0437: so did the crate `protobuf`
/// when it skipped unknown groups.
#[test]
fn nested_groups() {
    // 201 takes two bytes of tag, and the others are fields that the messages know with another wire type.
    for number in [1, 2, 3, 4, 9, 201] {
        let begin = group(number, false);
        let open = begin.repeat(DEPTH);
        let closed = [open.clone(), group(number, true).repeat(DEPTH)].concat();
        for (name, wrap) in PLACES {
            for fields in [&open, &closed] {
                let body = wrap(fields);
                let first = body.len() - fields.len();
                let at = first + 100 * begin.len();
                on_a_small_stack(|| {
                    is_malformed(&format!("field {number} {name}"), &body, GroupsTooDeep, at);
                });
            }
        }
    }
}

/// Puts fields at the end of a message at the end of a body.
type Wrap = fn(&[u8]) -> Vec<u8>;

/// Where groups may stand.
const PLACES: &[(&str, Wrap)] =
    &[("in the body", <[u8]>::to_vec), ("in a record", in_a_record), ("in a tag", in_a_tag)];

/// As deep as is allowed, everywhere and all over again: still no stack, and no more time than others take.
#[test]
fn groups_nested_as_deep_as_is_allowed() {
    // Numbers that differ, so that each end has to match.
    let begins: Vec<u8> = (5..105).flat_map(|number| group(number, false)).collect();
    let ends: Vec<u8> = (5..105).rev().flat_map(|number| group(number, true)).collect();
    let bomb = [begins, ends].concat();
    for (name, wrap) in PLACES {
        let body = |size: usize| wrap(&bomb.repeat((size / bomb.len()).max(1)));
        let payload = frame(&body(100_000));
        on_a_small_stack(|| assert_eq!(deaggregate(&payload).plain_reason(), None, "{name}"));
        takes_linear_time(name, body);
    }
}

/// Depth by other means: lengths that nest in each other inside groups and unknown fields, where nothing looks, and
/// aggregates in aggregates, which are data (D16).
#[test]
fn nested_lengths_and_aggregates() {
    let mut lengths = Vec::new();
    let mut aggregate = b"innermost".to_vec();
    for depth in 0..300 {
        lengths = field(if depth % 2 == 0 { 3 } else { 15 }, &lengths);
        aggregate = frame(&in_a_record(&field(3, &aggregate)));
    }
    let in_a_group = [&group(9, false)[..], &lengths, &group(9, true)].concat();
    for fields in [field(15, &lengths), in_a_group] {
        let payload = frame(&in_a_tag(&fields));
        on_a_small_stack(|| assert_eq!(deaggregate(&payload).count(), 1));
    }
    on_a_small_stack(|| {
        let mut keys = [""];
        let Payload::Aggregated(outermost) = Payload::parse(&aggregate, &mut keys) else { panic!("plain") };
        assert_eq!(outermost.len(), 1);
        assert!(outermost.records().all(|user| user.data.len() > 300 * 20));
    });
}
