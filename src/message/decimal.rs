//! Hash keys in decimal.

use crate::error::HashKeyError;

/// Reads the one way to write a number below 2^128 (rule E4).
pub(crate) fn parse_hash_key(text: &str) -> Result<u128, HashKeyError> {
    let digits = text.as_bytes();
    if let Some(offset) = digits.iter().position(|byte| !byte.is_ascii_digit()) {
        return Err(HashKeyError::NotADigit { offset });
    }
    match digits {
        [] => return Err(HashKeyError::Empty),
        [b'0', _, ..] => return Err(HashKeyError::LeadingZero),
        _ => {}
    }
    // Nineteen digits fit 64 bits, in which the arithmetic is far cheaper than in 128.
    let mut number: u128 = 0;
    for chunk in digits.chunks(19) {
        let (value, scale) = chunk.iter().fold((0u64, 1u64), |(value, scale), byte| {
            let digit = u64::from(byte & 0x0f);
            (value.wrapping_mul(10).wrapping_add(digit), scale.wrapping_mul(10))
        });
        number = number
            .checked_mul(u128::from(scale))
            .and_then(|number| number.checked_add(u128::from(value)))
            .ok_or(HashKeyError::TooLarge)?;
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use HashKeyError::*;
    use alloc::string::ToString;

    #[test]
    fn numbers() {
        let powers = (0..128).map(|bits| 1u128 << bits);
        for number in
            powers.flat_map(|power| [power - 1, power, power + 1]).chain([0, u128::MAX - 1, u128::MAX])
        {
            assert_eq!(parse_hash_key(&number.to_string()), Ok(number));
        }
        for digits in 1..=38 {
            let nines = "9".repeat(digits);
            assert_eq!(parse_hash_key(&nines), Ok(nines.parse().unwrap()));
        }
    }

    #[test]
    fn what_is_wrong() {
        let long_zeros = "0".repeat(40);
        for (text, error) in [
            ("", Empty),
            ("00", LeadingZero),
            ("007", LeadingZero),
            (&*long_zeros, LeadingZero),
            ("+5", NotADigit { offset: 0 }),
            ("-5", NotADigit { offset: 0 }),
            (" 5", NotADigit { offset: 0 }),
            ("5 ", NotADigit { offset: 1 }),
            ("0x1", NotADigit { offset: 1 }),
            ("1e3", NotADigit { offset: 1 }),
            ("12٣", NotADigit { offset: 2 }),
            ("340282366920938463463374607431768211456", TooLarge),
            ("999999999999999999999999999999999999999", TooLarge),
            ("1000000000000000000000000000000000000000", TooLarge),
            ("10000000000000000000000000000000000000000000000000000000000000", TooLarge),
        ] {
            assert_eq!(parse_hash_key(text), Err(error), "{text:?}");
        }
    }
}
