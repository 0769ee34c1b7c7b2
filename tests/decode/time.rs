//! Time is linear in the size of the payload, whatever it contains: four times the size takes at most eight times as long,
//! where quadratic work would take sixteen, and no payload takes much longer than its digest.

use core::hint::black_box;

#[cfg(all(feature = "fast-digest", not(debug_assertions)))]
use kinesis_aggregation::decode::Md5;
use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck};

use crate::attacks::{
    PLACES, SMALLEST_UNKNOWN, Wrap, in_a_record, in_a_tag, nested_groups, record, record_with,
    unknown_fields_in_records,
};
use crate::common::random::Random;
use crate::common::{field, frame, hex};
use crate::timing::takes_at_most;

/// A name, and what makes a body of about so many bytes.
struct Shape(String, Box<dyn Fn(usize) -> Vec<u8>>);

/// Repeats a part up to a size.
fn many(part: &[u8], size: usize) -> Vec<u8> {
    part.repeat((size / part.len()).max(1))
}

/// As many keys as user records. The nth user record has the key that is chosen.
fn each_with_key(size: usize, mut key: impl FnMut(usize, usize) -> usize) -> Vec<u8> {
    let count = size / 12;
    let mut body = field(1, b"k").repeat(count);
    body.extend((0..count).flat_map(|number| record(key(number, count), b"x")));
    body
}

/// User records of one key, with something after their data.
fn records_with(more: &str, size: usize) -> Vec<u8> {
    [field(1, b"k"), many(&record_with(0, &hex(&format!("1a 00 {more}"))), size)].concat()
}

/// Fields in random order.
fn mixed(fields: &[&str], size: usize) -> Vec<u8> {
    let mut random = Random::new(1);
    let mut content = Vec::new();
    while content.len() < size {
        content.extend(hex(random.pick(fields)));
    }
    content
}

type Body = fn(usize) -> Vec<u8>;

/// Bodies that make a parser look up keys, or read the same thing more than once.
const BODIES: &[(&str, Body)] = &[
    // A search through the table for each user record would be quadratic.
    ("keys, and records anywhere among them", |size| {
        let mut random = Random::new(0);
        each_with_key(size, |_, count| random.below(count))
    }),
    ("the last key, always", |size| each_with_key(size, |_, count| count - 1)),
    ("keys from last to first", |size| each_with_key(size, |number, count| count - 1 - number)),
    ("keys from both ends in turns", |size| {
        each_with_key(size, |number, count| if number % 2 == 0 { number } else { count - number })
    }),
    ("records before their keys", |size| {
        [many(&record(size / 12, b"x"), size / 2), many(&field(1, b"k"), size / 2)].concat()
    }),
    ("empty keys", |size| many(&field(1, b""), size)),
    ("keys that are not ASCII", |size| many(&field(1, "é".as_bytes()), size)),
    ("keys of both tables in turns", |size| many(&hex("0a 01 6b 12 01 30"), size)),
    ("records of one key", |size| records_with("", size)),
    ("a bad index in the last record", |size| [records_with("", size), record(1, b"x")].concat()),
    ("records, data first", |size| [field(1, b"k"), many(&field(3, &hex("1a 00 08 00")), size)].concat()),
    ("records with an unknown field", |size| records_with("48 00", size)),
    ("records with unknown fields of all kinds", unknown_fields_in_records),
    ("records with a tag", |size| records_with("22 03 0a 01 6b", size)),
    ("records with an empty tag", |size| records_with("22 02 0a 00", size)),
    ("unknown fields between records", |size| {
        [field(1, b"k"), many(&[hex("48 00"), record(0, b"x")].concat(), size)].concat()
    }),
    ("keys, unknown fields and records in turns", |size| {
        many(&[field(1, b"k"), hex("28 00"), record(0, b"x")].concat(), size)
    }),
    ("tags after unknown fields in a record", |size| {
        in_a_record(&[many(&hex("28 00"), size / 2), many(&hex("22 03 0a 01 6b"), size / 2)].concat())
    }),
    ("indexes and unknown fields in turns", |size| {
        [hex("12 01 30"), in_a_record(&many(&hex("28 00 10 00 08 00 30 00"), size))].concat()
    }),
    // Whole bodies, one after the other, are one body (D10).
    ("bodies", |size| {
        many(&[field(1, b"k"), record_with(0, &hex("1a 01 78 28 00 22 03 0a 01 6b"))].concat(), size)
    }),
];

/// Fields to fill a body, a record and a tag with.
const FIELDS: &[(&str, &str)] = &[
    // CVE-2021-22569: in protobuf-java, unknown fields in alternation with others were put in order with a pass over all of
    // them each time: minutes for less than a megabyte.
    ("unknown fields in turns", "28 00 30 00"),
    ("wire types in turns", "28 00 2a 00 2b 2c 2d 00 00 00 00 29 00 00 00 00 00 00 00 00"),
    ("fields of high numbers", "82 01 00"),
    ("over-long varints", "48 80 80 80 00"),
    ("groups of high numbers", "83 01 84 01"),
    ("groups with a field", "4b 48 00 4c"),
    ("groups with a group", "4b 4b 4c 4c"),
];

/// CVE-2022-3171: in protobuf-java, a message that came again and again with repeated or unknown fields in it was turned
/// from mutable to immutable and back each time.
const FIELDS_OF_A_RECORD: &[(&str, &str)] = &[
    ("data", "1a 01 79"),
    ("empty data", "1a 00"),
    ("indexes", "08 00"),
    ("data and tags", "1a 01 79 22 03 0a 01 6b"),
    ("tags", "22 03 0a 01 6b"),
    ("empty tags", "22 02 0a 00"),
    ("tags with unknown fields", "22 07 0a 01 6b 28 00 28 00"),
    ("tags and unknown fields in turns", "22 02 0a 00 82 01 00"),
];

const FIELDS_OF_A_TAG: &[(&str, &str)] = &[("keys", "0a 01 6b"), ("values", "12 01 76 28 00")];

/// Fields of several kinds in an order that no processor can predict: each misprediction costs more than the field, in each
/// of the three readings of a record (when it is validated, when it is yielded, and when its tags are).
const UNPREDICTABLE: &[(&str, &[&str])] = &[
    ("numbers and data", &["48 00", "4a 00"]),
    ("numbers, data and groups", &["48 00", "4a 00", "4b 4c"]),
    ("high numbers", &["80 01 00", "82 01 00"]),
    ("tags and numbers", &["22 02 0a 00", "48 00"]),
    ("tags and all else", &["22 02 0a 00", "c8 00 00", "83 01 84 01", "4a 01 00"]),
];

fn shapes() -> Vec<Shape> {
    fn filled((name, part): &(&str, &str), place: &str, wrap: Wrap) -> Shape {
        let part = hex(part);
        Shape(format!("{name} {place}"), Box::new(move |size| wrap(&many(&part, size))))
    }
    let mut shapes: Vec<Shape> =
        BODIES.iter().map(|&(name, body)| Shape(name.to_owned(), Box::new(body))).collect();
    for fields in SMALLEST_UNKNOWN.iter().chain(FIELDS) {
        shapes.extend(PLACES.iter().map(|(place, wrap)| filled(fields, place, *wrap)));
    }
    shapes.extend(FIELDS_OF_A_RECORD.iter().map(|fields| filled(fields, "in a record", in_a_record)));
    shapes.extend(FIELDS_OF_A_TAG.iter().map(|fields| filled(fields, "in a tag", in_a_tag)));
    for (place, wrap) in PLACES {
        let body = move |size: usize| wrap(&many(&nested_groups(), size));
        shapes.push(Shape(format!("nested groups {place}"), Box::new(body)));
    }
    shapes.extend(UNPREDICTABLE.iter().map(|&(name, fields)| {
        Shape(format!("{name}, unpredictable"), Box::new(|size| in_a_record(&mixed(fields, size))))
    }));
    shapes
}

/// Reads everything in a payload.
fn read(payload: &[u8], check: DigestCheck) {
    if let Ok(aggregate) = AggregatedRecord::parse_with(black_box(payload), check) {
        for user in &aggregate {
            black_box((user.partition_key, user.explicit_hash_key, user.data));
            user.tags.for_each(|tag| _ = black_box(tag));
        }
    }
}

/// Quadratic work would take thousands of times as long. Without optimization, and with the `md5` crate, the digest is no measure.
#[cfg(all(feature = "fast-digest", not(debug_assertions)))]
#[test]
fn no_payload_takes_much_longer_than_its_digest() {
    const SIZE: usize = 1 << 20;
    for Shape(name, body) in shapes() {
        let body = body(SIZE);
        assert!((SIZE * 9 / 10..SIZE * 11 / 10).contains(&body.len()), "{name}: {} bytes", body.len());
        let payload = frame(&body);
        let digest = || _ = black_box(Md5::digest(black_box(&body)));
        // On a quiet machine less than 5 times as long, or 12 where fields are unpredictable. Beside a neighbor on the same processor
        // it was up to one and a half times that.
        let limit = if name.ends_with("unpredictable") { 20.0 } else { 10.0 };
        takes_at_most(limit, &name, || read(&payload, DigestCheck::Verify), digest);
    }
}

#[test]
fn four_times_the_size_takes_at_most_eight_times_as_long() {
    // Short runs are less often interrupted. The digest would hide what it takes to read.
    for Shape(name, body) in shapes() {
        let [small, large] = [2_000, 8_000].map(|size| frame(&body(size)));
        let skip = DigestCheck::Skip;
        takes_at_most(8.0, &name, || read(&large, skip), || read(&small, skip));
    }
}
