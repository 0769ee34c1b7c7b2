//! Right at the edges between the fast way and the slow one.

use kinesis_aggregation::decode::{AggregatedRecord, DecodeErrorKind, DigestCheck, PlainReason};

use crate::common::{Record, field, frame, hex, varint};
use crate::compare::compare;
use crate::decodes_to;
use crate::spelling::{Site, Spelling, long_varint};

/// Around every number at which a varint gets longer, up to the first that the fast way does not read.
const EDGES: [usize; 12] =
    [0, 1, 126, 127, 128, 129, (1 << 14) - 1, 1 << 14, (1 << 14) + 1, (1 << 21) - 1, 1 << 21, (1 << 21) + 1];

/// Data, keys, tags and records as long as the edges. A record has six bytes more than its data, up to twelve.
#[test]
fn lengths() {
    for edge in EDGES {
        let around_record =
            (edge.saturating_sub(12)..edge.saturating_sub(3)).filter(|len| edge > 2 && *len < 20_000);
        for len in around_record.chain([edge]) {
            let data = Record { data: vec![b'd'; len], ..Record::default() };
            let text = "k".repeat(len);
            let key = Record { partition_key: text.clone(), ..Record::default() };
            let explicit = Record { explicit_hash_key: Some(text.clone()), ..Record::default() };
            let tag = Record { tags: vec![(text.clone(), Some(text))], ..Record::default() };
            for user in [data, key, explicit, tag] {
                // One more behind it, to see that the reader goes on where it should.
                let users = [user, Record { data: b"next".to_vec(), ..Record::default() }];
                let long = [(Site::DataLength, 4), (Site::PartitionKeyLength, 4), (Site::RecordLength, 4)];
                for at_least in [vec![], long.to_vec()] {
                    let spelling = Spelling { at_least, ..Spelling::default() };
                    decodes_to(&spelling.body(&users), &users, &len);
                }
            }
        }
    }
}

/// Indexes and lengths of every width with each other, in records of every short length, at the end of the payload and
/// before others.
#[test]
fn widths() {
    for (index, explicit, length) in (0..125).map(|widths| (widths % 5, widths / 5 % 5, widths / 25)) {
        for record_length in [1, 3, 4] {
            for len in 0..12 {
                // Of no width: there is no explicit hash key.
                let explicit_hash_key = (explicit != 0).then(|| "0".to_owned());
                let user = Record { explicit_hash_key, data: vec![b'd'; len], ..Record::default() };
                let at_least = vec![
                    (Site::PartitionKeyIndex, index),
                    (Site::ExplicitHashKeyIndex, explicit),
                    (Site::DataLength, length),
                    (Site::RecordLength, record_length),
                ];
                for tables_last in [false, true] {
                    let spelling =
                        Spelling { at_least: at_least.clone(), tables_last, ..Spelling::default() };
                    let users = [user.clone()];
                    decodes_to(&spelling.body(&users), &users, &spelling);
                    let users = [user.clone(), user.clone()];
                    decodes_to(&spelling.body(&users), &users, &spelling);
                }
            }
        }
    }
}

/// Tables of one key more than the edges, and of as many, for which the index is out of range.
#[test]
fn indexes() {
    for edge in EDGES {
        for explicit in [false, true] {
            let (table, others) = if explicit { (2, field(1, b"")) } else { (1, vec![]) };
            let keys = [&others[..], &field(table, b"k").repeat(edge), &field(table, b"last")].concat();
            // A large table takes its time.
            for at_least in 1..=if edge < 20_000 { 10 } else { 1 } {
                let index = long_varint(edge.try_into().unwrap(), at_least);
                let before = if explicit { hex("08 00 10") } else { hex("08") };
                let record = field(3, &[&before, &index, &hex("1a 00")[..]].concat());
                check_last_key(&[&keys[..], &record].concat(), explicit, edge);

                // Without the last key, the index is one too large.
                let keys = &keys[..keys.len() - 6];
                let at = keys.len() + 2 + before.len();
                let body = [keys, &record].concat();
                let kind = if explicit {
                    DecodeErrorKind::ExplicitHashKeyIndexOutOfRange
                } else {
                    DecodeErrorKind::PartitionKeyIndexOutOfRange
                };
                let payload = frame(&body);
                let parsed = AggregatedRecord::parse_with(&payload, DigestCheck::Skip);
                let Err(PlainReason::Malformed(error)) = parsed else { panic!("index {edge}: {parsed:?}") };
                assert_eq!(
                    (error.kind(), error.offset()),
                    (kind, 4 + at),
                    "index {edge} in {at_least} bytes"
                );
            }
        }
    }
}

/// The one user record has the last key. The specification is asked where that is quick.
fn check_last_key(body: &[u8], explicit: bool, edge: usize) {
    let payload = frame(body);
    assert!(edge > 20_000 || compare(&payload), "index {edge}");
    let aggregate = AggregatedRecord::parse_with(&payload, DigestCheck::Skip).unwrap();
    let user = aggregate.records().next().unwrap();
    let key = if explicit { user.explicit_hash_key } else { Some(user.partition_key) };
    assert_eq!(key, Some("last"), "index {edge}");
}

/// All kinds of records with a bad index, in each place among good ones, with a worse one behind: the first is named.
#[test]
fn the_first_bad_index() {
    const GOOD: &str = "1a 06 08 00 10 00 1a 00";
    let bad = ["1a 06 08 01 10 00 1a 00", "1a 06 08 00 10 01 1a 00", "1a 08 08 81 80 80 00 1a 01 78"];
    let worse = ["", "1a 04 08 7f 1a 00", "1a 0d 08 ff ff ff ff ff ff ff ff ff 01 1a 00"];
    for place in 0..4 {
        for bad in bad {
            for worse in worse {
                let [before, after] = [place, 3 - place].map(|count| hex(GOOD).repeat(count));
                let body = [hex("0a 01 61 12 01 30"), before, hex(bad), after, hex(worse)].concat();
                assert!(!compare(&frame(&body)), "{bad} in place {place}");
            }
        }
    }
}

/// A body cut anywhere, with a record of every short length at its end: the end of the buffer is never far.
#[test]
fn ends_of_the_buffer() {
    for len in 0..40 {
        for at_least in 1..=5 {
            for end in ["", "48 00", "22 02 0a 00"] {
                let data =
                    [&hex("1a")[..], &long_varint(len, at_least), &vec![b'd'; len.try_into().unwrap()]]
                        .concat();
                let record = field(3, &[hex("08 00"), data, hex(end)].concat());
                let body = [&hex("0a 01 61"), &record[..]].concat();
                for cut in 1..=body.len() {
                    compare(&frame(&body[..cut]));
                }
                // The record is cut, and its length says so.
                for cut in 0..record.len() - 2 {
                    let cut = [&[0x1a], &varint(cut.try_into().unwrap())[..], &record[2..2 + cut]].concat();
                    compare(&frame(&[&hex("0a 01 61"), &cut[..]].concat()));
                }
            }
        }
    }
}
