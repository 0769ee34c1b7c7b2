//! Random bodies: like those of aggregated records, each as odd as the format allows, some of them slightly wrong.
//!
//! What may be wrong is what a rule of `docs/wire-format.md` forbids. How often something is differs from body to
//! body, so that many are valid, and many have one fault that hides no other.

#![expect(
    clippy::indexing_slicing,
    reason = "all numbers are small, and a panic fails the test, as it should"
)]

use super::random::Random;

/// Makes a body.
pub(crate) fn body(random: &mut Random) -> Vec<u8> {
    let wrong_in = random.pick(&[0, 0, 400, 100, 25]);
    let odd_in = random.pick(&[0, 40, 8]);
    Maker { random, wrong_in, odd_in }.body()
}

/// Makes a body that has no fault.
pub(crate) fn valid_body(random: &mut Random) -> Vec<u8> {
    let odd_in = random.pick(&[0, 40, 8]);
    Maker { random, wrong_in: 0, odd_in }.body()
}

/// Changes a body here or there. `other` is where foreign bytes come from.
pub(crate) fn mutate(random: &mut Random, body: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..random.pick(&[1, 1, 1, 2, 4]) {
        let at = random.below(body.len());
        let to = at + random.below(body.len() - at + 1).min(random.pick(&[1, 2, 8, 4000]));
        match random.below(12) {
            0..=2 if at < body.len() => body[at] ^= 1 << random.below(8),
            3..=6 if at < body.len() => body[at] = interesting_byte(random),
            7 => body.insert(at, interesting_byte(random)),
            8 => drop(body.drain(at..to)),
            9 => body.truncate(at),
            10 => {
                let copy = body[at..to].to_vec();
                body.splice(at..at, copy);
            }
            _ => {
                let from = random.below(other.len());
                body.splice(at..to, other[from..].iter().take(random.pick(&[2, 10, 4000])).copied());
            }
        }
    }
}

fn interesting_byte(random: &mut Random) -> u8 {
    match random.below(3) {
        0 => random.pick(&[0, 1, 2, 3, 5, 0x7f, 0x80, 0x81, 0xc0, 0xed, 0xf0, 0xff]),
        1 => random.pick(&[0x08, 0x0a, 0x0b, 0x0c, 0x0f, 0x10, 0x12, 0x1a, 0x1b, 0x1c, 0x22, 0x4b, 0x4c]),
        _ => random.byte(),
    }
}

struct Maker<'r> {
    random: &'r mut Random,
    /// One choice in so many breaks a rule; none does if it is 0.
    wrong_in: usize,
    /// One choice in so many is legal but no encoder's; none is if it is 0.
    odd_in: usize,
}

/// The numbers of the fields that a message may have without knowing them.
const UNKNOWN: [u64; 6] = [5, 9, 15, 16, 2047, (1 << 29) - 1];

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const GROUP: u64 = 3;
const GROUP_END: u64 = 4;
const FIXED32: u64 = 5;

impl Maker<'_> {
    fn wrong(&mut self) -> bool {
        self.wrong_in != 0 && self.random.one_in(self.wrong_in)
    }

    fn odd(&mut self) -> bool {
        self.odd_in != 0 && self.random.one_in(self.odd_in)
    }

    fn body(&mut self) -> Vec<u8> {
        let partition_keys = if self.odd() { 130 } else { 1 + self.random.below(4) };
        let explicit_hash_keys = self.random.below(4);
        let mut fields = Vec::new();
        for _ in 0..partition_keys {
            let key = self.text();
            fields.push(self.field(1, &key));
        }
        for _ in 0..explicit_hash_keys {
            let key = self.text();
            fields.push(self.field(2, &key));
        }
        for _ in 0..self.random.below(6) {
            let record = self.record(partition_keys, explicit_hash_keys);
            fields.push(self.field(3, &record));
        }
        for odd_type in [VARINT, FIXED64, GROUP, FIXED32] {
            if self.odd() {
                let number = self.random.pick(&[1, 2, 3]);
                fields.push(self.unknown(number, odd_type, 0));
            }
        }
        self.assemble(fields)
    }

    fn record(&mut self, partition_keys: usize, explicit_hash_keys: usize) -> Vec<u8> {
        let mut fields = Vec::new();
        for _ in 0..self.how_often(1) {
            let index = self.index(partition_keys);
            fields.push([self.tag(1, VARINT), self.varint(index)].concat());
        }
        let explicit = usize::from(explicit_hash_keys != 0 && self.random.one_in(2));
        for _ in 0..self.how_often(explicit) {
            let index = self.index(explicit_hash_keys);
            fields.push([self.tag(2, VARINT), self.varint(index)].concat());
        }
        for _ in 0..self.how_often(1) {
            let long = self.odd() && self.random.one_in(4);
            let len = self.random.pick(if long { &[300, 16_383, 16_384] } else { &[0, 1, 2, 20, 127, 128] });
            let data = self.random.bytes(len);
            fields.push(self.field(3, &data));
        }
        for _ in 0..self.random.pick(&[0, 0, 0, 1, 2]) {
            let tag = self.record_tag();
            fields.push(self.field(4, &tag));
        }
        if self.odd() {
            let (number, odd_type) = self.random.pick(&[(1, FIXED32), (2, BYTES), (3, VARINT), (4, GROUP)]);
            fields.push(self.unknown(number, odd_type, 0));
        }
        self.assemble(fields)
    }

    fn record_tag(&mut self) -> Vec<u8> {
        let mut fields = Vec::new();
        for (number, usual) in [(1, 1), (2, self.random.below(2))] {
            for _ in 0..self.how_often(usual) {
                let text = self.text();
                fields.push(self.field(number, &text));
            }
        }
        if self.odd() {
            fields.push(self.unknown(1, FIXED64, 0));
        }
        self.assemble(fields)
    }

    /// How often a field stands in its message that should be there once or not at all.
    fn how_often(&mut self, usual: usize) -> usize {
        if self.odd() {
            usual * 2
        } else if self.wrong() {
            1 - usual
        } else {
            usual
        }
    }

    /// Puts fields one after the other, in another order now and then, and something unknown between them.
    fn assemble(&mut self, mut fields: Vec<Vec<u8>>) -> Vec<u8> {
        if self.odd() {
            let number = self.random.pick(&UNKNOWN);
            let wire_type = self.random.pick(&[VARINT, FIXED64, BYTES, GROUP, FIXED32]);
            fields.push(self.unknown(number, wire_type, 0));
        }
        if self.wrong() {
            let tag = self.random.pick(&[0, 2, 7, 0x0c, 0x0e, 0x4c, 0x4f, 1 << 32, (1 << 32) + 8, u64::MAX]);
            fields.push(self.varint(tag));
        }
        if self.odd() || self.wrong() {
            self.random.shuffle(&mut fields);
        }
        fields.concat()
    }

    fn unknown(&mut self, number: u64, wire_type: u64, depth: usize) -> Vec<u8> {
        let tag = self.tag(number, wire_type);
        let value = match wire_type {
            VARINT => {
                let shift = self.random.below(64);
                let value = self.random.next() >> shift;
                self.varint(value)
            }
            FIXED64 => self.random.bytes(8),
            FIXED32 => self.random.bytes(4),
            GROUP => self.group(number, depth),
            _ => {
                let len = self.random.below(4);
                let bytes = self.random.bytes(len);
                [self.varint(len.try_into().unwrap_or(0)), bytes].concat()
            }
        };
        let cut = if self.wrong() { self.random.below(3) } else { 0 };
        [&tag[..], &value[..value.len().saturating_sub(cut)]].concat()
    }

    /// All of a group but its first tag.
    fn group(&mut self, number: u64, depth: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        if depth == 0 && self.odd() {
            // The first is open already: 100 are allowed.
            let depth = if self.wrong() { 100 } else { self.random.pick(&[90, 97, 98, 99]) };
            bytes.extend(self.tag(9, GROUP).repeat(depth));
            bytes.extend(self.tag(9, GROUP_END).repeat(depth));
        }
        for _ in 0..self.random.below(3) {
            let wire_types = if depth < 4 { 5 } else { 4 };
            let wire_type = [VARINT, FIXED64, BYTES, FIXED32, GROUP][self.random.below(wire_types)];
            let number = self.random.pick(&[1, 3, 9, 16]);
            bytes.extend(self.unknown(number, wire_type, depth + 1));
        }
        if !self.wrong() {
            let number = if self.wrong() { 8 } else { number };
            bytes.extend(self.tag(number, GROUP_END));
        }
        bytes
    }

    /// An index into a table of this many entries.
    fn index(&mut self, entries: usize) -> u64 {
        let entries = u64::try_from(entries).unwrap_or(0);
        if self.wrong() {
            return self.random.pick(&[entries, entries + 1, 1 << 31, 1 << 32, u64::MAX]);
        }
        let last = entries.saturating_sub(1);
        if self.odd() { last } else { self.random.next() % (last + 1) }
    }

    fn text(&mut self) -> Vec<u8> {
        let long = ["k".repeat(127), "k".repeat(128)];
        let texts = ["", "0", "a", "b", "device-7", "clé", "漢字", "🚀", "a\0b", &long[0], &long[1]];
        let mut text = self.random.pick(&texts).as_bytes().to_vec();
        if self.wrong() {
            // A lone continuation, an over-long form, a surrogate, a character cut off, one too large, no UTF-8 at all.
            let bad: [&[u8]; 6] =
                [b"\x80", b"\xc0\x80", b"\xed\xa0\x80", b"\xf0\x9f\x9a", b"\xf4\x90\x80\x80", b"\xff"];
            text.extend(self.random.pick(&bad));
            if self.random.one_in(2) {
                text.push(b'z');
            }
        }
        text
    }

    fn field(&mut self, number: u64, bytes: &[u8]) -> Vec<u8> {
        let mut length = u64::try_from(bytes.len()).unwrap_or(0);
        if self.wrong() {
            let more = self.random.pick(&[1, 200, 1 << 31, 1 << 32, 1 << 63, u64::MAX]);
            length = length.wrapping_add(more);
        }
        [&self.tag(number, BYTES)[..], &self.varint(length), bytes].concat()
    }

    fn tag(&mut self, number: u64, wire_type: u64) -> Vec<u8> {
        self.varint(number << 3 | wire_type)
    }

    fn varint(&mut self, value: u64) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            (0..10).map(|place| (value >> (7 * place)).to_le_bytes()[0] & 0x7f).collect();
        let shortest = bytes.iter().rposition(|&byte| byte != 0).unwrap_or(0) + 1;
        let longest = if self.odd() { 10 } else { shortest };
        bytes.truncate(shortest + self.random.below(longest - shortest + 1));
        let all_but_last = bytes.len() - 1;
        bytes[..all_but_last].iter_mut().for_each(|byte| *byte |= 0x80);
        if self.wrong() {
            // None at all, one that does not end, 70 bits, bit 64.
            let ends: [&[u8]; 4] =
                [&[], &[0x80; 3], &[0x80; 10], b"\x81\x80\x80\x80\x80\x80\x80\x80\x80\x02"];
            bytes = self.random.pick(&ends).to_vec();
        }
        bytes
    }
}
