//! Aggregates and deaggregates without an operating system or a heap, checks the golden vectors, and reports the depth of the stack.
//! It does the same on the host, so that the results can be compared.

#![cfg_attr(target_os = "none", no_std)]
#![cfg_attr(target_os = "none", no_main)]

mod costs;
mod digests;
mod machine;
mod sensors;
mod stack;
mod vectors;

use core::cell::UnsafeCell;
use core::fmt;

use kinesis_aggregation::decode::Md5;

use machine::println;

/// The check that failed.
#[derive(Clone, Copy)]
pub(crate) struct Failure(&'static str);

/// The size of the largest golden vector.
const BUFFER: usize = 34 * 1024;

struct Shared(UnsafeCell<[u8; BUFFER]>);

// SAFETY: there is one thread, and only `verdict` accesses it, once.
unsafe impl Sync for Shared {}

/// The buffer, in static memory as in firmware, not on the stack.
static SHARED: Shared = Shared(UnsafeCell::new([0; BUFFER]));

/// Runs all checks and returns the exit status.
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
    // A digest over everything written and read, for comparing machines.
    let mut all = Md5::new();
    let stacks = [
        report("digests", stack::measure(|| digests::check(&mut all)))?,
        report("golden vectors decoded", stack::measure(|| vectors::decode(&mut all)))?,
        report("golden vectors encoded", stack::measure(|| vectors::encode_again(buffer, &mut all)))?,
        report(
            "readings aggregated and deaggregated",
            stack::measure(|| sensors::round_trip(buffer, &mut all)),
        )?,
    ];
    if let Some(deepest) = stacks.into_iter().flatten().max() {
        println!("firmware: deepest stack: {deepest} bytes");
    }
    costs::report(buffer)?;
    println!("firmware: all checks passed; results {:032x}", u128::from_be_bytes(all.finalize()));
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
