//! Uses results so that nothing is optimised away, with a function for every trait that the library's types implement.
//!
//! `check_calls.py` reads the bounds in this file: a type's trait is covered if one of these functions is called with the type's
//! name, `shown::<HashKey>(…)`.

use core::fmt::{self, Debug, Display, Write};
use core::hash::{Hash, Hasher};
use core::hint::black_box;
use core::str::FromStr;

/// Accumulates everything it is given.
pub(crate) struct Seen(u64);

impl Seen {
    pub(crate) const fn new() -> Self {
        Self(0)
    }

    pub(crate) fn number(&mut self, number: impl TryInto<u64>) {
        self.write_u64(number.try_into().unwrap_or_default());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.write(text.as_bytes());
    }
}

impl Hasher for Seen {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = self.0.rotate_left(5) ^ number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Write for Seen {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text);
        Ok(())
    }
}

pub(crate) fn copied<T: Clone>(value: &T) -> T {
    black_box(value).clone()
}

pub(crate) fn debugged<T: Debug>(seen: &mut Seen, value: &T) {
    _ = write!(seen, "{value:?}");
}

pub(crate) fn shown<T: Display>(seen: &mut Seen, value: &T) {
    _ = write!(seen, "{value}");
    _ = write!(seen, "{value:>9}");
}

pub(crate) fn compared<T: PartialEq>(seen: &mut Seen, a: &T, b: &T) {
    seen.number(u8::from(black_box(a) == black_box(b)));
}

pub(crate) fn ordered<T: Ord + PartialOrd>(seen: &mut Seen, a: &T, b: &T) {
    seen.number(u8::from(a.max(b) > a));
    seen.number(u8::from(a.partial_cmp(b).is_some_and(core::cmp::Ordering::is_lt)));
}

/// Uses the traits of plain values.
pub(crate) fn value<T: Clone + PartialEq + Hash>(seen: &mut Seen, value: &T) {
    copied(value).hash(seen);
    compared(seen, value, &copied(value));
}

/// Uses the traits of errors.
pub(crate) fn error<T: core::error::Error + Clone + PartialEq>(seen: &mut Seen, error: &T) {
    shown(seen, error);
    seen.number(u8::from(error.source().is_some()));
    compared(seen, error, &copied(error));
}

pub(crate) fn defaulted<T: Default>() -> T {
    black_box(T::default())
}

pub(crate) fn read<T: FromStr>(text: &str) -> Result<T, T::Err> {
    text.parse()
}

/// Consumes an iterator, and calls its other methods on clones.
pub(crate) fn walked<I: Iterator + Clone>(mut items: I, mut visit: impl FnMut(I::Item)) -> usize {
    let (least, most) = items.size_hint();
    copied(&items).skip(1).step_by(2).for_each(&mut visit);
    if let Some(item) = copied(&items).nth(2) {
        visit(item);
    }
    if let Some(item) = copied(&items).last() {
        visit(item);
    }
    items.by_ref().for_each(&mut visit);
    let after_the_end = items.next().is_some();
    least ^ most.unwrap_or_default() ^ usize::from(after_the_end)
}

pub(crate) fn entered<I: IntoIterator>(items: I) -> I::IntoIter {
    items.into_iter()
}
