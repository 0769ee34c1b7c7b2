//! The instructions that adding takes.

use core::hint::black_box;

use kinesis_aggregation::decode::Md5;
use kinesis_aggregation::encode::AddStatus;
use kinesis_aggregation::{Encoder, Limits, UserRecord};

use crate::Failure;
use crate::machine::{instructions, println};

/// Prints the instructions of adding user records of 20 bytes, with one key and with four in turn, and of the digest, which is
/// included, for each byte.
pub(crate) fn report(buffer: &mut [u8]) -> Result<(), Failure> {
    let one = add(buffer, &["hall-1"])?;
    let four = add(buffer, &["hall-1", "hall-2", "boiler", "cellar"])?;
    let digest = digest(buffer);
    if let (Some(one), Some(four), Some(digest)) = (one, four, digest) {
        println!(
            "firmware: instructions: {one} to add with one key, {four} with four keys; {digest} for a byte of the digest"
        );
    }
    Ok(())
}

fn add(buffer: &mut [u8], keys: &[&str]) -> Result<Option<u64>, Failure> {
    const COUNT: u32 = 1_000;
    let mut encoder = Encoder::<4>::new(buffer, Limits::default());
    let before = instructions();
    for key in keys.iter().cycle().zip(0..COUNT).map(|(key, _)| key) {
        if encoder.add(UserRecord::new(black_box(key), black_box(b"20 bytes of readings")))
            != Ok(AddStatus::Added)
        {
            return Err(Failure("a user record does not fit"));
        }
    }
    Ok(since(before).map(|count| count / u64::from(COUNT)))
}

fn digest(bytes: &[u8]) -> Option<u64> {
    let before = instructions();
    black_box(Md5::digest(black_box(bytes)));
    since(before)?.checked_div(u64::try_from(bytes.len()).ok()?)
}

fn since(before: Option<u64>) -> Option<u64> {
    instructions()?.checked_sub(before?)
}
