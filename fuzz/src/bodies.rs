//! Bodies made of fields: most of them as an encoder would write them, some odd, some wrong.

use core::fmt;

use arbitrary::Arbitrary;

use crate::common::{field, to_hex, varint};

/// The fields of an `AggregatedRecord`, in any order. It is shown as the bytes that it stands for.
#[derive(Arbitrary)]
pub struct Body<'a>(Vec<Field<'a>>);

#[derive(Arbitrary)]
enum Field<'a> {
    PartitionKey(&'a str),
    ExplicitHashKey(&'a str),
    Record(Record<'a>),
    Odd(Odd<'a>),
}

#[derive(Arbitrary)]
struct Record<'a> {
    partition_key: u8,
    explicit_hash_key: Option<u8>,
    data: &'a [u8],
    /// Anything more, before the fields above.
    before: Vec<Inner<'a>>,
    /// Anything more, behind.
    after: Vec<Inner<'a>>,
    lacks: Option<Lacks>,
}

/// What a `Record` may lack that it should have.
#[derive(Arbitrary, PartialEq)]
enum Lacks {
    PartitionKey,
    Data,
}

#[derive(Arbitrary)]
enum Inner<'a> {
    Tag { key: &'a str, value: Option<&'a str>, after: Vec<Odd<'a>> },
    Odd(Odd<'a>),
}

/// A field that no encoder writes, or that is none.
#[derive(Arbitrary)]
enum Odd<'a> {
    /// Also an index out of range, or one that overrides another.
    Varint {
        number: u8,
        value: u64,
        spare: u8,
    },
    Fixed64(u8, u64),
    Fixed32(u8, u32),
    /// Also text that is no UTF-8. The length may be another than that of the bytes.
    Bytes {
        number: u8,
        bytes: &'a [u8],
        off_by: i8,
    },
    Group {
        number: u8,
        inside: Vec<Self>,
        ends: bool,
    },
    /// So many groups, one in the other.
    Nested(u8),
    Raw(&'a [u8]),
}

impl Body<'_> {
    /// The bytes of the message.
    pub fn encode(&self) -> Vec<u8> {
        let count = |is: fn(&Field<'_>) -> bool| self.0.iter().filter(|field| is(field)).count();
        let partition_keys = count(|field| matches!(field, Field::PartitionKey(_)));
        let explicit_hash_keys = count(|field| matches!(field, Field::ExplicitHashKey(_)));
        let mut body = Vec::new();
        for part in &self.0 {
            match part {
                Field::PartitionKey(key) => body.extend(field(1, key.as_bytes())),
                Field::ExplicitHashKey(key) => body.extend(field(2, key.as_bytes())),
                Field::Record(record) => {
                    body.extend(field(3, &record.encode(partition_keys, explicit_hash_keys)));
                }
                Field::Odd(odd) => odd.encode(&mut body),
            }
        }
        body
    }
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.encode()))
    }
}

impl Record<'_> {
    /// The message, with indexes into tables of so many entries: they are in range if there is an entry.
    fn encode(&self, partition_keys: usize, explicit_hash_keys: usize) -> Vec<u8> {
        let index = |index: u8, entries: usize| varint((usize::from(index) % entries.max(1)) as u64);
        let mut message = Vec::new();
        self.before.iter().for_each(|inner| inner.encode(&mut message));
        if self.lacks != Some(Lacks::PartitionKey) {
            message.push(0x08);
            message.extend(index(self.partition_key, partition_keys));
        }
        if let Some(explicit) = self.explicit_hash_key {
            message.push(0x10);
            message.extend(index(explicit, explicit_hash_keys));
        }
        if self.lacks != Some(Lacks::Data) {
            message.extend(field(3, self.data));
        }
        self.after.iter().for_each(|inner| inner.encode(&mut message));
        message
    }
}

impl Inner<'_> {
    fn encode(&self, message: &mut Vec<u8>) {
        match self {
            Self::Tag { key, value, after } => {
                let mut tag = field(1, key.as_bytes());
                tag.extend(value.iter().flat_map(|value| field(2, value.as_bytes())));
                after.iter().for_each(|odd| odd.encode(&mut tag));
                message.extend(field(4, &tag));
            }
            Self::Odd(odd) => odd.encode(message),
        }
    }
}

impl Odd<'_> {
    fn encode(&self, message: &mut Vec<u8>) {
        let tag = |number: u8, wire_type: u64| varint(u64::from(number) << 3 | wire_type);
        match self {
            Self::Varint { number, value, spare } => {
                message.extend(tag(*number, 0));
                message.extend(long_varint(*value, *spare));
            }
            Self::Fixed64(number, value) => {
                message.extend(tag(*number, 1));
                message.extend(value.to_le_bytes());
            }
            Self::Fixed32(number, value) => {
                message.extend(tag(*number, 5));
                message.extend(value.to_le_bytes());
            }
            Self::Bytes { number, bytes, off_by } => {
                message.extend(tag(*number, 2));
                // Most of them are right.
                let off_by = if (-4..=4).contains(off_by) { i64::from(*off_by) } else { 0 };
                message.extend(varint((bytes.len() as u64).wrapping_add_signed(off_by)));
                message.extend(*bytes);
            }
            Self::Group { number, inside, ends } => {
                message.extend(tag(*number, 3));
                inside.iter().for_each(|odd| odd.encode(message));
                message.extend(tag(*number, if *ends { 4 } else { 0 }));
            }
            Self::Nested(depth) => {
                message.extend(vec![0x4b; usize::from(*depth)]);
                message.extend(vec![0x4c; usize::from(*depth)]);
            }
            Self::Raw(bytes) => message.extend(*bytes),
        }
    }
}

/// A varint of up to three bytes more than it needs: that may be more than it may have.
fn long_varint(value: u64, spare: u8) -> Vec<u8> {
    let mut bytes = varint(value);
    for _ in 0..spare % 4 {
        *bytes.last_mut().unwrap() |= 0x80;
        bytes.push(0);
    }
    bytes
}
