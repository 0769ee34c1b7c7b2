//! Unknown fields, which are passed over and not kept.

use crate::common::{field, hex};
use crate::payloads::{in_a_record, in_a_tag};
use crate::{allocates_room_for_keys_alone, takes_linear_time};

/// Unknown fields as small as there are, and their bytes.
const SMALLEST: &[(&str, &str)] = &[
    ("varints", "28 00"),
    ("empty values", "2a 00"),
    ("empty groups", "2b 2c"),
    ("groups in groups", "2b 2b 2b 2c 2c 2c"),
    ("fixed-width values of 4 bytes", "2d 00 00 00 00"),
    ("fixed-width values of 8 bytes", "29 00 00 00 00 00 00 00 00"),
    ("values of one byte", "2a 01 00"),
    ("highest field number", "f8 ff ff ff 0f 00"),
    ("fields that all messages know, with wire types they don't", "0d 00 00 00 00 15 00 00 00 00 1b 1c"),
    ("tags and values of ten bytes", "a8 80 80 80 80 80 80 80 80 00 80 80 80 80 80 80 80 80 80 00"),
];

/// CVE-2026-55407: the crate `buffa` kept each unknown field in an allocation of its own, up to 22 times the size of what
/// it had read.
#[test]
fn amplification_by_unknown_fields() {
    for (name, one) in SMALLEST {
        let many = |size: usize| hex(one).repeat(size / hex(one).len());
        allocates_room_for_keys_alone(name, &many(100_000), 0);
        allocates_room_for_keys_alone(name, &in_a_record(&many(100_000)), 1);
        allocates_room_for_keys_alone(name, &in_a_tag(&many(100_000)), 1);
        allocates_room_for_keys_alone(name, &[&[0x2b], &many(100_000)[..], &[0x2c]].concat(), 0);

        takes_linear_time(name, many);
        takes_linear_time(&format!("{name} in a record"), |size| in_a_record(&many(size)));
    }
}

/// The same in each of many user records, which are read twice: to be checked, and to be handed out.
#[test]
fn unknown_fields_in_every_record() {
    let record =
        field(3, &[hex("08 00 1a 00 28 00 28 00 2b 2c 2a 00"), field(4, &hex("0a 00 28 00"))].concat());
    let body = |size: usize| [field(1, b""), record.repeat(size / record.len())].concat();
    allocates_room_for_keys_alone("in every record", &body(100_000), 1);
    takes_linear_time("in every record", body);
}
