//! Generates calls to an `AggregationManager`, which `tests/route/model.rs` makes and checks.

use core::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use kinesis_aggregation::Limits;

use crate::model::{Index, Reshard, Routing, Step, check};
use crate::records::any_record;

/// A way to route, limits, and the calls to make.
#[derive(Debug)]
pub struct Script {
    routing: Routing,
    limits: Limits,
    max_memory: usize,
    steps: Vec<Step>,
}

impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut limits = Limits::default()
            .with_max_bytes(*u.choose(&[150, 300, 500, 1_000, 51_200])?)
            .with_target_bytes(*u.choose(&[100, 150, 300, u32::MAX])?)
            .with_max_user_records(*u.choose(&[1, 2, 5, usize::MAX])?);
        if u.arbitrary()? {
            limits = limits.with_max_age(Duration::from_millis(*u.choose(&[0, 20, 100])?));
        }
        Ok(Self {
            routing: *u.choose(&[Routing::ByShard, Routing::ByShard, Routing::ByKey, Routing::Unrouted])?,
            limits,
            max_memory: *u.choose(&[0, 500, 2_000, 5_000, 64 * 1024 * 1024])?,
            // Each step goes through everything that is pending, so there are few.
            steps: u.arbitrary_iter::<Any>()?.take(64).map(|step| Ok(step?.0)).collect::<Result<_>>()?,
        })
    }
}

struct Any(Step);

impl<'a> Arbitrary<'a> for Any {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let index = |u: &mut Unstructured<'a>| Ok(Index(u.arbitrary::<u8>()?.into()));
        Ok(Self(match u.int_in_range(0..=23)? {
            0 => Step::Flush,
            1 => Step::FlushShard(if u.arbitrary()? { Some(index(u)?) } else { None }),
            2..=3 => Step::Expired(u.int_in_range(0..=60)?),
            4..=7 => {
                let changes = u.int_in_range(0..=3)?;
                Step::Refresh((0..changes).map(|_| reshard(u)).collect::<Result<_>>()?)
            }
            8 => Step::Clear,
            9..=15 => Step::AddAt(any_record(u)?, u.int_in_range(0..=30)?),
            _ => Step::Add(any_record(u)?),
        }))
    }
}

fn reshard(u: &mut Unstructured<'_>) -> Result<Reshard> {
    let shard = Index(u.arbitrary::<u8>()?.into());
    Ok(match u.int_in_range(0..=3)? {
        0 => Reshard::Merge(shard),
        // At hash keys that user records often have.
        1 => Reshard::Split(shard, u.int_in_range(0..=4)?),
        _ => Reshard::Split(shard, u.arbitrary()?),
    })
}

/// Makes the calls to a manager and to the model.
pub fn run(script: Script) {
    let Script { routing, limits, max_memory, steps } = script;
    check(routing, limits, max_memory, steps);
}
