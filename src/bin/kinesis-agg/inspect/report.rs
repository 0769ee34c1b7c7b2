//! Findings, laid out for a person.

use std::io::{self, Write};

use indicatif::HumanCount;
use kinesis_aggregation::decode::{AggregatedRecord, PlainReason};

use crate::args::{HEADING, InspectArgs, LITERAL, WARNING};
use crate::input::Payload;
use crate::inspect::findings::{Findings, largest, most_used};
use crate::inspect::hex_dump;
use crate::inspect::placement::{Outside, Placement};
use crate::output::wide;
use crate::shards::Shards;

/// The widest bar of a histogram, in characters.
const BAR: usize = 40;

/// Writes findings as they come, and a summary in the end.
pub(crate) struct Report<'s, W: Write> {
    out: W,
    top: usize,
    shards: Option<&'s Shards>,
    shard_id: Option<&'s str>,
    aggregated: u64,
    plain: u64,
    user_records: u64,
    bytes: u64,
    data_bytes: u64,
    /// User records outside the shard of their aggregate.
    outside: u64,
}

impl<'s, W: Write> Report<'s, W> {
    pub(crate) fn new(out: W, args: &'s InspectArgs, shards: Option<&'s Shards>) -> Self {
        let (top, shard_id) = (args.top, args.shard_id.as_deref());
        Self {
            out,
            top,
            shards,
            shard_id,
            outside: 0,
            aggregated: 0,
            plain: 0,
            user_records: 0,
            bytes: 0,
            data_bytes: 0,
        }
    }

    /// Writes about one payload.
    pub(crate) fn payload(&mut self, payload: &Payload<'_>) -> io::Result<()> {
        let findings = Findings::of(payload, self.shards, self.shard_id);
        if self.aggregated.saturating_add(self.plain) > 0 {
            writeln!(self.out)?;
        }
        self.count(&findings);
        write!(self.out, "{HEADING}record {}{HEADING:#} of {}: ", findings.record, payload.source)?;
        match &findings.verdict {
            Ok(aggregate) => self.aggregated(&findings, aggregate),
            Err(reason) => self.plain(payload, *reason),
        }
    }

    /// Says whether there was no payload.
    pub(crate) const fn is_empty(&self) -> bool {
        self.aggregated == 0 && self.plain == 0
    }

    /// Writes about all payloads together, if there was more than one.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let records = self.aggregated.saturating_add(self.plain);
        if records > 1 {
            writeln!(
                self.out,
                "\n{HEADING}{} records{HEADING:#}: {} aggregated, {} plain; {} user records; {} bytes, {} of them data \
                 ({} overhead)",
                HumanCount(records),
                HumanCount(self.aggregated),
                HumanCount(self.plain),
                HumanCount(self.user_records),
                HumanCount(self.bytes),
                HumanCount(self.data_bytes),
                Percent(self.bytes.saturating_sub(self.data_bytes), self.bytes)
            )?;
        }
        if records > 1 && self.shards.is_some() {
            writeln!(
                self.out,
                "{} user records lie outside the shard of their aggregate",
                HumanCount(self.outside)
            )?;
        }
        self.out.flush()
    }

    fn count(&mut self, findings: &Findings<'_>) {
        let kind = if findings.verdict.is_ok() { &mut self.aggregated } else { &mut self.plain };
        *kind = kind.saturating_add(1);
        self.user_records = self.user_records.saturating_add(wide(findings.user_records()));
        self.bytes = self.bytes.saturating_add(wide(findings.bytes));
        self.data_bytes = self.data_bytes.saturating_add(wide(findings.data_bytes));
        let outside = findings.placement.as_ref().map_or(0, |placement| placement.outside.len());
        self.outside = self.outside.saturating_add(wide(outside));
    }

    fn plain(&mut self, payload: &Payload<'_>, reason: PlainReason) -> io::Result<()> {
        let bytes = HumanCount(wide(payload.data.len()));
        writeln!(self.out, "{WARNING}plain{WARNING:#}, {bytes} bytes ({})", reason.as_str())?;
        match reason {
            PlainReason::Malformed(error) => {
                writeln!(self.out, "  {} at byte {} ({:#x})", error.kind(), error.offset(), error.offset())?;
                hex_dump::write_around(&mut self.out, payload.data, error.offset())
            }
            PlainReason::NoMagic if payload.data.is_empty() => Ok(()),
            PlainReason::NoMagic => writeln!(self.out, "  {}", Preview(payload.data)),
            PlainReason::TooShort | PlainReason::DigestMismatch => writeln!(self.out, "  {reason}"),
        }
    }

    fn aggregated(
        &mut self,
        findings: &Findings<'_>,
        aggregate: &AggregatedRecord<'_, Vec<&str>>,
    ) -> io::Result<()> {
        let out = &mut self.out;
        let count = |count: usize| HumanCount(wide(count));
        writeln!(
            out,
            "{LITERAL}aggregated{LITERAL:#}, {} user records in {} bytes",
            count(aggregate.len()),
            count(findings.bytes)
        )?;
        let overhead = findings.overhead_bytes();
        writeln!(
            out,
            "  data      {:>12} bytes\n  overhead  {:>12} bytes  {} ({} bytes a user record)",
            count(findings.data_bytes).to_string(),
            count(overhead).to_string(),
            Percent(wide(overhead), wide(findings.bytes)),
            overhead.checked_div(aggregate.len()).map_or("no".to_owned(), |each| count(each).to_string())
        )?;

        let keys = most_used(aggregate.records().map(|user| user.partition_key));
        writeln!(
            out,
            "  keys      {:>12} partition keys, {} explicit hash keys",
            count(aggregate.partition_keys().len()).to_string(),
            count(aggregate.explicit_hash_keys().len())
        )?;
        if aggregate.is_empty() {
            return Ok(());
        }

        // Of a few, the lists below show all there is.
        if aggregate.len() > self.top {
            writeln!(out, "\n  sizes of user records")?;
            write_histogram(out, aggregate.records().map(|user| user.data.len()), " bytes")?;
        }
        if keys.len() > self.top {
            writeln!(out, "\n  user records of a partition key")?;
            write_histogram(out, keys.iter().map(|&(_, uses)| uses), "")?;
        }
        if self.top > 0 && keys.len() > 1 && keys.len() < aggregate.len() {
            writeln!(out, "\n  most used partition keys")?;
            for &(key, uses) in keys.iter().take(self.top) {
                let share = Percent(wide(uses), wide(aggregate.len()));
                writeln!(out, "  {:>12}  {share:>7}  {}", count(uses).to_string(), Shown(key))?;
            }
        }
        if self.top > 0 {
            writeln!(out, "\n  largest user records")?;
        }
        for user in largest(aggregate, self.top) {
            write!(
                out,
                "  {:>12} bytes  #{:<8}",
                count(user.data.len()).to_string(),
                user.sub_sequence_number
            )?;
            write!(out, " {}", Shown(user.partition_key))?;
            if let Some(key) = user.explicit_hash_key {
                write!(out, ", explicit hash key {}", Shown(key))?;
            }
            writeln!(out)?;
        }
        match &findings.placement {
            Some(placement) => write_placement(out, placement, self.top),
            None => Ok(()),
        }
    }
}

/// Writes which user records are not on the shard that owns them.
fn write_placement(out: &mut impl Write, placement: &Placement<'_>, top: usize) -> io::Result<()> {
    let Placement { shard_id, assumed, outside } = placement;
    let assumed =
        if *assumed { " (assumed from the first user record: --shard-id tells better)" } else { "" };
    if outside.is_empty() {
        return writeln!(out, "\n  shard {shard_id}{assumed} owns all of them");
    }
    writeln!(
        out,
        "\n  {WARNING}{} user records lie outside shard {shard_id}{WARNING:#}{assumed}: consumers built on the KCL drop the whole \
         aggregate",
        HumanCount(wide(outside.len()))
    )?;
    for Outside { record, owner } in outside.iter().take(top) {
        let owner = owner.as_deref().unwrap_or("none: its explicit hash key is no number");
        write!(out, "  {:>12}", format!("#{}", record.sub_sequence_number))?;
        writeln!(out, "  {} belongs to {owner}", Shown(record.partition_key))?;
    }
    if outside.len() > top {
        writeln!(out, "  {:>12}  and {} more", "", outside.len().saturating_sub(top))?;
    }
    Ok(())
}

/// Writes how many of the numbers lie between which powers of two.
fn write_histogram(out: &mut impl Write, numbers: impl Iterator<Item = usize>, unit: &str) -> io::Result<()> {
    // One more than the binary logarithm: 0 has a row of its own.
    let row_of = |number: usize| number.checked_ilog2().map_or(0, |log| log.saturating_add(1));
    let mut rows = std::collections::BTreeMap::<u32, usize>::new();
    for number in numbers {
        let count = rows.entry(row_of(number)).or_default();
        *count = count.saturating_add(1);
    }
    let (Some(&lowest), Some(&highest)) = (rows.keys().next(), rows.keys().next_back()) else {
        return Ok(());
    };
    let most = rows.values().copied().max().unwrap_or(1);
    for row in lowest..=highest {
        let count = rows.get(&row).copied().unwrap_or(0);
        let label = match row {
            0 => "0".to_owned(),
            1 => "1".to_owned(),
            _ => {
                let from = 1u64.checked_shl(row.saturating_sub(1)).unwrap_or(u64::MAX);
                let to = from.saturating_mul(2).saturating_sub(1);
                format!("{} to {}", HumanCount(from), HumanCount(to))
            }
        };
        let bar = "▇".repeat(count.saturating_mul(BAR).div_ceil(most));
        let gap = if count == 0 { "" } else { " " };
        let shown = HumanCount(wide(count));
        writeln!(out, "  {label:>22}{unit}  {LITERAL}{bar}{LITERAL:#}{gap}{shown}")?;
    }
    Ok(())
}

/// A share in percent.
struct Percent(u64, u64);

impl core::fmt::Display for Percent {
    #[expect(clippy::as_conversions, reason = "for people to read: the digits lost do not show")]
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let share = if self.1 == 0 { 0.0 } else { 100.0 * self.0 as f64 / self.1 as f64 };
        f.pad(&format!("{share:.1} %"))
    }
}

/// A key, with what a terminal would obey made harmless, and cut to a line.
struct Shown<'a>(&'a str);

impl core::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        const LONGEST: usize = 64;
        let shown: String = self.0.chars().take(LONGEST).collect();
        let cut = if shown.len() < self.0.len() { "…" } else { "" };
        write!(f, "{shown:?}{cut}")
    }
}

/// The beginning of some data: as text if it is text, else in hex.
struct Preview<'a>(&'a [u8]);

impl core::fmt::Display for Preview<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match core::str::from_utf8(self.0) {
            Ok(text) => Shown(text).fmt(f),
            Err(_) => {
                let beginning = self.0.get(..32).unwrap_or(self.0);
                f.write_str(&data_encoding::HEXLOWER.encode(beginning))?;
                f.write_str(if beginning.len() < self.0.len() { "…" } else { "" })
            }
        }
    }
}
