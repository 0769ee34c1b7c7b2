//! Room for the keys of an aggregate, so that each is found in O(1).

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

/// Room, lent by the caller, for all keys of one aggregated record: the partition key table first, then the
/// explicit hash key table.
///
/// It is implemented for slices and arrays of `&str` and for `heapless::Vec<&str, N>`, and with `alloc` for
/// `Vec<&str>`, which grows as needed and so never is too small. Each by value or behind `&mut`, but slices only
/// behind `&mut`. What was in the room before is overwritten.
///
/// A key takes 16 bytes of room on a 64-bit target, and may take as few as 2 bytes of the payload: the room for a
/// hostile payload is up to eight times its size. A fixed room is the bound where that is too much.
///
/// The trait is sealed.
pub trait KeyRoom<'a>: sealed::Sealed<'a> {}

impl<'a, R: sealed::Sealed<'a>> KeyRoom<'a> for R {}

pub(crate) mod sealed {
    pub trait Sealed<'a> {
        /// Gives room for exactly `needed` keys, or nothing where that is too many.
        fn make_room(&mut self, needed: usize) -> Option<&mut [&'a str]>;

        /// All keys of the room. The first ones are those asked for last.
        fn keys(&self) -> &[&'a str];
    }
}

impl<'a> sealed::Sealed<'a> for &mut [&'a str] {
    fn make_room(&mut self, needed: usize) -> Option<&mut [&'a str]> {
        self.get_mut(..needed)
    }

    fn keys(&self) -> &[&'a str] {
        self
    }
}

impl<'a, const N: usize> sealed::Sealed<'a> for [&'a str; N] {
    fn make_room(&mut self, needed: usize) -> Option<&mut [&'a str]> {
        self.get_mut(..needed)
    }

    fn keys(&self) -> &[&'a str] {
        self
    }
}

impl<'a, const N: usize> sealed::Sealed<'a> for &mut [&'a str; N] {
    fn make_room(&mut self, needed: usize) -> Option<&mut [&'a str]> {
        (**self).make_room(needed)
    }

    fn keys(&self) -> &[&'a str] {
        &**self
    }
}

impl<'a, const N: usize> sealed::Sealed<'a> for heapless::Vec<&'a str, N> {
    fn make_room(&mut self, needed: usize) -> Option<&mut [&'a str]> {
        self.resize(needed, "").ok()?;
        Some(self)
    }

    fn keys(&self) -> &[&'a str] {
        self
    }
}

impl<'a, const N: usize> sealed::Sealed<'a> for &mut heapless::Vec<&'a str, N> {
    fn make_room(&mut self, needed: usize) -> Option<&mut [&'a str]> {
        (**self).make_room(needed)
    }

    fn keys(&self) -> &[&'a str] {
        self
    }
}

#[cfg(feature = "alloc")]
impl<'a> sealed::Sealed<'a> for Vec<&'a str> {
    fn make_room(&mut self, needed: usize) -> Option<&mut [&'a str]> {
        self.clear();
        self.reserve_exact(needed);
        self.resize(needed, "");
        Some(self)
    }

    fn keys(&self) -> &[&'a str] {
        self
    }
}

#[cfg(feature = "alloc")]
impl<'a> sealed::Sealed<'a> for &mut Vec<&'a str> {
    fn make_room(&mut self, needed: usize) -> Option<&mut [&'a str]> {
        (**self).make_room(needed)
    }

    fn keys(&self) -> &[&'a str] {
        self
    }
}
