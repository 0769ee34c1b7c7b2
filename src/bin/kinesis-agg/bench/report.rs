//! What was measured, for people and for programs.

use std::collections::HashSet;
use std::io::{Write, stdout};

use indicatif::HumanCount;

use crate::args::{HEADING, LITERAL};
use crate::bench::operations::Operation;
use crate::bench::sample::Sample;
use crate::bench::{BenchArgs, Measure};
use crate::failure::Failure;
use crate::json_lines::JsonLines;
use crate::output::wide;

pub(crate) fn report(args: &BenchArgs, sample: &Sample, measures: &[Measure]) -> Result<(), Failure> {
    if args.json {
        return write_json(measures);
    }
    let mut out = anstream::AutoStream::auto(stdout().lock());
    write_heading(&mut out, args, sample, measures)?;
    writeln!(out, "{:26}{:>14}{:>10}{:>10}", "", "records/s", "GB/s", "digest")?;
    for measure in measures {
        let name = measure.operation.name();
        let rate = HumanCount(count(per_second(measure.user_records, measure))).to_string();
        let gigabytes = per_second(measure.bytes, measure) / 1e9;
        let share =
            digest_share(measure, measures).map_or("-".to_owned(), |share| format!("{:.0} %", share * 100.0));
        writeln!(out, "  {name:24}{LITERAL}{rate:>14}{LITERAL:#}{gigabytes:>10.2}{share:>10}")?;
    }
    let rounds = measures.first().map_or(0, |measure| measure.times.len());
    writeln!(
        out,
        "\nMedians of {} rounds. \"digest\" is the share of MD5: how long it takes for the same bytes.",
        HumanCount(wide(rounds))
    )?;
    Ok(())
}

fn write_heading(
    out: &mut impl Write,
    args: &BenchArgs,
    sample: &Sample,
    measures: &[Measure],
) -> Result<(), Failure> {
    let records = sample.user_records();
    let number = |count: usize| HumanCount(wide(count));
    let data = records.iter().map(|record| record.data.len()).fold(0, usize::saturating_add);
    let keys: HashSet<&str> = records.iter().map(|record| record.partition_key).collect();
    let s = |count: usize| if count == 1 { "" } else { "s" };
    writeln!(
        out,
        "{HEADING}{} user record{} of {} bytes on average, with {} partition key{}, in {} Kinesis record{} of {} bytes in \
         all{HEADING:#}{}",
        number(records.len()),
        s(records.len()),
        number(data.checked_div(records.len()).unwrap_or(0)),
        number(keys.len()),
        s(keys.len()),
        number(sample.payloads.len()),
        s(sample.payloads.len()),
        number(sample.bytes),
        if args.files.is_empty() { ", made up" } else { "" }
    )?;
    if sample.cut {
        writeln!(out, "The input goes on: this is its beginning.")?;
    }
    if sample.plain > 0 {
        writeln!(out, "Left out: Kinesis records that are not aggregated, {}.", HumanCount(sample.plain))?;
    }
    let packed = measures.first().map_or(0, |packing| packing.user_records);
    let unpacked = records.len().saturating_sub(packed);
    if unpacked > 0 {
        let why = "against the rules for keys, or too large for --max-bytes";
        writeln!(out, "Left out where it packs: user records {why}, {}.", number(unpacked))?;
    }
    Ok(writeln!(out)?)
}

fn write_json(measures: &[Measure]) -> Result<(), Failure> {
    let mut lines = JsonLines::new(stdout().lock());
    for measure in measures {
        let mut line = lines.object();
        line.value("operation", measure.operation.name());
        line.value("userRecords", measure.user_records);
        line.value("bytes", measure.bytes);
        line.value("rounds", measure.times.len());
        line.value("seconds", measure.seconds());
        line.value("recordsPerSecond", per_second(measure.user_records, measure));
        line.value("bytesPerSecond", per_second(measure.bytes, measure));
        line.value("digestShare", digest_share(measure, measures));
        line.end();
        lines.end_line()?;
    }
    lines.flush()
}

/// How much of the time of an operation the digests of the same bytes take.
fn digest_share(measure: &Measure, measures: &[Measure]) -> Option<f64> {
    let digest: Operation = measure.operation.digest()?;
    let digest = measures.iter().find(|measure| measure.operation == digest)?;
    // Packing may make other bytes than those that were read: fewer, or more.
    Some(per_second(measure.bytes, measure) / per_second(digest.bytes, digest))
}

#[expect(clippy::as_conversions, reason = "for people to read: the digits lost do not show")]
fn per_second(count: usize, measure: &Measure) -> f64 {
    count as f64 / measure.seconds()
}

#[expect(clippy::as_conversions, reason = "for people to read: a rate has no fraction, and no sign")]
fn count(rate: f64) -> u64 {
    rate as u64
}
