//! Checks the output of `readings.c` on a board: its aggregates hold the user records that it added, none missing, in order.
//!
//! `run` calls this with the output of the emulator.

#![cfg(not(miri))]
#![allow(clippy::unwrap_used, reason = "a test; clippy does not see that its helpers belong to it")]

use std::{env, fs};

use kinesis_aggregation::Payload;

/// Returns the three fields of each line that begins with this word.
fn lines(output: &str, word: &str) -> Vec<[Vec<u8>; 3]> {
    let hex = |text: &str| -> Vec<u8> {
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(byte).collect()
    };
    let of_word = output.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
    of_word.map(|line| line.split(' ').map(hex).collect::<Vec<_>>().try_into().unwrap()).collect()
}

fn explicit_hash_key(text: &[u8]) -> Option<&str> {
    (!text.is_empty()).then(|| std::str::from_utf8(text).unwrap())
}

#[test]
#[ignore = "needs the output of the firmware in KAGG_PUBLISHED"]
fn aggregates_hold_the_user_records_that_were_added() {
    let output = fs::read_to_string(env::var_os("KAGG_PUBLISHED").unwrap()).unwrap();
    let (added, sent) = (lines(&output, "record"), lines(&output, "aggregate"));
    let mut remaining = added.iter();
    for [partition_key, outer_hash_key, data] in &sent {
        let mut keys = [""; 8];
        let Payload::Aggregated(aggregate) = Payload::parse(data, &mut keys) else {
            panic!("not an aggregate")
        };
        assert!(!aggregate.is_empty());
        for (position, user) in aggregate.records().enumerate() {
            let [key, hash_key, reading] = remaining.next().expect("no more than were added");
            assert_eq!((user.partition_key.as_bytes(), user.data), (&**key, &**reading));
            assert_eq!(user.explicit_hash_key, explicit_hash_key(hash_key));
            if position == 0 {
                assert_eq!(user.partition_key.as_bytes(), partition_key);
                assert_eq!(user.explicit_hash_key, explicit_hash_key(outer_hash_key));
            }
        }
    }
    assert_eq!((added.len(), remaining.len()), (160, 0));
    println!("{} aggregates hold the {} user records that were added", sent.len(), added.len());
}
