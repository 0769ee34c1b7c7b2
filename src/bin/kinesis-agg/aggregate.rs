//! `kinesis-agg aggregate`.

use std::io::stdout;

use crate::args::{AggregateArgs, Grouping, WARNING};
use crate::failure::Failure;
use crate::input::{Data, for_each_event};
use crate::output::Output;
use crate::packer::Packer;
use crate::progress::Progress;

pub(crate) fn run(args: &AggregateArgs) -> Result<(), Failure> {
    let mut output = Output::new(stdout().lock(), args.output_plan()?);
    let (grouping, shards) = args.packing.grouping()?;
    let progress = Progress::new();
    let mut packer = Packer::new(&args.packing, grouping, shards, |packed| output.put(&packed));
    let mut mixing = MixingCheck::default();
    let read = for_each_event(&args.packing.files, Data::Required, &progress, |event| {
        packer.add(&event).map_err(|failure| match failure {
            Failure::NotOne => event.fault(&failure),
            failure => failure,
        })?;
        if grouping == Grouping::All && mixing.begins_with(event.record.partition_key) {
            progress.say(format_args!(
                "{WARNING}warning:{WARNING:#} user records with different partition keys share Kinesis records. \
                 Consumers built on the KCL drop those that mix shards: for a stream of several shards, use \
                 --shards FILE or --group partition-key"
            ));
        }
        Ok(())
    });
    // What came before a bad line is packed and written all the same.
    let packed = packer.finish();
    drop(packer);
    match (read, packed) {
        // A failure to write makes it pointless to write more.
        (Err(failure @ Failure::Output(_)), _) => Err(failure),
        (read, packed) => {
            output.finish()?;
            read.and(packed)
        }
    }
}

/// Notices, once, that user records of different partition keys share Kinesis records.
#[derive(Default)]
struct MixingCheck {
    first: Option<String>,
    noticed: bool,
}

impl MixingCheck {
    /// Says whether this is the first partition key that differs from those before.
    fn begins_with(&mut self, partition_key: &str) -> bool {
        match &self.first {
            _ if self.noticed => false,
            None => {
                self.first = Some(partition_key.to_owned());
                false
            }
            Some(first) => {
                self.noticed = first != partition_key;
                self.noticed
            }
        }
    }
}
