//! The `md5` crate's kernel.

/// A message that comes in pieces.
#[derive(Clone)]
// `None` is the empty message: the crate's own context cannot be made in a constant.
pub(super) struct Context(Option<::md5::Context>);

impl Context {
    pub(super) const fn new() -> Self {
        Self(None)
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.get_or_insert_default().consume(bytes);
    }

    pub(super) fn finalize(&mut self) -> [u8; 16] {
        self.0.take().unwrap_or_default().finalize().0
    }

    /// A whole message at once.
    pub(super) fn digest(message: &[u8]) -> [u8; 16] {
        ::md5::compute(message).0
    }
}
