//! Values that are worth trying.

use alloc::string::String;

/// Partition keys that come up again and again, so that aggregates have user records of the same key.
pub(crate) const PARTITION_KEYS: &[&str] = &["a", "b", "0", "device-7", "clé", "漢字", "🚀", "a\0b"];

/// Hash keys at the edges: of all, of one shard of two, of 64 bits.
pub(crate) const HASH_KEYS: &[&str] = &[
    "0",
    "1",
    "18446744073709551616",
    "170141183460469231731687303715884105727",
    "170141183460469231731687303715884105728",
    "340282366920938463463374607431768211455",
];

/// Explicit hash keys that no producer may send, but that come out as they are (D14): no number, not a plain one, 2^128.
pub(crate) const FOREIGN_HASH_KEYS: &[&str] =
    &["", "007", "abc", "+5", "-1", " 5", "340282366920938463463374607431768211456"];

/// Lengths at which the length of a length changes, and their neighbours.
pub(crate) const LENGTHS: &[usize] = &[127, 128, 129, 16_383, 16_384];

/// Makes a partition key that a producer may send (E5).
pub(crate) fn partition_key(characters: impl IntoIterator<Item = char>) -> String {
    let mut key: String = characters.into_iter().take(256).collect();
    if key.is_empty() {
        key.push('a');
    }
    key
}
