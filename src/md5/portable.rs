//! The `md5` crate's kernel.

/// A message that comes in pieces.
#[derive(Clone)]
pub(super) struct Context(::md5::Context);

impl Context {
    pub(super) fn new() -> Self {
        Self(::md5::Context::new())
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.consume(bytes);
    }

    pub(super) fn finalize(self) -> [u8; 16] {
        self.0.finalize().0
    }

    /// A whole message at once.
    pub(super) fn digest(message: &[u8]) -> [u8; 16] {
        ::md5::compute(message).0
    }
}
