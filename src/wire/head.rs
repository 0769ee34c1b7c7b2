//! Up to sixteen bytes that are put together in a register, and written at once.

/// What stands before some bytes, put together from its end.
///
/// There is no `Option` and no early return here: they make the compiler keep it in memory, in parts, and read it back
/// as a whole, for which processors wait.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Head {
    /// The first byte is the lowest.
    bytes: u128,
    len: u32,
    /// Whether a number was too large.
    overflowed: bool,
}

impl Head {
    /// The most bytes of a head.
    pub(crate) const MOST: usize = 16;

    /// Whether all that was put before it is there.
    #[inline(always)]
    pub(crate) const fn is_whole(&self) -> bool {
        !self.overflowed
    }

    /// How many bytes there are.
    #[inline(always)]
    #[expect(clippy::as_conversions, reason = "at most 16")]
    pub(crate) const fn len(&self) -> usize {
        self.len as usize
    }

    /// Puts a tag of one byte and a number before all that is there. There is room for four; the numbers may take three
    /// bytes at most.
    ///
    /// The number is encoded without a branch on its length, which a processor could not foresee for indexes.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::as_conversions, reason = "truths are 0 or 1, and numbers are widened")]
    pub(crate) const fn put_before(self, number: u32, tag: u8) -> Self {
        // 0, 8 or 16: all bytes but the last are marked.
        let marked = 8 * (number >= 1 << 7) as u32 + 8 * (number >= 1 << 14) as u32;
        let marks = 0x8080 & 1u32.wrapping_shl(marked).wrapping_sub(1);
        let digits = number & 0x7f | (number & 0x3f80) << 1 | (number & 0x1f_c000) << 2;
        let field = (digits | marks) << 8 | tag as u32;
        Self {
            bytes: self.bytes.wrapping_shl(marked.wrapping_add(16)) | field as u128,
            len: self.len.wrapping_add(marked / 8).wrapping_add(2),
            overflowed: self.overflowed | (number >= 1 << 21),
        }
    }

    /// The same for a length. Most take a byte, which a processor does foresee.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::as_conversions, reason = "numbers are widened")]
    pub(crate) const fn put_length_before(self, length: u32, tag: u8) -> Self {
        if length >= 1 << 7 {
            return self.put_before(length, tag);
        }
        Self {
            bytes: self.bytes.wrapping_shl(16) | (length.wrapping_shl(8) | tag as u32) as u128,
            len: self.len.wrapping_add(2),
            overflowed: self.overflowed,
        }
    }

    /// The bytes, followed by zeros, and how many of them there are.
    #[inline(always)]
    pub(crate) const fn to_bytes(self) -> ([u8; Self::MOST], usize) {
        (self.bytes.to_le_bytes(), self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Writer;
    use crate::wire::varint::tests::BOUNDARIES;

    /// Every way to put four numbers before each other, byte by byte.
    #[test]
    fn as_the_writer_puts_them() {
        let numbers: alloc::vec::Vec<u32> =
            BOUNDARIES.iter().filter_map(|&(value, _)| u32::try_from(value).ok()).collect();
        let mut some = 0;
        for &a in &numbers {
            for &b in &numbers {
                for &c in &numbers {
                    let all = [(4, a), (3, b), (2, c), (1, a)];
                    let head = all
                        .iter()
                        .fold(Head::default(), |head, &(tag, number)| head.put_before(number, tag << 3));
                    let by_length = all.iter().fold(Head::default(), |head, &(tag, number)| {
                        head.put_length_before(number, tag << 3)
                    });
                    let whole = all.iter().all(|&(_, number)| number < 1 << 21);
                    assert_eq!(head.is_whole(), whole, "{a:#x} {b:#x} {c:#x}");
                    assert_eq!(by_length.is_whole(), whole, "{a:#x} {b:#x} {c:#x}");
                    if !whole {
                        continue;
                    }
                    assert_eq!(by_length.to_bytes(), head.to_bytes(), "{a:#x} {b:#x} {c:#x}");
                    let mut expected = [0; Head::MOST];
                    let mut writer = Writer::new(&mut expected, 0);
                    for (tag, number) in all.into_iter().rev() {
                        writer.varint_field(u32::from(tag), u64::from(number)).unwrap();
                    }
                    let len = writer.position();
                    assert_eq!(head.to_bytes(), (expected, len), "{a:#x} {b:#x} {c:#x}");
                    some += 1;
                }
            }
        }
        assert_eq!(some, 343);
    }
}
