//! `kinesis-agg inspect`: a report on each payload or on all of them, for people or as JSON.

mod findings;
mod json;
mod report;
mod summary;

use std::io::StdoutLock;

use crate::args::{InspectArgs, Only};
use crate::failure::Failure;
use crate::input::{Event, for_each_event};
use crate::inspect::findings::{Findings, Totals};
use crate::inspect::json::JsonLine;
use crate::inspect::report::{Report, Terminal};
use crate::inspect::summary::Summary;
use crate::output::JsonLines;
use crate::progress::Progress;
use crate::shards::Shards;
use crate::text::{counted, name};

pub(crate) fn run(args: &InspectArgs) -> Result<(), Failure> {
    if args.only == Some(Only::Misplaced) && args.shards.is_none() {
        return Err(Failure::Usage("--only misplaced requires --shards FILE".to_owned()));
    }
    let shards = args.shards.as_deref().map(Shards::read).transpose()?;
    if let (Some(shards), Some(id)) = (&shards, &args.shard_id) {
        if shards.range_of(id).is_none() {
            let id = name(id, 64);
            return Err(Failure::Usage(format!("--shard-id {id} is not in the file given with --shards")));
        }
    }
    let progress = Progress::new();
    let mut output = Output::new(args);
    let mut totals = Totals::default();
    let read = for_each_event(&args.input, &progress, |event| match event {
        Event::Payload(payload) => {
            let findings = Findings::new(payload, shards.as_ref(), args.shard_id.as_deref());
            totals.add(&findings);
            let wanted = match args.only {
                None => true,
                Some(Only::Damaged) => findings.is_damaged(),
                Some(Only::Misplaced) => findings.outside() > 0,
            };
            if wanted { output.payload(&findings) } else { Ok(()) }
        }
        Event::Damaged(damaged) => {
            totals.unreadable += 1;
            if let Output::Summary(summary, _) = &mut output {
                summary.unreadable(&damaged);
            }
            output.flush()
        }
        Event::Pause => output.flush(),
    });
    if let Err(failure @ Failure::Output(_)) = read {
        return Err(failure);
    }
    output.finish(&totals)?;
    if read.is_ok() && totals.records() == 0 && !args.json {
        progress.note("no payloads");
    }
    Failure::found(read, if args.check { totals.findings() } else { Vec::new() })
}

/// The destination of the findings.
enum Output<'a> {
    Report(Report<Terminal>),
    JsonLines(JsonLines<StdoutLock<'static>>),
    Summary(Box<Summary>, &'a InspectArgs),
}

impl<'a> Output<'a> {
    fn new(args: &'a InspectArgs) -> Self {
        match (args.summary, args.json) {
            (true, _) => Self::Summary(Box::default(), args),
            (false, true) => Self::JsonLines(JsonLines::stdout()),
            (false, false) => Self::Report(Report::new(args.top, args.shards.is_some())),
        }
    }

    fn payload(&mut self, findings: &Findings<'_>) -> Result<(), Failure> {
        match self {
            Self::Report(report) => Ok(report.payload(findings)?),
            Self::JsonLines(lines) => lines.line(&JsonLine::new(findings)),
            Self::Summary(summary, _) => {
                summary.add(findings);
                Ok(())
            }
        }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        match self {
            Self::Report(report) => Ok(report.flush()?),
            Self::JsonLines(lines) => lines.flush(),
            // Written at the end.
            Self::Summary(..) => Ok(()),
        }
    }

    fn finish(&mut self, totals: &Totals) -> Result<(), Failure> {
        match self {
            Self::Report(report) => report.finish(totals)?,
            Self::JsonLines(_) => {}
            Self::Summary(summary, args) if args.json => {
                let mut lines = JsonLines::stdout();
                lines.line(&summary.json(totals, args.shards.is_some(), args.top))?;
                lines.flush()?;
            }
            Self::Summary(summary, args) => {
                Report::new(args.top, args.shards.is_some()).summary(summary, totals)?;
            }
        }
        self.flush()
    }
}

impl Totals {
    /// Returns what makes `--check` fail.
    fn findings(&self) -> Vec<String> {
        let damaged = counted(self.damaged, "damaged payload");
        let outside = counted(self.outside, "misplaced user record");
        let unusable = format!("{} with an unusable hash key", counted(self.unusable, "user record"));
        let all = [(self.damaged, damaged), (self.outside, outside), (self.unusable, unusable)];
        all.into_iter().filter(|(count, _)| *count > 0).map(|(_, finding)| finding).collect()
    }
}
