//! Static memory that can be borrowed mutably once.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

/// A value that is given to the first caller who takes it.
pub(crate) struct TakeOnce<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is accessible only through `take`, which succeeds once, for one thread. From then on it belongs to that
// thread, which is a move and requires only `Send`.
unsafe impl<T: Send> Sync for TakeOnce<T> {}

impl<T> TakeOnce<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// Returns the value on the first call, and `None` afterwards.
    #[expect(clippy::mut_from_ref, reason = "only the first caller gets the reference")]
    pub(crate) fn take(&'static self) -> Option<&'static mut T> {
        if self.taken.swap(true, Ordering::Relaxed) {
            return None;
        }
        // SAFETY: the flag changed from false to true, which happens once, so no other reference ever exists.
        Some(unsafe { &mut *self.value.get() })
    }
}
