//! The 64 steps of a block, for one message or for many: RFC 1321, section 3.4.

// Each step is a chain on what the step before it gave, `b`; nothing else of it need wait. So the sums are made in
// an order that takes in `b` last, and message word and constant are added first, beside the chain.

/// A step of the first round: the bits of `c` where those of `b` are set, else those of `d`.
#[inline(always)]
const fn f(a: u32, b: u32, c: u32, d: u32, addend: u32) -> u32 {
    a.wrapping_add(addend).wrapping_add(d ^ (b & (c ^ d)))
}

/// A step of the second round: the bits of `b` where those of `d` are set, else those of `c`.
///
/// The two halves never have a bit in common, so they may be added instead of joined, and the half without `b`
/// before `b` is there. This takes a cycle off each of 16 steps.
#[inline(always)]
const fn g(a: u32, b: u32, c: u32, d: u32, addend: u32) -> u32 {
    a.wrapping_add(addend).wrapping_add(c & !d).wrapping_add(b & d)
}

/// A step of the third round: the parity.
#[inline(always)]
const fn h(a: u32, b: u32, c: u32, d: u32, addend: u32) -> u32 {
    a.wrapping_add(addend).wrapping_add(b ^ (c ^ d))
}

/// A step of the fourth round.
#[inline(always)]
const fn i(a: u32, b: u32, c: u32, d: u32, addend: u32) -> u32 {
    a.wrapping_add(addend).wrapping_add(c ^ (b | !d))
}

/// Four steps for each group of message words and step numbers, with the rotations of the round.
macro_rules! round {
    (
        $step:ident, $words:ident, $sines:ident, $a:ident $b:ident $c:ident $d:ident, $r0:literal $r1:literal $r2:literal $r3:literal,
        $([$w0:literal $w1:literal $w2:literal $w3:literal] [$s0:literal $s1:literal $s2:literal $s3:literal])*
    ) => {
        $(
            $a = $step($a, $b, $c, $d, $words[$w0].wrapping_add($sines[$s0])).rotate_left($r0).wrapping_add($b);
            $d = $step($d, $a, $b, $c, $words[$w1].wrapping_add($sines[$s1])).rotate_left($r1).wrapping_add($a);
            $c = $step($c, $d, $a, $b, $words[$w2].wrapping_add($sines[$s2])).rotate_left($r2).wrapping_add($d);
            $b = $step($b, $c, $d, $a, $words[$w3].wrapping_add($sines[$s3])).rotate_left($r3).wrapping_add($c);
        )*
    };
}

/// Takes one block, as 16 words, into the state of one message.
#[inline(always)]
pub(super) const fn block(state: [u32; 4], words: &[u32; 16], sines: &[u32; 64]) -> [u32; 4] {
    let [mut a, mut b, mut c, mut d] = state;
    round!(f, words, sines, a b c d, 7 12 17 22,
        [0 1 2 3] [0 1 2 3] [4 5 6 7] [4 5 6 7] [8 9 10 11] [8 9 10 11] [12 13 14 15] [12 13 14 15]);
    round!(g, words, sines, a b c d, 5 9 14 20,
        [1 6 11 0] [16 17 18 19] [5 10 15 4] [20 21 22 23] [9 14 3 8] [24 25 26 27] [13 2 7 12] [28 29 30 31]);
    round!(h, words, sines, a b c d, 4 11 16 23,
        [5 8 11 14] [32 33 34 35] [1 4 7 10] [36 37 38 39] [13 0 3 6] [40 41 42 43] [9 12 15 2] [44 45 46 47]);
    round!(i, words, sines, a b c d, 6 10 15 21,
        [0 7 14 5] [48 49 50 51] [12 3 10 1] [52 53 54 55] [8 15 6 13] [56 57 58 59] [4 11 2 9] [60 61 62 63]);
    [a.wrapping_add(state[0]), b.wrapping_add(state[1]), c.wrapping_add(state[2]), d.wrapping_add(state[3])]
}
