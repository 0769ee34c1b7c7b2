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
    (
        $mix:ident $rotation:literal ($factor:literal $offset:literal) $step:expr, $words:ident $sines:ident,
        $([$message:literal $a:ident $b:ident $c:ident $d:ident])*
    ) => {
        $(
            let addend = $words[$message][($factor * ($step) + $offset) % 16].wrapping_add($sines[$step]);
            $a = $mix($a, $b, $c, $d, addend).rotate_left($rotation).wrapping_add($b);
        )*
    };
}

/// A round: its function, its rotations, which message word a step takes, and the first of each four steps, after which the
/// numbers of a state are where they were.
macro_rules! round {
    (
        $mix:ident [$r0:literal $r1:literal $r2:literal $r3:literal] $word:tt [$($step:literal)*],
        $words:ident $sines:ident $messages:tt
    ) => {
        $(round!(@four $mix [$r0 $r1 $r2 $r3] $word $step, $words $sines $messages);)*
    };
    (
        @four $mix:ident [$r0:literal $r1:literal $r2:literal $r3:literal] $word:tt $step:literal,
        $words:ident $sines:ident ($([$message:literal $a:ident $b:ident $c:ident $d:ident])*)
    ) => {
        step!($mix $r0 $word $step, $words $sines, $([$message $a $b $c $d])*);
        step!($mix $r1 $word $step + 1, $words $sines, $([$message $d $a $b $c])*);
        step!($mix $r2 $word $step + 2, $words $sines, $([$message $c $d $a $b])*);
        step!($mix $r3 $word $step + 3, $words $sines, $([$message $b $c $d $a])*);
    };
}

macro_rules! rounds {
    ($words:ident $sines:ident $messages:tt) => {
        round!(f [7 12 17 22] (1 0) [0 4 8 12], $words $sines $messages);
        round!(g [5 9 14 20] (5 1) [16 20 24 28], $words $sines $messages);
        round!(h [4 11 16 23] (3 5) [32 36 40 44], $words $sines $messages);
        round!(i [6 10 15 21] (7 0) [48 52 56 60], $words $sines $messages);
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

/// Returns the state after a block.
#[inline(always)]
const fn sum(before: [u32; 4], after: [u32; 4]) -> [u32; 4] {
    [
        after[0].wrapping_add(before[0]),
        after[1].wrapping_add(before[1]),
        after[2].wrapping_add(before[2]),
        after[3].wrapping_add(before[3]),
    ]
}
