//! Where decisions come from.

/// Decisions about a spelling, a byte for each. When no more are left, all are 0: the plainest there is.
#[derive(Clone, Debug)]
pub(crate) struct Choices<'c> {
    rest: core::slice::Iter<'c, u8>,
    /// How many of the 256 values of a byte are odd.
    odd: u16,
}

impl<'c> Choices<'c> {
    /// The first byte decides how often something is odd, from never to mostly.
    pub(crate) fn new(choices: &'c [u8]) -> Self {
        let mut rest = choices.iter();
        let odd = match rest.next().unwrap_or(&0) & 3 {
            0 => 0,
            1 => 12,
            2 => 48,
            _ => 160,
        };
        Self { rest, odd }
    }

    fn byte(&mut self) -> u8 {
        self.rest.next().copied().unwrap_or(0)
    }

    /// Whether to do something that is legal but that no encoder does.
    pub(crate) fn odd(&mut self) -> bool {
        // Without odd values no byte is used up, so that aggregates without any need no choices for them.
        self.odd != 0 && u16::from(self.byte()) >= 256u16.saturating_sub(self.odd)
    }

    /// One of `count` variants; the first where nothing is ever odd.
    pub(crate) fn variant(&mut self, count: usize) -> usize {
        if self.odd == 0 { 0 } else { self.below(count) }
    }

    /// A number below `bound`, or 0 if there is none.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let high = if bound > 256 { self.byte() } else { 0 };
        let number = u16::from_be_bytes([high, self.byte()]);
        usize::from(number).checked_rem(bound).unwrap_or(0)
    }

    /// One of some values, or the default of none.
    pub(crate) fn pick<T: Copy + Default>(&mut self, values: &[T]) -> T {
        let choice = self.below(values.len());
        values.get(choice).copied().unwrap_or_default()
    }

    /// A number of 64 bits, small ones more often.
    pub(crate) fn number(&mut self) -> u64 {
        let bytes = core::array::from_fn(|_| self.byte());
        u64::from_le_bytes(bytes) >> self.below(64)
    }
}
