//! SIGINT and SIGTERM, which act like the end of the input.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

static REQUESTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Makes the first signal stop the reading, and another one end the command immediately.
pub(crate) fn listen() {
    REQUESTED.get_or_init(|| {
        let requested = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag not set yet. Where a handler cannot be registered, the
            // signal keeps its usual effect.
            _ = flag::register_conditional_shutdown(signal, 1, Arc::clone(&requested));
            _ = flag::register(signal, Arc::clone(&requested));
        }
        requested
    });
}

/// Returns whether one of the signals has come.
pub(crate) fn requested() -> bool {
    REQUESTED.get().is_some_and(|requested| requested.load(Ordering::Relaxed))
}
