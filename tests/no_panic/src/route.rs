//! Hash keys and their ranges, sequence numbers, and the digest.

use core::hash::Hasher;

use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::{ExtendedSequenceNumber, Md5, SequenceNumber};
use kinesis_aggregation::route::{HashKey, HashKeyRange, HashKeyRangeError};

use crate::seen::{Seen, compared, copied, debugged, defaulted, error, ordered, read, shown, value};

pub(crate) fn route(text: &str, seen: &mut Seen) {
    let (start, end) = text.split_once(' ').unwrap_or((text, text));
    let key = hash_keys(text, seen);
    for range in [read::<HashKeyRange>(text), HashKeyRange::parse(start, end)] {
        match range {
            Ok(range) => {
                shown::<HashKeyRange>(seen, &range);
                value::<HashKeyRange>(seen, &range);
                seen.number(u8::from(HashKeyRange::contains(&range, key)));
                let reversed = HashKeyRange::new(HashKeyRange::end(&range), HashKeyRange::start(&range));
                seen.number(u8::from(reversed.is_some()));
            }
            Err(fault) => {
                error::<HashKeyRangeError>(seen, &fault);
                value::<HashKeyRangeError>(seen, &fault);
            }
        }
    }
    sequence_numbers(start, end, seen);
}

fn hash_keys(text: &str, seen: &mut Seen) -> HashKey {
    let key = HashKey::of_partition_key(text);
    let record = UserRecord::new(text, "").with_explicit_hash_key(text);
    for other in [read::<HashKey>(text), UserRecord::hash_key(&record)] {
        match other {
            Ok(other) => ordered::<HashKey>(seen, &key, &other),
            Err(fault) => shown(seen, &fault),
        }
    }
    value::<HashKey>(seen, &key);
    shown::<HashKey>(seen, &key);
    compared::<HashKey>(seen, &key, &defaulted::<HashKey>());
    let mut keys = [HashKey::MIN; 3];
    HashKey::of_partition_keys(&[text, "", text, text], &mut keys);
    for other in &keys {
        compared::<HashKey>(seen, &key, other);
    }
    if HashKey::get(key) == 1 {
        return HashKey::new(2);
    }
    key
}

fn sequence_numbers(start: &str, end: &str, seen: &mut Seen) {
    if let (Some(a), Some(b)) = (SequenceNumber::parse(start), SequenceNumber::parse(end)) {
        seen.text(SequenceNumber::as_str(&a));
        shown::<SequenceNumber<'_>>(seen, &a);
        compared::<SequenceNumber<'_>>(seen, &a, &b);
        ordered::<SequenceNumber<'_>>(seen, &a, &copied::<SequenceNumber<'_>>(&b));
        let (a, b) = (ExtendedSequenceNumber::new(a, 1), ExtendedSequenceNumber::new(b, 2));
        compared::<ExtendedSequenceNumber<'_>>(seen, &a, &b);
        ordered::<ExtendedSequenceNumber<'_>>(seen, &a, &copied::<ExtendedSequenceNumber<'_>>(&b));
        shown::<ExtendedSequenceNumber<'_>>(seen, &b);
    }
}

pub(crate) fn digest(input: &[u8], seen: &mut Seen) {
    let mut md5 = Md5::new();
    Md5::update(&mut md5, input);
    let mut rest = defaulted::<Md5>();
    rest.update(b"and more");
    let both = copied::<Md5>(&md5);
    debugged::<Md5>(seen, &both);
    Md5::update(&mut md5, b"and more");
    seen.number(u8::from(Md5::finalize(md5) == Md5::digest(input)));
    seen.number(u8::from(rest.finalize() == both.finalize()));
    let mut digests = [[0; 16]; 5];
    Md5::digest_each(&[input, b"", input, b"a", input], &mut digests);
    digests.iter().for_each(|digest| seen.write(digest));
}
