//! `kinesis-agg inspect`.

mod findings;
mod hex_dump;
mod placement;
mod report;

use std::io::{BufWriter, stdout};

use crate::args::InspectArgs;
use crate::failure::Failure;
use crate::input::for_each_payload;
use crate::inspect::findings::Findings;
use crate::inspect::report::Report;
use crate::json_lines::JsonLines;
use crate::progress::Progress;
use crate::shards::Shards;

pub(crate) fn run(args: &InspectArgs) -> Result<(), Failure> {
    let shards = args.shards.as_deref().map(Shards::read).transpose()?;
    if let (Some(shards), Some(id)) = (&shards, &args.shard_id) {
        if shards.range_of(id).is_none() {
            return Err(Failure::Usage(format!("--shard-id {id} is not in the file that --shards names")));
        }
    }
    let progress = Progress::new();
    if args.json {
        let mut lines = JsonLines::new(stdout().lock());
        let read = for_each_payload(&args.input, &progress, |payload| {
            lines.line(&Findings::of(&payload, shards.as_ref(), args.shard_id.as_deref()).summary())
        });
        lines.flush()?;
        return read;
    }
    let writer = BufWriter::new(anstream::AutoStream::auto(stdout().lock()));
    let mut report = Report::new(writer, args, shards.as_ref());
    let read = for_each_payload(&args.input, &progress, |payload| Ok(report.payload(&payload)?));
    report.finish()?;
    if read.is_ok() && report.is_empty() {
        progress.say("no payloads");
    }
    read
}
