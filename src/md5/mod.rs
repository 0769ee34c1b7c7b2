//! The digest of a body: MD5 (RFC 1321), one at a time or many at once.
//!
//! It guards against damage and tells aggregates from plain data; against forgery it guards nothing. With the feature
//! `fast-digest` the kernels are the project's own; without it the kernel is the `md5` crate's, or with `small-digest` a
//! small one. Nothing above this module knows.

#[cfg(any(feature = "fast-digest", feature = "small-digest", test))]
mod constants;
#[cfg(feature = "fast-digest")]
mod kernel;
#[cfg(feature = "fast-digest")]
mod many;
#[cfg(not(any(feature = "fast-digest", feature = "small-digest")))]
mod portable;
#[cfg(feature = "fast-digest")]
mod rounds;
#[cfg(any(all(feature = "small-digest", not(feature = "fast-digest")), test))]
mod small;

use core::fmt;

#[cfg(feature = "fast-digest")]
use kernel::Context;
#[cfg(not(any(feature = "fast-digest", feature = "small-digest")))]
use portable::Context;
#[cfg(all(feature = "small-digest", not(feature = "fast-digest")))]
use small::Context;

/// A streaming MD5.
///
/// ```
/// use kinesis_aggregation::decode::Md5;
///
/// let mut md5 = Md5::new();
/// md5.update(b"message ");
/// md5.update(b"digest");
/// assert_eq!(md5.finalize(), Md5::digest(b"message digest"));
/// ```
#[derive(Clone)]
pub struct Md5 {
    context: Context,
}

impl Md5 {
    /// Begins a digest.
    #[must_use]
    pub const fn new() -> Self {
        Self { context: Context::new() }
    }

    /// Takes in more of the message. How it is split into calls makes no difference to the digest; calls of a
    /// kilobyte and more are the fastest.
    pub fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    /// Ends the message and returns its digest.
    #[must_use]
    pub fn finalize(mut self) -> [u8; 16] {
        self.finish()
    }

    /// Like [`Self::finalize`], without a copy of the state, which is worth nothing afterwards.
    pub(crate) fn finish(&mut self) -> [u8; 16] {
        self.context.finalize()
    }

    /// Digests a whole message at once.
    #[must_use]
    pub fn digest(message: &[u8]) -> [u8; 16] {
        Context::digest(message)
    }

    /// Digests many messages, as many as there is room for digests: each as [`Self::digest`] does, together several
    /// times as fast.
    ///
    /// With the feature `fast-digest` they are worked on side by side, up to 8 at a time with the vectors that every
    /// x86-64 and 64-bit ARM machine has. With `simd` up to 16 or 32 where the machine has AVX2 or AVX-512. Messages
    /// of different lengths do not wait for each other.
    ///
    /// ```
    /// use kinesis_aggregation::decode::Md5;
    ///
    /// let mut digests = [[0; 16]; 2];
    /// Md5::digest_each(&["a", "abc"], &mut digests);
    /// assert_eq!(digests, [Md5::digest(b"a"), Md5::digest(b"abc")]);
    /// ```
    pub fn digest_each<M: AsRef<[u8]>>(messages: &[M], digests: &mut [[u8; 16]]) {
        let messages = messages.iter().map(AsRef::as_ref).take(digests.len());
        digest_each(messages.enumerate(), |position, digest| {
            if let Some(place) = digests.get_mut(position) {
                *place = digest;
            }
        });
    }
}

/// Digests many messages; answers in any order, with what came with each.
#[cfg(feature = "fast-digest")]
pub(crate) fn digest_each<'m, T: Copy>(
    messages: impl IntoIterator<Item = (T, &'m [u8])>,
    on_digest: impl FnMut(T, [u8; 16]),
) {
    many::digest_each(many::Machine::detect(), messages, on_digest);
}

/// Digests many messages, one after the other.
#[cfg(not(feature = "fast-digest"))]
pub(crate) fn digest_each<'m, T: Copy>(
    messages: impl IntoIterator<Item = (T, &'m [u8])>,
    mut on_digest: impl FnMut(T, [u8; 16]),
) {
    for (ticket, message) in messages {
        on_digest(ticket, Md5::digest(message));
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
    use std::vec::Vec;

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
        for k in [0, 1, 55, 56, 63, 64, 65, 119, 120, 127, 128] {
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

    /// Messages of `lengths`, from one text that does not repeat itself soon.
    fn messages(lengths: impl Iterator<Item = usize>) -> Vec<Vec<u8>> {
        let text: Vec<u8> = (0..2000u32).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
        lengths.enumerate().map(|(i, len)| text[i..][..len].to_vec()).collect()
    }

    /// Around every edge of one, two and three blocks, and then long.
    fn lengths() -> impl Iterator<Item = usize> {
        (0..130).chain([183, 184, 191, 192, 193, 1023, 1024, 1025])
    }

    #[test]
    fn all_kernels_agree() {
        for message in messages(lengths()) {
            let expected = ::md5::compute(&message).0;
            assert_eq!(Md5::digest(&message), expected, "{} bytes", message.len());
            assert_eq!(small::Context::digest(&message), expected, "small: {} bytes", message.len());
        }
    }

    #[test]
    fn more_messages_than_digests_and_fewer() {
        let mut digests = [[7; 16]; 3];
        Md5::digest_each(&["", "a", "abc", "abc"], &mut digests);
        assert_eq!(digests, ["", "a", "abc"].map(|message| Md5::digest(message.as_bytes())));
        Md5::digest_each(&["abc"], &mut digests);
        assert_eq!(digests, ["abc", "a", "abc"].map(|message| Md5::digest(message.as_bytes())));
        Md5::digest_each::<&str>(&[], &mut digests);
        assert_eq!(digests[1], Md5::digest(b"a"));
    }

    /// Each number of lanes, each kind of vectors that this machine has, for messages that get longer, shorter, and
    /// are long among short ones.
    #[cfg(feature = "fast-digest")]
    #[test]
    fn many_at_once_are_digested_as_one_by_one() {
        let up = messages(lengths());
        let down = messages(lengths().collect::<Vec<_>>().into_iter().rev());
        let uneven = messages((0..90).map(|i| if i % 7 == 3 { 1500 - i } else { i * 3 }));
        for (name, messages) in [("up", up), ("down", down), ("uneven", uneven)] {
            let expected: Vec<_> = messages.iter().map(|message| ::md5::compute(message).0).collect();
            for machine in many::Machine::every() {
                for count in [0, 1, 2, 4, 5, 8, 9, 17, messages.len()] {
                    let mut digests = std::vec![None; count];
                    let some = messages.iter().map(Vec::as_slice).enumerate().take(count);
                    many::digest_each(machine, some, |position, digest| {
                        assert_eq!(digests[position].replace(digest), None, "{name}: {position} twice");
                    });
                    let digests: Option<Vec<_>> = digests.into_iter().collect();
                    assert_eq!(
                        digests.as_deref(),
                        Some(&expected[..count]),
                        "{name}, {count} on {machine:?}"
                    );
                }
            }
        }
    }
}
