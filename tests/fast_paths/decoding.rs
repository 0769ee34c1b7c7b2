//! The same user records in every spelling.

use crate::common::random::Random;
use crate::common::{Record, hex};
use crate::decodes_to;
use crate::spelling::{SITES, Spelling, Tables};

fn record(partition_key: &str, explicit_hash_key: Option<&str>, data: &[u8]) -> Record {
    Record {
        partition_key: partition_key.to_owned(),
        explicit_hash_key: explicit_hash_key.map(str::to_owned),
        data: data.to_vec(),
        tags: Vec::new(),
    }
}

/// User records with everything that a record may have or lack.
fn users() -> Vec<Vec<Record>> {
    let tagged = |mut record: Record, tags: &[(&str, Option<&str>)]| {
        record.tags = tags.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect();
        record
    };
    let with_all = tagged(record("clé", Some("7"), b"y"), &[("k", Some("v")), ("", None)]);
    vec![
        vec![record("a", None, b"x")],
        vec![record("", None, b"")],
        vec![record("a", Some("0"), b"x")],
        vec![
            record("a", None, &[b'd'; 200]),
            record("b", Some("1"), &[b'e'; 127]),
            record("a", Some("0"), b""),
        ],
        vec![tagged(record("a", None, b"x"), &[("k", None)])],
        vec![record("a", None, b"x"), with_all.clone(), record("b", None, b"z"), with_all],
    ]
}

/// Fields that no message knows: of each wire type, short and long.
const UNKNOWN: [&str; 7] = [
    "",
    "78 05",
    "7a 02 68 69",
    "79 00 00 00 00 00 00 00 00",
    "7d 00 00 00 00",
    "2b 08 05 2c",
    "f8 ff ff ff 0f 80 00",
];

#[test]
fn varints_of_every_length_in_every_place() {
    for users in users() {
        decodes_to(&Spelling::default().body(&users), &users, &"as producers write");
        for site in SITES {
            for len in 2..=10 {
                let spelling = Spelling { at_least: vec![(site, len)], ..Spelling::default() };
                decodes_to(&spelling.body(&users), &users, &spelling);
            }
        }
        for len in 2..=10 {
            let at_least = SITES.map(|site| (site, len)).to_vec();
            let spelling = Spelling { at_least, ..Spelling::default() };
            decodes_to(&spelling.body(&users), &users, &spelling);
        }
    }
}

/// With each order, all else that makes a record unusual.
#[test]
fn fields_in_every_order_and_company() {
    for users in users() {
        for order in 0..24 {
            for between in UNKNOWN {
                for choice in 0..4 {
                    let (overridden, tables_last) = (choice % 2 == 1, choice / 2 == 1);
                    let spelling = Spelling {
                        order,
                        between: hex(between),
                        overridden,
                        tables_last,
                        ..Spelling::default()
                    };
                    decodes_to(&spelling.body(&users), &users, &spelling);
                }
            }
        }
    }
}

/// From the fast way to the slow one and back: bodies that are spelled differently are one body (D10).
#[test]
fn spellings_one_after_the_other() {
    let mut random = Random::new(0);
    let users = users();
    for _ in 0..2_000 {
        let mut tables = Tables::default();
        let (mut spellings, mut body, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..2 + random.below(5) {
            let chosen = &users[random.below(users.len())];
            let spelling = match random.below(3) {
                0 => Spelling::default(),
                _ => Spelling {
                    at_least: vec![(random.pick(&SITES), random.below(11))],
                    order: random.below(24),
                    between: hex(random.pick(&UNKNOWN)),
                    overridden: random.one_in(2),
                    tables_last: random.one_in(2),
                },
            };
            body.extend(spelling.body_after(&mut tables, chosen));
            all.extend_from_slice(chosen);
            spellings.push(spelling);
        }
        decodes_to(&body, &all, &spellings);
    }
}
