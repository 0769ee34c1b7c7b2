//! Base-128 varints: 7 bits a byte, least significant first, the top bit set on all bytes but the last.

/// The most bytes a 64-bit varint takes (rule D6).
pub(crate) const MAX_LEN: usize = 10;

/// Counts the bytes of the shortest varint that holds `value`: 1 to 10.
#[expect(
    clippy::as_conversions,
    reason = "the number of significant bits is 1 to 64, so everything fits a byte"
)]
pub(crate) const fn encoded_len(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    // 9/64 is a little less than 1/7: exact for 1 to 64 bits, and a shift instead of a division.
    ((bits * 9 + 64) / 64) as usize
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Every value at which a varint grows, with its neighbours. All encoders and decoders are run over it.
    pub(crate) const BOUNDARIES: &[(u64, usize)] = &[
        (0, 1),
        (1, 1),
        (0x7f, 1),
        (0x80, 2),
        (0x3fff, 2),
        (0x4000, 3),
        (0x1f_ffff, 3),
        (0x20_0000, 4),
        (0xfff_ffff, 4),
        (0x1000_0000, 5),
        (0x7_ffff_ffff, 5),
        (0x8_0000_0000, 6),
        (0x3ff_ffff_ffff, 6),
        (0x400_0000_0000, 7),
        (0x1_ffff_ffff_ffff, 7),
        (0x2_0000_0000_0000, 8),
        (0xff_ffff_ffff_ffff, 8),
        (0x100_0000_0000_0000, 9),
        (0x7fff_ffff_ffff_ffff, 9),
        (0x8000_0000_0000_0000, 10),
        (u64::MAX, 10),
    ];

    #[test]
    fn length_of_every_boundary() {
        for &(value, len) in BOUNDARIES {
            assert_eq!(encoded_len(value), len, "{value:#x}");
        }
    }

    #[test]
    fn length_of_every_power_of_two() {
        for bits in 0..64u32 {
            let by_division = (bits / 7 + 1) as usize;
            assert_eq!(encoded_len(1 << bits), by_division, "2^{bits}");
        }
    }
}
