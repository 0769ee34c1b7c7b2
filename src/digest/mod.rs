//! Layer 2: the digest of a body, MD5 (RFC 1321).
//!
//! It guards against damage and tells aggregates from plain data; against forgery it guards nothing. The kernel
//! behind [`Md5`] is the `md5` crate's; nothing above this module knows.

use core::fmt;

/// A streaming MD5.
///
/// ```
/// use kinesis_aggregation::Md5;
///
/// let mut md5 = Md5::new();
/// md5.update(b"message ");
/// md5.update(b"digest");
/// assert_eq!(md5.finalize(), Md5::digest(b"message digest"));
/// ```
#[derive(Clone)]
pub struct Md5 {
    context: md5::Context,
}

impl Md5 {
    /// Begins a digest.
    #[must_use]
    pub fn new() -> Self {
        Self { context: md5::Context::new() }
    }

    /// Takes in more of the message. How it is split into calls makes no difference to the digest; calls of a
    /// kilobyte and more are the fastest.
    pub fn update(&mut self, bytes: &[u8]) {
        self.context.consume(bytes);
    }

    /// Ends the message and answers with its digest.
    #[must_use]
    pub fn finalize(self) -> [u8; 16] {
        self.context.finalize().0
    }

    /// Digests a whole message at once.
    #[must_use]
    pub fn digest(message: &[u8]) -> [u8; 16] {
        let mut md5 = Self::new();
        md5.update(message);
        md5.finalize()
    }
}

impl Default for Md5 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Md5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Md5").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test suite of RFC 1321, appendix A.5.
    const RFC_1321: &[(&str, u128)] = &[
        ("", 0xd41d8cd98f00b204e9800998ecf8427e),
        ("a", 0x0cc175b9c0f1b6a831c399e269772661),
        ("abc", 0x900150983cd24fb0d6963f7d28e17f72),
        ("message digest", 0xf96b697d7cb7938d525a2f31aaf161d0),
        ("abcdefghijklmnopqrstuvwxyz", 0xc3fcd3d76192e4007dfb496cca67e13b),
        (
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            0xd174ab98d277d9f5a5611c2c9f419d9f,
        ),
        (
            "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
            0x57edf4a22be3c955ac49da2e2107b67a,
        ),
    ];

    #[test]
    fn rfc_1321() {
        for &(message, digest) in RFC_1321 {
            assert_eq!(u128::from_be_bytes(Md5::digest(message.as_bytes())), digest, "{message:?}");
        }
    }

    fn two_blocks() -> [u8; 128] {
        core::array::from_fn(|i| (i * 7) as u8)
    }

    /// The digest of all digests of the first 0 to 128 bytes, as Python's `hashlib` gives it.
    #[test]
    fn every_length() {
        let mut all = Md5::new();
        for k in 0..=128 {
            all.update(&Md5::digest(&two_blocks()[..k]));
        }
        assert_eq!(u128::from_be_bytes(all.finalize()), 0xc216044596fcc0763016544520d02e74);
    }

    /// Every way to cut two blocks into three pieces.
    #[test]
    fn every_split() {
        let message = two_blocks();
        for k in 0..=message.len() {
            let whole = Md5::digest(&message[..k]);
            for j in 0..=k {
                for i in 0..=j {
                    let mut md5 = Md5::new();
                    md5.update(&message[..i]);
                    md5.update(&message[i..j]);
                    md5.update(&message[j..k]);
                    assert_eq!(md5.finalize(), whole, "({i}, {j}, {k})");
                }
            }
        }
    }
}
