//! Whatever is done fast comes out as if it had been done slowly.
//!
//! Where the library has two ways, the faster one is for what producers write: short varints, records with an index and
//! data and nothing else, the same key again, evenly split shards. Here the same content goes both ways: in a spelling that
//! the fast way takes, in every one that it does not, and right at the edges between them.
//!
//! | fast | slow | forced by |
//! |---|---|---|
//! | short fields | any field | varints of four bytes and more in each place, `decoding` |
//! | varints of one to three bytes | any varint | lengths and indexes around 2^7, 2^14, 2^21, `edges` |
//! | short user records in one register, others with the usual fields and indexes read in a window of eight bytes | user records with any | other orders, values overridden, fields after the data, `decoding`; all widths, ends of the buffer, `edges` |
//! | the largest index of all | the first bad one | bad indexes in each place, `edges` |
//! | the last key, the index over keys, runs of one key | a search through all keys | every short sequence of keys, `packing` |
//! | adding what is usual in registers | adding anything | the same with a time, which knows only the latter, `packing` |
//! | no more characters than bytes | counting characters | lengths around 256, `packing` |
//! | digests of many messages, whole blocks, runs of a kilobyte | the `md5` crate | every length around blocks and lanes, `digests` |

#![cfg(feature = "alloc")]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "all numbers are small or bounded, and a panic fails the test, as it should"
)]

mod common;
#[path = "common/compare.rs"]
mod compare;
#[path = "fast_paths/decoding.rs"]
mod decoding;
#[path = "fast_paths/digests.rs"]
mod digests;
#[path = "fast_paths/edges.rs"]
mod edges;
#[path = "fast_paths/packing.rs"]
mod packing;
mod reference;
#[path = "fast_paths/spelling.rs"]
mod spelling;

use common::{Record, frame, records};
use compare::compare;
use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck};

/// Asserts that a body decodes to these user records, and as is specified.
fn decodes_to(body: &[u8], expected: &[Record], name: &dyn core::fmt::Debug) {
    let payload = frame(body);
    assert!(compare(&payload), "{name:?}");
    let aggregate = AggregatedRecord::parse_with(&payload, DigestCheck::Skip).unwrap();
    assert!(records(&aggregate) == expected, "{name:?}: other user records");
}
