//! 128-bit numbers as sixteen bytes, the most significant first, so that arrays compare as the numbers do.

use crate::common::random::Random;

pub(crate) type Number = [u8; 16];

/// Multiplies and adds by hand, digit by digit. Returns `None` for a number that needs more bytes.
pub(crate) fn from_decimal(text: &str) -> Option<Number> {
    if text.is_empty() {
        return None;
    }
    let mut number = [0; 16];
    for character in text.chars() {
        let mut carry = character.to_digit(10)?;
        for byte in number.iter_mut().rev() {
            let product = u32::from(*byte) * 10 + carry;
            [.., *byte] = product.to_be_bytes();
            carry = product >> 8;
        }
        if carry > 0 {
            return None;
        }
    }
    Some(number)
}

/// Divides by ten by hand, and writes the remainders from right to left.
pub(crate) fn to_decimal(mut number: Number) -> String {
    let mut digits = Vec::new();
    while digits.is_empty() || number != [0; 16] {
        let mut remainder = 0;
        for byte in &mut number {
            let dividend = remainder << 8 | u32::from(*byte);
            [.., *byte] = (dividend / 10).to_be_bytes();
            remainder = dividend % 10;
        }
        digits.push(char::from_digit(remainder, 10).unwrap());
    }
    digits.iter().rev().collect()
}

/// The next number, if there is one.
pub(crate) fn above(mut number: Number) -> Option<Number> {
    for byte in number.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte > 0 {
            return Some(number);
        }
    }
    None
}

/// The number before, if there is one.
pub(crate) fn below(mut number: Number) -> Option<Number> {
    for byte in number.iter_mut().rev() {
        *byte = byte.wrapping_sub(1);
        if *byte < 0xff {
            return Some(number);
        }
    }
    None
}

/// Any number, often one with few digits.
pub(crate) fn any_number(random: &mut Random) -> Number {
    let mut number = [0; 16];
    let zeros = if random.one_in(4) { random.below(16) } else { 0 };
    number[zeros..].fill_with(|| random.byte());
    number
}

#[test]
fn decimals_are_converted_both_ways() {
    for (text, number) in [
        ("0", Some([0; 16])),
        ("255", Some(255u128.to_be_bytes())),
        ("256", Some(256u128.to_be_bytes())),
        ("340282366920938463463374607431768211455", Some([0xff; 16])),
        ("340282366920938463463374607431768211456", None),
        ("", None),
        ("1a", None),
    ] {
        assert_eq!(from_decimal(text), number, "{text}");
        assert!(number.is_none_or(|number| to_decimal(number) == text), "{text}");
    }
    assert_eq!((above([0xff; 16]), below([0; 16])), (None, None));
    assert_eq!(above(255u128.to_be_bytes()), Some(256u128.to_be_bytes()));
    assert_eq!(below(256u128.to_be_bytes()), Some(255u128.to_be_bytes()));
}
