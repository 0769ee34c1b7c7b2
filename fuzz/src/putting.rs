//! Generates calls to a `PutQueue`, which `tests/route/put_queue_steps.rs` makes and checks.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::put_steps::{Step, check};

/// Limits, and the calls to make.
#[derive(Debug)]
pub struct Script {
    max_entries: usize,
    max_bytes: usize,
    steps: Vec<Step>,
}

impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self {
            max_entries: u.int_in_range(1..=8)?,
            max_bytes: u.int_in_range(20..=150)?,
            // Each step goes through the whole queue, so there are few.
            steps: u.arbitrary_iter::<AnyStep>()?.take(128).map(|step| Ok(step?.0)).collect::<Result<_>>()?,
        })
    }
}

struct AnyStep(Step);

impl<'a> Arbitrary<'a> for AnyStep {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self(match u.int_in_range(0..=15)? {
            0 => Step::Drain,
            1 => Step::GiveUp { call: u.int_in_range(0..=7)? },
            2..=4 => Step::Send { after: u.int_in_range(0..=300)? },
            5..=7 => {
                let count = u.int_in_range(0..=12)?;
                let outcomes = (0..count).map(|_| u.int_in_range(0..=2)).collect::<Result<_>>()?;
                Step::Answer { call: u.int_in_range(0..=7)?, outcomes }
            }
            _ => Step::Push { shard: u.int_in_range(0..=4)?, size: u.int_in_range(1..=60)? },
        }))
    }
}

/// Makes the calls to a queue and to the model.
pub fn run(script: Script) {
    check(script.max_entries, script.max_bytes, script.steps);
}
