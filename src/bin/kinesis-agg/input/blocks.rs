//! Payloads that take several lines: wrapped hex and base64, and hex dumps. Aggregates end where their digest matches.

use data_encoding::{BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use kinesis_aggregation::decode::{MAGIC, Md5};

use crate::failure::Failure;
use crate::input::MAX_UNIT;
use crate::input::gather::Gatherer;
use crate::input::payloads::Event;
use crate::input::renderings::{DumpLine, Form, hex_digits, is_base64};

/// The size in bytes of a digest.
const DIGEST_SIZE: usize = 16;

/// Returns the ends of the payloads in raw data: those of aggregates that begin with the magic, end with their digest and
/// are followed by the magic, and the end of the data.
pub(crate) fn ends(data: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    if data.starts_with(&MAGIC) {
        let mut growing = Growing::new(0);
        for next in memchr::memmem::find_iter(data, &MAGIC).skip(1) {
            if growing.ends_with_digest(data.get(..next).unwrap_or_default(), &[]) {
                ends.push(next);
                growing = Growing::new(next);
            }
        }
    }
    ends.push(data.len());
    ends
}

/// Verifies the digest of an aggregate each time that some of its bytes have been read, in linear time.
struct Growing {
    /// The start of the aggregate.
    start: usize,
    digest: Md5,
    /// Everything before is digested.
    digested: usize,
}

impl Growing {
    fn new(start: usize) -> Self {
        Self { start, digest: Md5::new(), digested: start + MAGIC.len() }
    }

    /// Returns whether the bytes, and up to 15 more in `tail`, end with the digest of the aggregate's body. They may only
    /// grow.
    fn ends_with_digest(&mut self, bytes: &[u8], tail: &[u8]) -> bool {
        let Some(end) = (bytes.len() + tail.len()).checked_sub(DIGEST_SIZE) else { return false };
        if end <= self.start + MAGIC.len() || end < self.digested {
            return false;
        }
        let (Some(body), Some(found)) = (bytes.get(self.digested..end), bytes.get(end..)) else {
            return false;
        };
        self.digest.update(body);
        self.digested = end;
        self.digest.clone().finalize().iter().eq(found.iter().chain(tail))
    }
}

/// An aggregate in hex or base64 whose end has not been found yet.
pub(crate) struct Block {
    place: String,
    form: Form,
    bytes: Vec<u8>,
    growing: Growing,
    /// Digits of the next byte or bytes.
    carry: Vec<u8>,
    /// The length of its lines, apart from the last.
    width: usize,
}

impl Block {
    /// Begins a block if the line begins like an aggregate, in either form.
    pub(crate) fn begin(line: &[u8], form: Form, place: impl ToString) -> Option<Self> {
        let form = [form, form.other()].into_iter().find(|form| form.starts_aggregate(line))?;
        let block = Self {
            place: place.to_string(),
            form,
            bytes: Vec::new(),
            growing: Growing::new(0),
            carry: Vec::new(),
            width: line.len(),
        };
        block.digits(line).is_some().then_some(block)
    }

    /// Returns whether a line continues the block.
    pub(crate) fn takes(&self, line: &[u8]) -> bool {
        !line.is_empty()
            && line.len() <= self.width
            && self.bytes.len() < MAX_UNIT
            && !self.form.starts_aggregate(line)
            && self.digits(line).is_some()
    }

    /// Adds a line, and returns whether it is the last.
    pub(crate) fn push(&mut self, line: &[u8]) -> bool {
        self.carry.extend(self.digits(line).unwrap_or_default());
        let unit = match self.form {
            Form::Hex => 2,
            Form::Base64 => 4,
        };
        let rest = self.carry.split_off(self.carry.len() - self.carry.len() % unit);
        let whole = core::mem::replace(&mut self.carry, rest);
        self.bytes.extend(decode(self.form, &whole).unwrap_or_default());
        line.len() < self.width || line.ends_with(b"=") || self.is_complete()
    }

    /// Returns whether the block ends with its digest.
    fn is_complete(&mut self) -> bool {
        let tail = decode(self.form, &self.carry);
        tail.is_some_and(|tail| self.growing.ends_with_digest(&self.bytes, &tail))
    }

    /// Passes the payload on.
    pub(crate) fn end<V>(mut self, gatherer: &mut Gatherer<'_, V>) -> Result<(), Failure>
    where
        V: FnMut(Event<'_>) -> Result<(), Failure>,
    {
        match decode(self.form, &self.carry) {
            Some(tail) => {
                self.bytes.extend(tail);
                gatherer.payload(self.place, &self.bytes)
            }
            None => {
                let what = match self.form {
                    Form::Hex => "odd number of hex digits",
                    Form::Base64 => "base64 is cut short or has something appended",
                };
                gatherer.damaged(self.place, what)
            }
        }
    }

    /// Returns the digits in a line, in the standard alphabet and without padding.
    fn digits(&self, line: &[u8]) -> Option<Vec<u8>> {
        match self.form {
            Form::Hex => hex_digits(line),
            Form::Base64 => line.iter().all(|&byte| is_base64(byte)).then(|| {
                let digits = line.iter().filter(|&&byte| byte != b'=');
                digits
                    .map(|byte| match byte {
                        b'-' => b'+',
                        b'_' => b'/',
                        other => *other,
                    })
                    .collect()
            }),
        }
    }
}

fn decode(form: Form, digits: &[u8]) -> Option<Vec<u8>> {
    match form {
        Form::Hex => HEXLOWER_PERMISSIVE.decode(digits).ok(),
        Form::Base64 => BASE64_NOPAD.decode(digits).ok(),
    }
}

/// A hex dump that is being read.
pub(crate) struct Dump {
    pub(crate) place: String,
    pub(crate) bytes: Vec<u8>,
    growing: Growing,
    /// The offset of the first line.
    start: u64,
    /// The last line with bytes. `*` repeats it.
    last: Vec<u8>,
    /// True if there was a `*` after it.
    pub(crate) repeats: bool,
}

impl Dump {
    pub(crate) fn new(place: impl ToString, start: u64) -> Self {
        Self {
            place: place.to_string(),
            bytes: Vec::new(),
            growing: Growing::new(0),
            start,
            last: Vec::new(),
            repeats: false,
        }
    }

    /// Adds a line, and returns whether an aggregate ends there.
    pub(crate) fn push(&mut self, line: DumpLine) -> Result<bool, &'static str> {
        let position = usize::try_from(line.offset.wrapping_sub(self.start)).unwrap_or(usize::MAX);
        if self.repeats && position < MAX_UNIT && !self.last.is_empty() {
            while self.bytes.len() < position {
                self.bytes.extend_from_slice(&self.last);
            }
        }
        self.repeats = false;
        if position != self.bytes.len() {
            return Err("lines of the hex dump are missing before this one");
        }
        self.bytes.extend_from_slice(&line.bytes);
        if !line.bytes.is_empty() {
            self.last = line.bytes;
        }
        Ok(self.bytes.starts_with(&MAGIC) && self.growing.ends_with_digest(&self.bytes, &[]))
    }
}

/// Notices lines that may be those of a single wrapped value.
#[derive(Default)]
pub(crate) struct Widths {
    last: usize,
    noticed: bool,
}

impl Widths {
    /// Returns `true` once, if two lines in a row are as long as tools wrap lines. Aggregates are recognized as such.
    pub(crate) fn seem_wrapped(&mut self, width: usize, data: &[u8]) -> bool {
        let seem = !self.noticed
            && self.last == width
            && matches!(width, 60 | 64 | 72 | 76)
            && !data.starts_with(&MAGIC);
        self.noticed |= seem;
        self.last = width;
        seem
    }
}
