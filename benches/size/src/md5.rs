//! The digest alone, with RustCrypto's crate.

pub fn digest(body: &[u8]) -> [u8; 16] {
    use md5::Digest;
    md5::Md5::digest(body).into()
}
