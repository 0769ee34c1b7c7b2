//! Static memory that can be borrowed mutably, once.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

/// A value that its first taker gets for good.
pub(crate) struct TakeOnce<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only through `take`, which answers one thread only and only once; from there on it
// belongs to that thread, which is a move as `Send` permits it.
unsafe impl<T: Send> Sync for TakeOnce<T> {}

impl<T> TakeOnce<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// Gives the value away, or nothing if it was taken before.
    #[expect(clippy::mut_from_ref, reason = "of all callers, only the first one is answered")]
    pub(crate) fn take(&'static self) -> Option<&'static mut T> {
        if self.taken.swap(true, Ordering::Relaxed) {
            return None;
        }
        // SAFETY: the flag was false and is true forever, so this is the only reference there ever is.
        Some(unsafe { &mut *self.value.get() })
    }
}
