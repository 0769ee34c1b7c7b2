//! Many messages at once: lanes that are filled again as their messages end.

use super::constants::{INITIAL, to_bytes};
use super::kernel::{BLOCK, Tail, compress, split_blocks};
use super::lanes::{self, States};
use super::machine::Machine;
use crate::wire::widen;

/// Digests messages side by side and answers, in the order in which they end, with what came with each.
pub(super) fn digest_each<'m, T: Copy>(
    machine: Machine,
    messages: impl IntoIterator<Item = (T, &'m [u8])>,
    mut on_digest: impl FnMut(T, [u8; 16]),
) {
    let mut waiting = messages.into_iter().map(|(ticket, message)| Lane::new(ticket, message));
    let mut lanes = heapless::Vec::<Lane<'m, T>, { Machine::MOST_LANES }>::new();
    for lane in waiting.by_ref().take(machine.lanes()) {
        // There is room: no machine has more lanes.
        _ = lanes.push(lane);
    }
    while !lanes.is_empty() {
        // Some lanes go on to where the first of them has to be looked at.
        let width = machine.width(lanes.len());
        let Some(busy) = lanes.get_mut(..width) else { break };
        let blocks = busy.iter().map(|lane| lane.run().len() / BLOCK).min().unwrap_or(0);
        machine.advance(busy, blocks);
        let mut position = 0usize;
        lanes.retain_mut(|lane| {
            position = position.saturating_add(1);
            if position > width {
                return true;
            }
            lane.skip(blocks);
            if !lane.run().is_empty() {
                return true;
            }
            on_digest(lane.ticket, to_bytes(lane.state));
            match waiting.next() {
                Some(next) => *lane = next,
                None => return false,
            }
            true
        });
    }
}

/// A message under way.
#[derive(Clone, Debug)]
pub(super) struct Lane<'m, T> {
    ticket: T,
    state: [u32; 4],
    /// The whole blocks of the message that are still to come.
    blocks: &'m [u8],
    /// What comes after them.
    tail: Tail,
    /// How many bytes of the tail are done.
    tail_done: usize,
}

impl<'m, T> Lane<'m, T> {
    fn new(ticket: T, message: &'m [u8]) -> Self {
        let (blocks, rest) = split_blocks(message);
        let tail = Tail::new(rest, widen(message.len()));
        Self { ticket, state: INITIAL, blocks, tail, tail_done: 0 }
    }

    /// The blocks that come next and lie together; none when the message has ended.
    fn run(&self) -> &[u8] {
        if self.blocks.is_empty() {
            self.tail.blocks().get(self.tail_done..).unwrap_or_default()
        } else {
            self.blocks
        }
    }

    /// Leaves out blocks of the run: they are done.
    fn skip(&mut self, blocks: usize) {
        let bytes = blocks.saturating_mul(BLOCK);
        if self.blocks.is_empty() {
            self.tail_done = self.tail_done.saturating_add(bytes);
        } else {
            self.blocks = self.blocks.get(bytes..).unwrap_or_default();
        }
    }
}

/// Takes the next blocks of a single lane into its state.
pub(super) fn advance_one<T>(lane: &mut Lane<'_, T>, blocks: usize) {
    let mut state = lane.state;
    compress(&mut state, lane.run().get(..blocks.saturating_mul(BLOCK)).unwrap_or_default());
    lane.state = state;
}

/// Takes the next blocks of up to twice `N` lanes into their states; where there are fewer, some work for nothing.
#[inline(always)]
pub(super) fn advance<const N: usize, T>(lanes: &mut [Lane<'_, T>], blocks: usize) {
    let mut states: [States<N>; 2] = [[[0; N]; 4]; 2];
    let mut runs: [[&[u8]; N]; 2] = [[&[]; N]; 2];
    for ((states, runs), lanes) in states.iter_mut().zip(&mut runs).zip(lanes.chunks(N)) {
        for (i, (run, lane)) in runs.iter_mut().zip(lanes).enumerate() {
            *run = lane.run();
            for (all, one) in states.iter_mut().zip(lane.state) {
                if let Some(place) = all.get_mut(i) {
                    *place = one;
                }
            }
        }
    }
    lanes::compress(&mut states, runs, blocks);
    for (states, lanes) in states.iter().zip(lanes.chunks_mut(N)) {
        for (i, lane) in lanes.iter_mut().enumerate() {
            for (one, all) in lane.state.iter_mut().zip(states) {
                *one = all.get(i).copied().unwrap_or(*one);
            }
        }
    }
}
