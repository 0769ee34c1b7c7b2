//! The 64 steps of a block, for one message or for two: RFC 1321, section 3.4.

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

/// One step for each of the messages, then the next: so a processor has something to do for one while it waits for another.
macro_rules! step {
    ($step:ident $rotation:literal $word:literal $sine:literal, $words:ident $sines:ident, $([$message:literal $a:ident $b:ident $c:ident $d:ident])*) => {
        $(
            $a = $step($a, $b, $c, $d, $words[$message][$word].wrapping_add($sines[$sine]))
                .rotate_left($rotation)
                .wrapping_add($b);
        )*
    };
}

/// Four steps, after which the numbers of a state are where they were.
macro_rules! steps {
    (
        $step:ident $r0:literal $r1:literal $r2:literal $r3:literal, $w0:literal $w1:literal $w2:literal $w3:literal,
        $s0:literal $s1:literal $s2:literal $s3:literal, $words:ident $sines:ident,
        ($([$message:literal $a:ident $b:ident $c:ident $d:ident])*)
    ) => {
        step!($step $r0 $w0 $s0, $words $sines, $([$message $a $b $c $d])*);
        step!($step $r1 $w1 $s1, $words $sines, $([$message $d $a $b $c])*);
        step!($step $r2 $w2 $s2, $words $sines, $([$message $c $d $a $b])*);
        step!($step $r3 $w3 $s3, $words $sines, $([$message $b $c $d $a])*);
    };
}

/// A round: its function and rotations, and the message words and step numbers of four times four steps.
macro_rules! round {
    (
        $step:ident $r0:literal $r1:literal $r2:literal $r3:literal,
        $([$w0:literal $w1:literal $w2:literal $w3:literal] [$s0:literal $s1:literal $s2:literal $s3:literal])*
        in $words:ident $sines:ident $messages:tt
    ) => {
        $(steps!($step $r0 $r1 $r2 $r3, $w0 $w1 $w2 $w3, $s0 $s1 $s2 $s3, $words $sines, $messages);)*
    };
}

macro_rules! rounds {
    ($words:ident $sines:ident $messages:tt) => {
        round!(f 7 12 17 22, [0 1 2 3] [0 1 2 3] [4 5 6 7] [4 5 6 7] [8 9 10 11] [8 9 10 11]
            [12 13 14 15] [12 13 14 15] in $words $sines $messages);
        round!(g 5 9 14 20, [1 6 11 0] [16 17 18 19] [5 10 15 4] [20 21 22 23] [9 14 3 8] [24 25 26 27]
            [13 2 7 12] [28 29 30 31] in $words $sines $messages);
        round!(h 4 11 16 23, [5 8 11 14] [32 33 34 35] [1 4 7 10] [36 37 38 39] [13 0 3 6] [40 41 42 43]
            [9 12 15 2] [44 45 46 47] in $words $sines $messages);
        round!(i 6 10 15 21, [0 7 14 5] [48 49 50 51] [12 3 10 1] [52 53 54 55] [8 15 6 13] [56 57 58 59]
            [4 11 2 9] [60 61 62 63] in $words $sines $messages);
    };
}

/// Takes one block, as 16 words, into the state of a message.
#[inline(always)]
pub(super) const fn block(state: [u32; 4], words: &[u32; 16], sines: &[u32; 64]) -> [u32; 4] {
    let words = [words];
    let [mut a, mut b, mut c, mut d] = state;
    rounds!(words sines ([0 a b c d]));
    sum(state, [a, b, c, d])
}

/// Takes a block each into the states of two messages, step by step in turns.
#[inline(always)]
pub(super) const fn two_blocks(
    states: [[u32; 4]; 2],
    words: [&[u32; 16]; 2],
    sines: &[u32; 64],
) -> [[u32; 4]; 2] {
    let [[mut a, mut b, mut c, mut d], [mut k, mut l, mut m, mut n]] = states;
    rounds!(words sines ([0 a b c d] [1 k l m n]));
    [sum(states[0], [a, b, c, d]), sum(states[1], [k, l, m, n])]
}

/// What a block makes of the state before it.
#[inline(always)]
const fn sum(before: [u32; 4], after: [u32; 4]) -> [u32; 4] {
    [
        after[0].wrapping_add(before[0]),
        after[1].wrapping_add(before[1]),
        after[2].wrapping_add(before[2]),
        after[3].wrapping_add(before[3]),
    ]
}
