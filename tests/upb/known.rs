//! The known differences between upb and this crate.

use std::collections::BTreeSet;

use super::oracle::Oracle;
use super::{ours, theirs};
use crate::common::{Record, field, varint};

// Why upb may see something else in a body than this crate does. Either upb accepts more:
const CUT: &str = "D6: upb cuts varints down to 64 bits";
const ZERO: &str = "D7: upb passes over field number 0 in groups";
const OVERRIDDEN: &str = "D12: upb shows no text that a later one overrides";
// Or it refuses more:
const LONG_TAG: &str = "D7: upb refuses tags of more than 5 bytes";
const LONG_LENGTH: &str = "D8: upb refuses lengths of more than 5 bytes";
const DEPTH: &str = "D9: upb counts the messages round a group as open groups";

/// The number of rules.
pub(crate) const RULES: usize = 6;

/// Says by which of these rules the two differ on a body, if that is why they do.
///
/// All that is found of them in the body must pull to the side that refuses it. And once it is taken out of the body,
/// nothing else may have changed: both have to see there what the one that accepts the body has seen in it.
pub(crate) fn known_difference(
    oracle: &mut Oracle,
    body: &[u8],
    our_view: &Option<Vec<Record>>,
    their_view: &Option<Vec<Record>>,
) -> Option<BTreeSet<&'static str>> {
    let (accepted, rules) = match (our_view, their_view) {
        (None, Some(accepted)) => (accepted, [CUT, ZERO, OVERRIDDEN]),
        (Some(accepted), None) => (accepted, [LONG_TAG, LONG_LENGTH, DEPTH]),
        _ => return None,
    };
    let mut repair = Repair::default();
    let repaired = repair.message(body, 0);
    let explained = !repair.found.is_empty()
        && repair.found.iter().all(|rule| rules.contains(rule))
        && ours(&repaired).as_ref() == Some(accepted)
        && theirs(oracle, repaired).as_ref() == Some(accepted);
    explained.then_some(repair.found)
}

/// Takes out what the two see differently, and keeps a list of it. What stands after the first fault stays as it is.
/// Tags and lengths are written as short as can be.
#[derive(Default)]
struct Repair {
    found: BTreeSet<&'static str>,
}

impl Repair {
    /// Repairs a message that has so many round it.
    fn message(&mut self, message: &[u8], level: usize) -> Vec<u8> {
        let mut fields = Vec::new();
        let mut rest = message;
        while let Some((tag, kept, after)) = self.field(rest, level) {
            fields.push((tag, kept));
            rest = after;
        }
        if level == TAG {
            self.drop_overridden(&mut fields);
        }
        let fields: Vec<u8> = fields.into_iter().flat_map(|(_, kept)| kept).collect();
        [&fields, rest].concat()
    }

    /// Repairs a field: its tag, what to keep of it, and what comes after it.
    fn field<'a>(&mut self, message: &'a [u8], level: usize) -> Option<(u64, Vec<u8>, &'a [u8])> {
        let mut rest = message;
        let tag = self.tag(&mut rest)?;
        let number = tag >> 3;
        let kept = match tag & 7 {
            _ if number == 0 => return None,
            VARINT => [varint(tag), self.value(&mut rest)?].concat(),
            FIXED64 => [&varint(tag), take(&mut rest, 8)?].concat(),
            FIXED32 => [&varint(tag), take(&mut rest, 4)?].concat(),
            BYTES => {
                let bytes = self.bytes(&mut rest)?;
                match (level, number) {
                    (BODY, RECORDS) | (RECORD, TAGS) => field(number, &self.message(bytes, level + 1)),
                    _ => field(number, bytes),
                }
            }
            GROUP => {
                let mut inside = Self::default();
                let group = rest;
                inside.group(&mut rest, number, level)?;
                if inside.found.is_empty() {
                    [&varint(tag), &group[..group.len() - rest.len()]].concat()
                } else {
                    self.found.extend(inside.found);
                    UNKNOWN.to_vec()
                }
            }
            _ => return None,
        };
        Some((tag, kept, rest))
    }

    /// Passes over the rest of a group in a message that has so many round it.
    fn group(&mut self, rest: &mut &[u8], number: u64, level: usize) -> Option<()> {
        let mut open = vec![number];
        while !open.is_empty() {
            let tag = self.tag(rest)?;
            let number = tag >> 3;
            if number == 0 {
                self.found.insert(ZERO);
            }
            match tag & 7 {
                VARINT => _ = self.value(rest)?,
                FIXED64 => _ = take(rest, 8)?,
                FIXED32 => _ = take(rest, 4)?,
                BYTES => _ = self.bytes(rest)?,
                GROUP => open.push(number),
                GROUP_END => (open.pop() == Some(number)).then_some(())?,
                _ => return None,
            }
            if open.len() > 100 {
                return None;
            }
            if open.len() + level > 100 {
                self.found.insert(DEPTH);
            }
        }
        Some(())
    }

    /// Takes a tag with any field number, 0 as well.
    fn tag(&mut self, rest: &mut &[u8]) -> Option<u64> {
        self.short(rest, LONG_TAG).filter(|tag| tag >> 3 < 1 << 29)
    }

    fn bytes<'a>(&mut self, rest: &mut &'a [u8]) -> Option<&'a [u8]> {
        let length = self.short(rest, LONG_LENGTH)?;
        take(rest, usize::try_from(length).ok()?)
    }

    /// Takes a varint that upb refuses where it has more than 5 bytes.
    fn short(&mut self, rest: &mut &[u8], rule: &'static str) -> Option<u64> {
        let bytes = take_varint(rest)?;
        if bytes.len() > 5 {
            self.found.insert(rule);
        }
        // With 70 bits neither reads it.
        if bytes.get(9).is_some_and(|&tenth| tenth > 1) {
            return None;
        }
        Some(bytes.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f)))
    }

    /// Takes a varint that is a value.
    fn value(&mut self, rest: &mut &[u8]) -> Option<Vec<u8>> {
        let mut bytes = take_varint(rest)?.to_vec();
        if let Some(tenth) = bytes.get_mut(9).filter(|tenth| **tenth > 1) {
            *tenth &= 1;
            self.found.insert(CUT);
        }
        Some(bytes)
    }

    /// Drops texts of a `Tag` that are no UTF-8, where one of the same number comes later.
    fn drop_overridden(&mut self, fields: &mut Vec<(u64, Vec<u8>)>) {
        for text in [KEY, VALUE] {
            let Some(last) = fields.iter().rposition(|(tag, _)| *tag == text) else { continue };
            let mut places = 0..;
            fields.retain(|(tag, kept)| {
                let overridden = places.next() < Some(last) && *tag == text;
                let bad = overridden && !is_text(kept);
                if bad {
                    self.found.insert(OVERRIDDEN);
                }
                !bad
            });
        }
    }
}

/// Returns whether a field holds UTF-8.
fn is_text(field: &[u8]) -> bool {
    let mut rest = field;
    _ = take_varint(&mut rest).and_then(|_| take_varint(&mut rest));
    core::str::from_utf8(rest).is_ok()
}

/// A varint of at most 10 bytes.
fn take_varint<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let last = rest.iter().take(10).position(|&byte| byte < 0x80)?;
    take(rest, last + 1)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const GROUP: u64 = 3;
const GROUP_END: u64 = 4;
const FIXED32: u64 = 5;

// How many messages there are round a message.
const BODY: usize = 0;
const RECORD: usize = 1;
const TAG: usize = 2;

// The fields of a body and of a `Record` that hold messages.
const RECORDS: u64 = 3;
const TAGS: u64 = 4;

// The tags of the fields of a `Tag`.
const KEY: u64 = 1 << 3 | BYTES;
const VALUE: u64 = 2 << 3 | BYTES;

/// A field that no message knows. It stands where a group was: a body must not become empty (D1).
const UNKNOWN: [u8; 2] = [9 << 3, 0];
