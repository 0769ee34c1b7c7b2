//! `kinesis-agg route`: the hash key and the shard of each user record.

use crate::args::RouteArgs;
use crate::failure::Failure;
use crate::input::{Data, UserEvent, for_each_user_record};
use crate::output::JsonLines;
use crate::progress::Progress;
use crate::shards::Shards;

pub(crate) fn run(args: &RouteArgs) -> Result<(), Failure> {
    let shards = args.shards.as_deref().map(Shards::read).transpose()?;
    let progress = Progress::new();
    let mut lines = JsonLines::stdout();
    let read = for_each_user_record(&args.read, Data::Optional, &progress, |event| {
        let UserEvent::Record(input) = event else { return lines.flush() };
        input.record.validate().map_err(|error| input.place.fault(error))?;
        let key = input.record.hash_key().map_err(|error| input.place.fault(error))?;
        let mut line = lines.object();
        line.value("partitionKey", input.record.partition_key);
        line.value("hashKey", key.to_string());
        line.value("shardId", shards.as_ref().map(|shards| shards.map.shard_for(key).id()));
        line.end();
        lines.end_line()
    });
    lines.flush()?;
    read
}
