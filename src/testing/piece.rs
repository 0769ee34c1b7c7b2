//! Bytes that know where they are wrong.

use alloc::vec::Vec;

/// A part of a payload, and where in it the fault is that stands there on purpose.
#[derive(Clone, Debug, Default)]
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    pub(crate) fault: Option<usize>,
}

impl Piece {
    /// Appends another; of two faults the first stays.
    #[must_use]
    pub(crate) fn then(mut self, next: impl Into<Self>) -> Self {
        let next = next.into();
        let offset = self.bytes.len();
        self.fault = self.fault.or_else(|| next.fault.map(|fault| fault.saturating_add(offset)));
        self.bytes.extend(next.bytes);
        self
    }

    /// Says that the fault is at the first byte.
    #[must_use]
    pub(crate) fn faulty(mut self) -> Self {
        self.fault = Some(0);
        self
    }
}

impl<B: AsRef<[u8]>> From<B> for Piece {
    fn from(bytes: B) -> Self {
        Self { bytes: bytes.as_ref().to_vec(), fault: None }
    }
}

impl FromIterator<Self> for Piece {
    fn from_iter<I: IntoIterator<Item = Self>>(pieces: I) -> Self {
        pieces.into_iter().fold(Self::default(), Self::then)
    }
}

/// The varint of a value in as many bytes, or in more if it needs them. A value of 64 bits needs ten at most.
pub(crate) fn varint(value: u64, at_least: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = value;
    loop {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 && bytes.len().saturating_add(1) >= at_least {
            bytes.push(low & 0x7f);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints() {
        for (value, at_least, expected) in [
            (0, 0, &[0][..]),
            (0, 2, &[0x80, 0]),
            (300, 0, &[0xac, 2]),
            (300, 4, &[0xac, 0x82, 0x80, 0]),
            (u64::MAX, 0, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
            (1, 10, &[0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0]),
        ] {
            assert_eq!(varint(value, at_least), expected, "{value} in {at_least}");
        }
    }

    #[test]
    fn faults_move_along_and_the_first_stays() {
        let piece = Piece::from(b"ab").then(Piece::from(b"c").then(Piece::from(b"d").faulty()));
        assert_eq!((&piece.bytes[..], piece.fault), (&b"abcd"[..], Some(3)));
        assert_eq!(piece.then(Piece::from(b"e").faulty()).fault, Some(3));
    }
}
