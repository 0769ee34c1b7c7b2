//! `kinesis-agg inspect`: a report on each payload, or a JSON line.

use core::fmt;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufWriter, Write, stdout};

use indicatif::HumanCount;
use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::{AggregatedRecord, PlainReason};
use kinesis_aggregation::route::{HashKey, HashKeyRange};
use serde::Serialize;

use crate::args::{ERROR, HEADING, InspectArgs, LITERAL, WARNING};
use crate::failure::Failure;
use crate::input::{Event, Payload, for_each_event};
use crate::output::{JsonLines, to_u64};
use crate::progress::Progress;
use crate::shards::Shards;

pub(crate) fn run(args: &InspectArgs) -> Result<(), Failure> {
    let shards = args.shards.as_deref().map(Shards::read).transpose()?;
    if let (Some(shards), Some(id)) = (&shards, &args.shard_id) {
        if shards.range_of(id).is_none() {
            return Err(Failure::Usage(format!("--shard-id {id} is not in the file given with --shards")));
        }
    }
    let progress = Progress::new();
    if args.json {
        let mut lines = JsonLines::new(stdout().lock());
        let read = for_each_event(&args.input, &progress, |event| {
            let Event::Payload(payload) = event else { return lines.flush() };
            let findings = Findings::new(&payload, shards.as_ref(), args.shard_id.as_deref());
            lines.line(&JsonSummary::new(&findings))
        });
        lines.flush()?;
        return read;
    }
    let mut report = Report {
        out: BufWriter::new(anstream::AutoStream::auto(stdout().lock())),
        top: args.top,
        shows_shards: shards.is_some(),
        totals: Totals::default(),
    };
    let read = for_each_event(&args.input, &progress, |event| {
        let Event::Payload(payload) = event else { return Ok(report.out.flush()?) };
        let findings = Findings::new(&payload, shards.as_ref(), args.shard_id.as_deref());
        Ok(report.payload(&payload, &findings)?)
    });
    report.finish()?;
    if read.is_ok() && report.totals.records() == 0 {
        progress.say("no payloads");
    }
    read
}

/// What `inspect` knows about a payload.
struct Findings<'a> {
    record: u64,
    bytes: usize,
    /// Data of the user records. A plain record is its own user record.
    data_bytes: usize,
    verdict: Result<AggregatedRecord<'a, 'a>, PlainReason>,
    /// For an aggregate with user records, if the shards are known.
    placement: Option<Placement<'a>>,
}

impl<'a> Findings<'a> {
    fn new(payload: &Payload<'a>, shards: Option<&Shards>, shard_id: Option<&str>) -> Self {
        let verdict = payload.parse();
        let data_bytes = match &verdict {
            Ok(aggregate) => aggregate.records().map(|user| user.data.len()).sum(),
            Err(_) => payload.data.len(),
        };
        let placement = match (&verdict, shards) {
            (Ok(aggregate), Some(shards)) => Placement::new(payload, aggregate, shards, shard_id),
            _ => None,
        };
        Self { record: payload.record, bytes: payload.data.len(), data_bytes, verdict, placement }
    }

    fn user_records(&self) -> usize {
        self.verdict.as_ref().map_or(1, AggregatedRecord::len)
    }

    /// Returns the number of bytes that are not data of user records. Data of several user records cannot overlap, so it
    /// never exceeds the payload.
    fn overhead_bytes(&self) -> usize {
        self.bytes - self.data_bytes
    }
}

/// Which user records are on the wrong shard. A consumer built on the KCL drops an aggregate that has one.
struct Placement<'a> {
    /// The shard of the aggregate.
    shard_id: String,
    /// Whether the shard is only assumed: the one that owns the first user record.
    assumed: bool,
    outside: Vec<Outside<'a>>,
}

/// A user record outside the shard of its aggregate.
struct Outside<'a> {
    record: UserRecord<'a>,
    /// The open shard that owns it, or `None` if its explicit hash key is not a number.
    owner: Option<String>,
}

impl<'a> Placement<'a> {
    fn new(
        payload: &Payload<'_>,
        aggregate: &AggregatedRecord<'a, 'a>,
        shards: &Shards,
        shard_id: Option<&str>,
    ) -> Option<Self> {
        // The input knows best, then the command line, then the explicit hash key of the Kinesis record.
        let named = payload.shard_id.or(shard_id);
        let named = named.and_then(|id| Some((id.to_owned(), shards.range_of(id)?)));
        let owner = |key: HashKey| {
            let shard = shards.map.shard_for(key);
            (shard.id().to_owned(), shard.range())
        };
        let outer_hash_key = payload.explicit_hash_key.and_then(|key| key.parse().ok());
        let known = named.or_else(|| outer_hash_key.map(owner));
        let assumed = known.is_none();
        let (shard_id, range) = match known {
            Some(known) => known,
            None => owner(aggregate.records().next()?.hash_key().ok()?),
        };
        let outside = aggregate.records().filter_map(|record| Outside::new(record, range, shards)).collect();
        Some(Self { shard_id, assumed, outside })
    }
}

impl<'a> Outside<'a> {
    fn new(record: UserRecord<'a>, range: HashKeyRange, shards: &Shards) -> Option<Self> {
        match record.hash_key() {
            Ok(key) if range.contains(key) => None,
            Ok(key) => Some(Self { record, owner: Some(shards.map.shard_for(key).id().to_owned()) }),
            Err(_) => Some(Self { record, owner: None }),
        }
    }
}

/// The line that `--json` writes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonSummary<'a> {
    record: u64,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<usize>,
    bytes: usize,
    user_records: usize,
    partition_keys: usize,
    explicit_hash_keys: usize,
    data_bytes: usize,
    overhead_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard_assumed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outside_shard: Option<usize>,
}

impl<'a> JsonSummary<'a> {
    fn new(findings: &'a Findings<'_>) -> Self {
        let aggregate = findings.verdict.as_ref().ok();
        let placement = findings.placement.as_ref();
        Self {
            record: findings.record,
            kind: if aggregate.is_some() { "aggregated" } else { "plain" },
            reason: findings.verdict.as_ref().err().map(PlainReason::as_str),
            offset: match findings.verdict {
                Err(PlainReason::Malformed(error)) => Some(error.offset()),
                _ => None,
            },
            bytes: findings.bytes,
            user_records: findings.user_records(),
            partition_keys: aggregate.map_or(0, |aggregate| aggregate.partition_keys().len()),
            explicit_hash_keys: aggregate.map_or(0, |aggregate| aggregate.explicit_hash_keys().len()),
            data_bytes: findings.data_bytes,
            overhead_bytes: findings.overhead_bytes(),
            shard_id: placement.map(|placement| &*placement.shard_id),
            shard_assumed: placement.map(|placement| placement.assumed),
            outside_shard: placement.map(|placement| placement.outside.len()),
        }
    }
}

/// Writes the report for people.
struct Report<W> {
    out: W,
    top: usize,
    shows_shards: bool,
    totals: Totals,
}

#[derive(Default)]
struct Totals {
    aggregated: u64,
    plain: u64,
    user_records: u64,
    bytes: u64,
    data_bytes: u64,
    outside_shard: u64,
}

impl Totals {
    fn add(&mut self, findings: &Findings<'_>) {
        let kind = if findings.verdict.is_ok() { &mut self.aggregated } else { &mut self.plain };
        *kind += 1;
        self.user_records += to_u64(findings.user_records());
        self.bytes += to_u64(findings.bytes);
        self.data_bytes += to_u64(findings.data_bytes);
        self.outside_shard +=
            findings.placement.as_ref().map_or(0, |placement| to_u64(placement.outside.len()));
    }

    const fn records(&self) -> u64 {
        self.aggregated + self.plain
    }
}

impl<W: Write> Report<W> {
    fn payload(&mut self, payload: &Payload<'_>, findings: &Findings<'_>) -> io::Result<()> {
        if self.totals.records() > 0 {
            writeln!(self.out)?;
        }
        self.totals.add(findings);
        write!(self.out, "{HEADING}record {}{HEADING:#} of {}: ", findings.record, payload.place)?;
        match &findings.verdict {
            Ok(aggregate) => self.aggregated(findings, aggregate),
            Err(reason) => self.plain(payload, *reason),
        }
    }

    /// Writes the totals if there was more than one payload.
    fn finish(&mut self) -> io::Result<()> {
        let totals = &self.totals;
        if totals.records() > 1 {
            writeln!(
                self.out,
                "\n{HEADING}{} records{HEADING:#}: {} aggregated, {} plain; {} user records; {} bytes, {} of them data \
                 ({} overhead)",
                HumanCount(totals.records()),
                HumanCount(totals.aggregated),
                HumanCount(totals.plain),
                HumanCount(totals.user_records),
                HumanCount(totals.bytes),
                HumanCount(totals.data_bytes),
                Percent(totals.bytes - totals.data_bytes, totals.bytes)
            )?;
            if self.shows_shards {
                let outside = HumanCount(totals.outside_shard);
                writeln!(self.out, "{outside} user records are outside the shard of their aggregate")?;
            }
        }
        self.out.flush()
    }

    fn plain(&mut self, payload: &Payload<'_>, reason: PlainReason) -> io::Result<()> {
        let out = &mut self.out;
        writeln!(
            out,
            "{WARNING}plain{WARNING:#}, {} bytes ({})",
            count(payload.data.len()),
            reason.as_str()
        )?;
        match reason {
            PlainReason::Malformed(error) => {
                writeln!(out, "  {} at byte {} ({:#x})", error.kind(), error.offset(), error.offset())?;
                write_hex_around(out, payload.data, error.offset())
            }
            PlainReason::NoMagic if payload.data.is_empty() => Ok(()),
            PlainReason::NoMagic => writeln!(out, "  {}", Preview(payload.data)),
            PlainReason::TooShort | PlainReason::DigestMismatch => writeln!(out, "  {reason}"),
        }
    }

    fn aggregated(
        &mut self,
        findings: &Findings<'_>,
        aggregate: &AggregatedRecord<'_, '_>,
    ) -> io::Result<()> {
        let (out, top) = (&mut self.out, self.top);
        writeln!(
            out,
            "{LITERAL}aggregated{LITERAL:#}, {} user records in {} bytes",
            count(aggregate.len()),
            count(findings.bytes)
        )?;
        let column = |number: usize| format!("{:>12}", count(number).to_string());
        let overhead = findings.overhead_bytes();
        writeln!(out, "  data      {} bytes", column(findings.data_bytes))?;
        write!(out, "  overhead  {} bytes  ", column(overhead))?;
        write!(out, "{}", Percent(to_u64(overhead), to_u64(findings.bytes)))?;
        match overhead.checked_div(aggregate.len()) {
            Some(each) => writeln!(out, " ({} bytes per user record)", count(each))?,
            None => writeln!(out)?,
        }
        writeln!(
            out,
            "  keys      {} partition keys, {} explicit hash keys",
            column(aggregate.partition_keys().len()),
            count(aggregate.explicit_hash_keys().len())
        )?;
        if aggregate.is_empty() {
            return Ok(());
        }

        // The lists below show everything if there are few.
        let keys = most_used(aggregate.records().map(|user| user.partition_key));
        if aggregate.len() > top {
            writeln!(out, "\n  size of user records")?;
            write_histogram(out, aggregate.records().map(|user| user.data.len()), " bytes")?;
        }
        if keys.len() > top {
            writeln!(out, "\n  user records per partition key")?;
            write_histogram(out, keys.iter().map(|&(_, uses)| uses), "")?;
        }
        if top > 0 && keys.len() > 1 && keys.len() < aggregate.len() {
            writeln!(out, "\n  most used partition keys")?;
            for &(key, uses) in keys.iter().take(top) {
                let share = Percent(to_u64(uses), to_u64(aggregate.len()));
                writeln!(out, "  {}  {share:>7}  {}", column(uses), Escaped(key))?;
            }
        }
        if top > 0 {
            writeln!(out, "\n  largest user records")?;
        }
        for user in largest(aggregate, top) {
            write!(out, "  {} bytes  #{:<8}", column(user.data.len()), user.sub_sequence_number)?;
            write!(out, " {}", Escaped(user.partition_key))?;
            if let Some(key) = user.explicit_hash_key {
                write!(out, ", explicit hash key {}", Escaped(key))?;
            }
            writeln!(out)?;
        }
        match &findings.placement {
            Some(placement) => write_placement(out, placement, top),
            None => Ok(()),
        }
    }
}

fn count(count: usize) -> HumanCount {
    HumanCount(to_u64(count))
}

/// Returns the largest user records, largest first.
fn largest<'a>(aggregate: &AggregatedRecord<'a, 'a>, count: usize) -> Vec<UserRecord<'a>> {
    let mut records: Vec<_> = aggregate.records().collect();
    records.sort_by_key(|user| core::cmp::Reverse(user.data.len()));
    records.truncate(count);
    records
}

/// Returns each key with the number of its uses, most used first.
fn most_used<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<(&'a str, usize)> {
    let mut uses = HashMap::<&str, usize>::new();
    for key in keys {
        *uses.entry(key).or_default() += 1;
    }
    let mut uses: Vec<_> = uses.into_iter().collect();
    // Keys with equal counts are sorted by name so that the order does not depend on the hash table.
    uses.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    uses
}

fn write_placement(out: &mut impl Write, placement: &Placement<'_>, top: usize) -> io::Result<()> {
    let Placement { shard_id, assumed, outside } = placement;
    let assumed =
        if *assumed { " (assumed from the first user record; use --shard-id to name it)" } else { "" };
    if outside.is_empty() {
        return writeln!(out, "\n  all user records belong to shard {shard_id}{assumed}");
    }
    writeln!(
        out,
        "\n  {WARNING}{} user records are outside shard {shard_id}{WARNING:#}{assumed}; consumers built on the KCL drop the \
         whole aggregate",
        count(outside.len())
    )?;
    for Outside { record, owner } in outside.iter().take(top) {
        let number = format!("#{}", record.sub_sequence_number);
        write!(out, "  {number:>12}  {} ", Escaped(record.partition_key))?;
        match owner {
            Some(owner) => writeln!(out, "belongs to {owner}")?,
            None => writeln!(out, "belongs to no shard: its explicit hash key is not a number")?,
        }
    }
    match outside.len().checked_sub(top) {
        Some(more @ 1..) => writeln!(out, "  {:>12}  and {} more", "", count(more)),
        _ => Ok(()),
    }
}

/// Writes a histogram with a row for each power of two.
fn write_histogram(out: &mut impl Write, numbers: impl Iterator<Item = usize>, unit: &str) -> io::Result<()> {
    /// The longest bar, in characters.
    const BAR: usize = 40;

    // 0 has a row of its own; row n holds the numbers of n bits.
    let mut rows = BTreeMap::<u32, usize>::new();
    for number in numbers {
        *rows.entry(usize::BITS - number.leading_zeros()).or_default() += 1;
    }
    let (Some(&lowest), Some(&highest)) = (rows.keys().next(), rows.keys().next_back()) else {
        return Ok(());
    };
    let most = rows.values().copied().max().unwrap_or(1);
    for row in lowest..=highest {
        let uses = rows.get(&row).copied().unwrap_or(0);
        let label = match row {
            0 => "0".to_owned(),
            1 => "1".to_owned(),
            _ => {
                let from = 1u64 << (row - 1);
                format!("{} to {}", HumanCount(from), HumanCount(from - 1 + from))
            }
        };
        let bar = "▇".repeat((uses * BAR).div_ceil(most));
        let gap = if uses == 0 { "" } else { " " };
        writeln!(out, "  {label:>22}{unit}  {LITERAL}{bar}{LITERAL:#}{gap}{}", count(uses))?;
    }
    Ok(())
}

/// Writes a hex dump of the rows around `offset`, with a mark below the byte there.
fn write_hex_around(out: &mut impl Write, bytes: &[u8], offset: usize) -> io::Result<()> {
    const ROW: usize = 16;
    /// Rows to show before and after the marked one.
    const AROUND: usize = 2;

    let marked_row = offset / ROW;
    let first = marked_row.saturating_sub(AROUND);
    for (row, chunk) in bytes.chunks(ROW).enumerate().skip(first).take(marked_row + AROUND + 1 - first) {
        let start = row * ROW;
        write!(out, "    {LITERAL}{start:08x}{LITERAL:#} ")?;
        for column in 0..ROW {
            // A wider gap in the middle makes columns easier to count.
            let gap = if column == ROW / 2 { "  " } else { " " };
            match chunk.get(column) {
                Some(byte) if start + column == offset => write!(out, "{gap}{ERROR}{byte:02x}{ERROR:#}")?,
                Some(byte) => write!(out, "{gap}{byte:02x}")?,
                None => write!(out, "{gap}  ")?,
            }
        }
        let text = chunk.iter().map(|&byte| match byte {
            b' '..=b'~' => char::from(byte),
            _ => '.',
        });
        writeln!(out, "  |{}|", text.collect::<String>())?;
        if row == marked_row {
            let column = offset % ROW;
            let indent = 14 + column * 3 + usize::from(column >= ROW / 2);
            writeln!(out, "{:indent$}{ERROR}^^{ERROR:#}", "")?;
        }
    }
    Ok(())
}

/// A part of a whole in percent.
struct Percent(u64, u64);

impl fmt::Display for Percent {
    #[expect(clippy::as_conversions, reason = "only one digit after the point is shown")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = if self.1 == 0 { 0.0 } else { 100.0 * self.0 as f64 / self.1 as f64 };
        f.pad(&format!("{percent:.1} %"))
    }
}

/// Text in quotes, cut to 64 characters, without control characters that a terminal would interpret.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.0.chars().take(64).collect();
        let ellipsis = if shown.len() < self.0.len() { "…" } else { "" };
        write!(f, "{shown:?}{ellipsis}")
    }
}

/// The beginning of some data: as text if it is UTF-8, otherwise in hex.
struct Preview<'a>(&'a [u8]);

impl fmt::Display for Preview<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match core::str::from_utf8(self.0) {
            Ok(text) => Escaped(text).fmt(f),
            Err(_) => {
                let beginning = self.0.get(..32).unwrap_or(self.0);
                let ellipsis = if beginning.len() < self.0.len() { "…" } else { "" };
                write!(f, "{}{ellipsis}", data_encoding::HEXLOWER.encode(beginning))
            }
        }
    }
}
