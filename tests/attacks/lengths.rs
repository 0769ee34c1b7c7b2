//! Lengths that claim more than there is.

use kinesis_aggregation::decode::DecodeErrorKind::LengthOutOfBounds;

use crate::common::{field, hex, varint};
use crate::payloads::{in_a_record, in_a_tag, record};
use crate::{allocates_room_for_keys_alone, is_malformed};

/// RUSTSEC-2019-0003: the crate `protobuf` reserved as many bytes as a length claimed, before there were any.
/// CVE-2022-1941: protobuf's C++ and Python parsers allocated without bound for a message of a few crafted elements.
#[test]
fn claims_allocate_nothing() {
    let length_delimited = |number: u64| varint(number << 3 | 2);
    let in_a_group = |claim: &[u8]| [&[0x4b], &length_delimited(5)[..], claim].concat();
    for exponent in 4..64 {
        for claimed in [1 << exponent, (1 << exponent) - 1, u64::MAX >> (63 - exponent)] {
            let claim = varint(claimed);
            for number in [1, 2, 3, 5, 2000] {
                let fields = [length_delimited(number), claim.clone()].concat();
                for (name, body) in [
                    ("in the body", [record(0, b"x"), fields.clone()].concat()),
                    ("in a record", in_a_record(&fields)),
                    ("in a tag", in_a_tag(&fields)),
                    ("in a group", in_a_group(&claim)),
                ] {
                    // The claim stands at the end, with nothing behind it.
                    let name = format!("{claimed} bytes of field {number} {name}");
                    is_malformed(&name, &body, LengthOutOfBounds, body.len() - claim.len());
                }
            }
        }
    }
}

/// The same claims where there is something behind them, all of it of use if the claim were believed.
#[test]
fn claims_with_something_behind_them_allocate_nothing() {
    for claimed in [1 << 20, 1 << 31, 1 << 40, u64::MAX] {
        let claim = varint(claimed);
        let keys = hex("0a 00").repeat(10_000);
        let body = [&[0x1a], &claim[..], &keys].concat();
        is_malformed("records", &body, LengthOutOfBounds, 1);
        let body = [&keys[..], &[0x0a], &claim, &keys].concat();
        is_malformed("keys", &body, LengthOutOfBounds, keys.len() + 1);
    }
}

/// What is there costs eight times its size at most, and only as keys do: never as data, tags or user records.
#[test]
fn what_is_there_allocates_room_for_keys_alone() {
    const MANY: usize = 50_000;
    let key = field(1, b"k");
    allocates_room_for_keys_alone("empty keys", &hex("0a 00").repeat(MANY), MANY);
    allocates_room_for_keys_alone("empty keys of both tables", &hex("0a 00 12 00").repeat(MANY), 2 * MANY);
    allocates_room_for_keys_alone("long keys", &field(1, &[b'k'; 1000]).repeat(1000), 1000);
    allocates_room_for_keys_alone("records", &[&key[..], &record(0, b"").repeat(MANY)].concat(), 1);
    allocates_room_for_keys_alone("data", &[&key[..], &record(0, &[0; 1 << 20])].concat(), 1);
    allocates_room_for_keys_alone("tags", &in_a_record(&hex("22 02 0a 00").repeat(MANY)), 1);
    allocates_room_for_keys_alone("data again and again", &in_a_record(&hex("1a 01 79").repeat(MANY)), 1);
}
