//! MD5 on its own.

use kinesis_aggregation::decode::Md5;
use kinesis_aggregation::route::HashKey;

use crate::Failure;

/// From RFC 1321, appendix A.5.
const RFC_1321: [(&str, u128); 4] = [
    ("", 0xd41d8cd98f00b204e9800998ecf8427e),
    ("abc", 0x900150983cd24fb0d6963f7d28e17f72),
    ("message digest", 0xf96b697d7cb7938d525a2f31aaf161d0),
    (
        "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
        0x57edf4a22be3c955ac49da2e2107b67a,
    ),
];

pub(crate) fn check(all: &mut Md5) -> Result<usize, Failure> {
    for (text, digest) in RFC_1321 {
        if HashKey::of_partition_key(text).get() != digest {
            return Err(Failure("an RFC 1321 digest"));
        }
    }
    // Lengths around block boundaries, hashed in one piece and in three.
    let message: [u8; 200] = core::array::from_fn(|i| (i % 251) as u8);
    for len in 0..=message.len() {
        let mut pieces = Md5::new();
        let (a, rest) = message.split_at(len / 3);
        let (b, rest) = rest.split_at(len / 3);
        let (c, _) = rest.split_at(len - 2 * (len / 3));
        [a, b, c].into_iter().for_each(|piece| pieces.update(piece));
        let whole = Md5::digest(message.split_at(len).0);
        all.update(&whole);
        if pieces.finalize() != whole {
            return Err(Failure("a digest computed in pieces"));
        }
    }
    Ok(RFC_1321.len() + message.len() + 1)
}
