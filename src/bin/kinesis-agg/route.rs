//! `kinesis-agg route`.

use std::io::stdout;

use crate::args::RouteArgs;
use crate::failure::Failure;
use crate::input::{Data, for_each_event};
use crate::json_lines::JsonLines;
use crate::progress::Progress;
use crate::shards::Shards;

pub(crate) fn run(args: &RouteArgs) -> Result<(), Failure> {
    let shards = args.shards.as_deref().map(Shards::read).transpose()?;
    let progress = Progress::new();
    let mut lines = JsonLines::new(stdout().lock());
    let read = for_each_event(&args.files, Data::Optional, &progress, |event| {
        event.record.validate().map_err(|error| event.fault(error))?;
        let key = event.record.hash_key().map_err(|error| event.fault(error))?;
        let mut line = lines.object();
        line.value("partitionKey", event.record.partition_key);
        line.value("hashKey", key.to_string());
        line.value("shardId", shards.as_ref().map(|shards| shards.map.shard_for(key).id()));
        line.end();
        lines.end_line()
    });
    lines.flush()?;
    read
}
