//! `kinesis-agg route`.

use std::io::{BufWriter, Write, stdout};

use kinesis_aggregation::HashKey;
use serde::Serialize;

use crate::args::RouteArgs;
use crate::failure::Failure;
use crate::input::{Data, for_each_event};
use crate::output::write_json_line;
use crate::progress::Progress;
use crate::shards::Shards;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    partition_key: &'a str,
    hash_key: String,
    shard_id: Option<&'a str>,
}

pub(crate) fn run(args: &RouteArgs) -> Result<(), Failure> {
    let shards = args.shards.as_deref().map(Shards::read).transpose()?;
    let progress = Progress::new();
    let mut writer = BufWriter::with_capacity(256 * 1024, stdout().lock());
    let read = for_each_event(&args.files, Data::Optional, &progress, |event| {
        event.record.validate().map_err(|error| event.fault(error))?;
        let key = HashKey::of(&event.record).map_err(|error| event.fault(error))?;
        let line = Line {
            partition_key: event.record.partition_key,
            hash_key: key.to_string(),
            shard_id: shards.as_ref().map(|shards| shards.map.shard_for(key).id()),
        };
        write_json_line(&mut writer, &line)
    });
    writer.flush()?;
    read
}
