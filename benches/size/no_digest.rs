//! Stands in for `src/md5/small.rs` where `run` measures the library without its digest: takes nothing in, answers
//! zeros.

#[derive(Clone)]
pub(super) struct Context;

impl Context {
    pub(super) fn new() -> Self {
        Self
    }

    pub(super) fn update(&mut self, _: &[u8]) {}

    pub(super) fn finalize(self) -> [u8; 16] {
        [0; 16]
    }

    pub(super) fn digest(_: &[u8]) -> [u8; 16] {
        [0; 16]
    }
}
