//! Fields in orders that make a parser do the same work again and again.

use crate::common::{field, hex};
use crate::payloads::{in_a_record, in_a_tag, record, record_with};
use crate::takes_linear_time;

/// Fills up to a size.
fn many(part: &[u8], size: usize) -> Vec<u8> {
    part.repeat((size / part.len()).max(1))
}

/// CVE-2021-22569: in protobuf-java, unknown fields in alternation with others were put in order with a pass over all of
/// them each time: minutes for less than a megabyte.
#[test]
fn fields_in_alternation() {
    // Two unknown fields in turns, as in Google's conformance suite, then unknown ones and known ones, then wire types.
    for (name, part) in [
        ("unknown fields in turns", "28 00 30 00"),
        ("unknown fields and keys in turns", "28 00 0a 01 6b 30 00"),
        ("tables in turns", "0a 01 6b 12 01 30"),
        ("wire types in turns", "28 00 2a 00 2b 2c 2d 00 00 00 00 29 00 00 00 00 00 00 00 00"),
    ] {
        takes_linear_time(name, |size| many(&hex(part), size));
        let name = format!("{name}, in a tag");
        takes_linear_time(&name, |size| in_a_tag(&many(&hex(part), size)));
    }
    let in_turns = [field(1, b"k"), hex("28 00"), record(0, b"x")].concat();
    takes_linear_time("keys, unknown fields and records in turns", |size| many(&in_turns, size));
    let fields = hex("28 00 10 00 08 00 30 00");
    takes_linear_time("indexes and unknown fields in turns", |size| {
        [hex("12 01 30"), in_a_record(&many(&fields, size))].concat()
    });
}

/// CVE-2022-3171: in protobuf-java, a message that came again and again with repeated or unknown fields in it was turned
/// from mutable to immutable and back each time.
#[test]
fn values_again_and_again() {
    for (name, part) in [
        ("data", "1a 01 79"),
        ("indexes", "08 00"),
        ("data and tags", "1a 01 79 22 03 0a 01 6b"),
        ("tags with unknown fields", "22 07 0a 01 6b 28 00 28 00"),
    ] {
        takes_linear_time(name, |size| in_a_record(&many(&hex(part), size)));
    }
    takes_linear_time("tag keys", |size| in_a_tag(&many(&hex("0a 01 6b"), size)));
    takes_linear_time("tag values", |size| in_a_tag(&many(&hex("12 01 76 28 00"), size)));
    // Whole bodies, one after the other, are one body (D10).
    let body = [field(1, b"k"), record_with(0, &hex("1a 01 78 28 00 22 03 0a 01 6b"))].concat();
    takes_linear_time("bodies", |size| many(&body, size));
}

/// What has to be looked for is where it is found last: tags after everything else, and the one bad index at the end.
#[test]
fn what_is_wanted_comes_last() {
    takes_linear_time("tags after unknown fields", |size| {
        in_a_record(&[many(&hex("28 00"), size / 2), many(&hex("22 03 0a 01 6b"), size / 2)].concat())
    });
    takes_linear_time("keys after records", |size| {
        [many(&record(0, b"x"), size / 2), many(&field(1, b"k"), size / 2)].concat()
    });
    takes_linear_time("a bad index in the last record", |size| {
        [field(1, b"k"), many(&record(0, b"x"), size), record(1, b"x")].concat()
    });
}
