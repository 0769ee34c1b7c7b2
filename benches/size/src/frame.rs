//! The parts that a protobuf library leaves to its user: magic, digest and the key table.

#[cfg(feature = "encode")]
use crate::input::CAPACITY;

const MAGIC: [u8; 4] = *b"\xf3\x89\x9a\xc2";

fn digest(body: &[u8]) -> [u8; 16] {
    use md5::Digest;
    md5::Md5::digest(body).into()
}

/// The index of `key` in the table, to which it is added if it is new.
#[cfg(feature = "encode")]
#[allow(dead_code, reason = "some libraries have a table of another type")]
pub fn index_in<'k, K: AsRef<str>>(table: &mut heapless::Vec<K, CAPACITY>, key: &'k str) -> Option<u64>
where
    K: TryFrom<&'k str>,
{
    let index = match table.iter().position(|known| known.as_ref() == key) {
        Some(index) => index,
        None => {
            table.push(K::try_from(key).ok()?).ok()?;
            table.len() - 1
        }
    };
    Some(index as u64)
}

/// Writes the frame around the body that `write` writes, and returns the total size.
#[cfg(feature = "encode")]
pub fn seal(buffer: &mut [u8], write: impl FnOnce(&mut [u8]) -> Option<usize>) -> Option<usize> {
    let (magic, rest) = buffer.split_first_chunk_mut()?;
    *magic = MAGIC;
    let len = write(rest)?;
    let (body, rest) = rest.split_at_mut_checked(len)?;
    let digest = digest(body);
    *rest.first_chunk_mut()? = digest;
    Some(MAGIC.len() + len + digest.len())
}

/// The body, if magic and digest are right.
#[cfg(feature = "decode")]
pub fn open(payload: &[u8]) -> Option<&[u8]> {
    let (body, last) = payload.strip_prefix(&MAGIC)?.split_last_chunk()?;
    (digest(body) == *last).then_some(body)
}
