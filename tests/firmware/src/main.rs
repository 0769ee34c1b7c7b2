//! Packs and unpacks on a machine without operating system and heap, compares with the golden vectors, and says how deep
//! its stack grew. On the host it does the same, so that the answers can be compared.

#![cfg_attr(target_os = "none", no_std)]
#![cfg_attr(target_os = "none", no_main)]

mod digests;
mod machine;
mod sensors;
mod stack;
mod vectors;

use core::cell::UnsafeCell;
use core::fmt;

use kinesis_aggregation::Md5;

use machine::println;

/// What was not as it should be.
#[derive(Clone, Copy)]
pub(crate) struct Failure(&'static str);

/// As large as the largest golden vector.
const BUFFER: usize = 34 * 1024;

struct Shared(UnsafeCell<[u8; BUFFER]>);

// SAFETY: there is one thread, and `verdict` is the only one to touch it, once.
unsafe impl Sync for Shared {}

/// Where firmware would have its buffer: in static memory, not on the stack.
static SHARED: Shared = Shared(UnsafeCell::new([0; BUFFER]));

/// The exit status.
fn verdict() -> i32 {
    // SAFETY: this is called once.
    let buffer = unsafe { &mut *SHARED.0.get() };
    match checks(buffer) {
        Ok(()) => 0,
        Err(Failure(what)) => {
            println!("firmware: wrong: {what}");
            1
        }
    }
}

fn checks(buffer: &mut [u8]) -> Result<(), Failure> {
    // Of all that was written and read, to compare machines by.
    let mut all = Md5::new();
    let stacks = [
        report("digests", stack::measure(|| digests::check(&mut all)))?,
        report("golden vectors decoded", stack::measure(|| vectors::decode(&mut all)))?,
        report("golden vectors encoded", stack::measure(|| vectors::encode_again(buffer, &mut all)))?,
        report("readings packed and unpacked", stack::measure(|| sensors::round_trip(buffer, &mut all)))?,
    ];
    if let Some(deepest) = stacks.into_iter().flatten().max() {
        println!("firmware: deepest stack: {deepest} bytes");
    }
    println!("firmware: all is right; answers {:032x}", u128::from_be_bytes(all.finalize()));
    Ok(())
}

fn report<N: fmt::Display>(
    what: &str,
    (count, stack): (Result<N, Failure>, Option<usize>),
) -> Result<Option<usize>, Failure> {
    let count = count?;
    match stack {
        Some(stack) => println!("firmware: {count} {what}, {stack} bytes of stack"),
        None => println!("firmware: {count} {what}"),
    }
    Ok(stack)
}

#[cfg(not(target_os = "none"))]
fn main() {
    std::process::exit(verdict());
}
