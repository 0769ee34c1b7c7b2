//! The input of all programs, and the check that they did their work.

/// A partition key and data.
pub type Record = (&'static str, &'static [u8]);

/// The capacity for keys and for user records, where a library needs to be told.
#[allow(dead_code, reason = "only some features need it")]
pub const CAPACITY: usize = 16;

static RECORDS: [Record; 6] = [
    ("sensor-1", b"21.5"),
    ("sensor-2", b"19.0"),
    ("sensor-1", b"21.6"),
    ("sensor-3", b"-4.25"),
    ("sensor-2", b""),
    ("sensor-1", b"{\"celsius\":21.4}"),
];

/// The aggregate of these records, in canonical order.
static PAYLOAD: &[u8] = b"\xf3\x89\x9a\xc2\x0a\x08sensor-1\x0a\x08sensor-2\x0a\x08sensor-3\
    \x1a\x08\x08\x00\x1a\x0421.5\x1a\x08\x08\x01\x1a\x0419.0\x1a\x08\x08\x00\x1a\x0421.6\
    \x1a\x09\x08\x02\x1a\x05-4.25\x1a\x04\x08\x01\x1a\x00\x1a\x14\x08\x00\x1a\x10{\"celsius\":21.4}\
    \x82\xd1\x87\xa5\x1a\x34\xa0\x63\x00\xd6\x6a\x9e\xe8\x4f\x53\xce";

#[derive(Clone, Copy)]
pub struct Input {
    pub records: &'static [Record],
    #[cfg_attr(
        any(all(feature = "encode", feature = "decode"), feature = "firmware"),
        expect(dead_code, reason = "the program decodes what it encoded")
    )]
    pub payload: &'static [u8],
}

impl Input {
    pub fn get() -> Self {
        Self { records: &RECORDS, payload: PAYLOAD }
    }
}

/// A checksum of the user records of an aggregate.
#[derive(Default, PartialEq)]
pub struct Seen(u32);

impl Seen {
    #[inline(never)]
    pub fn record(&mut self, key: &str, data: &[u8]) {
        for &byte in key.as_bytes().iter().chain(&[0]).chain(data) {
            self.0 = self.0.rotate_left(5) ^ u32::from(byte);
        }
    }
}
