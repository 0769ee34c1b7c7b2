//! What all programs work on, and the proof that they did.

/// A partition key and data.
pub type Record = (&'static str, &'static [u8]);

/// How many keys and user records all have room for, where they need it.
#[allow(dead_code, reason = "by features")]
pub const ROOM: usize = 16;

static RECORDS: [Record; 6] = [
    ("sensor-1", b"21.5"),
    ("sensor-2", b"19.0"),
    ("sensor-1", b"21.6"),
    ("sensor-3", b"-4.25"),
    ("sensor-2", b""),
    ("sensor-1", b"{\"celsius\":21.4}"),
];

/// The same, aggregated, in canonical order.
#[cfg(feature = "digest")]
static PAYLOAD: &[u8] = b"\xf3\x89\x9a\xc2\x0a\x08sensor-1\x0a\x08sensor-2\x0a\x08sensor-3\
    \x1a\x08\x08\x00\x1a\x0421.5\x1a\x08\x08\x01\x1a\x0419.0\x1a\x08\x08\x00\x1a\x0421.6\
    \x1a\x09\x08\x02\x1a\x05-4.25\x1a\x04\x08\x01\x1a\x00\x1a\x14\x08\x00\x1a\x10{\"celsius\":21.4}\
    \x82\xd1\x87\xa5\x1a\x34\xa0\x63\x00\xd6\x6a\x9e\xe8\x4f\x53\xce";
#[cfg(not(feature = "digest"))]
static PAYLOAD: &[u8] = b"\xf3\x89\x9a\xc2\x0a\x08sensor-1\x0a\x08sensor-2\x0a\x08sensor-3\
    \x1a\x08\x08\x00\x1a\x0421.5\x1a\x08\x08\x01\x1a\x0419.0\x1a\x08\x08\x00\x1a\x0421.6\
    \x1a\x09\x08\x02\x1a\x05-4.25\x1a\x04\x08\x01\x1a\x00\x1a\x14\x08\x00\x1a\x10{\"celsius\":21.4}\
    \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";

#[derive(Clone, Copy)]
pub struct Input {
    pub records: &'static [Record],
    #[cfg_attr(
        all(feature = "encode", feature = "decode"),
        expect(dead_code, reason = "it takes apart what it packed")
    )]
    pub payload: &'static [u8],
}

impl Input {
    pub fn get() -> Self {
        Self { records: &RECORDS, payload: PAYLOAD }
    }
}

/// Takes in all that comes out of an aggregate.
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
