//! The report that `inspect` writes for people. No line is wider than the output.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufWriter, StdoutLock, Write, stdout};

use indicatif::HumanCount;
use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::{AggregatedRecord, PlainReason};
use textwrap::core::display_width;

use crate::args::{ERROR, HEADING, LITERAL, WARNING};
use crate::damage::{Cause, digests};
use crate::inspect::findings::{Findings, Outside, Placement, Totals};
use crate::inspect::summary::Summary;
use crate::output::to_u64;
use crate::text::{Percent, columns, counted, counted_usize, json_text, name, preview, quoted};

/// The largest width of a partition key in a table.
const KEY: usize = 40;

pub(crate) struct Report<W> {
    out: W,
    width: usize,
    top: usize,
    shows_shards: bool,
    is_first: bool,
}

/// Standard output, without colors where they are not wanted.
pub(crate) type Terminal = BufWriter<anstream::AutoStream<StdoutLock<'static>>>;

impl Report<Terminal> {
    pub(crate) fn new(top: usize, shows_shards: bool) -> Self {
        let out = BufWriter::new(anstream::AutoStream::auto(stdout().lock()));
        Self { out, width: columns(), top, shows_shards, is_first: true }
    }
}

impl<W: Write> Report<W> {
    pub(crate) fn payload(&mut self, findings: &Findings<'_>) -> io::Result<()> {
        if !self.is_first {
            writeln!(self.out)?;
        }
        self.is_first = false;
        let payload = &findings.payload;
        let bytes = counted_usize(payload.data.len(), "byte");
        let verdict = match &findings.verdict {
            Ok(aggregate) => {
                let users = counted_usize(aggregate.len(), "user record");
                format!("{LITERAL}aggregated{LITERAL:#}, {users} in {bytes}")
            }
            Err(reason) => format!("{WARNING}plain{WARNING:#}, {bytes} ({})", reason.as_str()),
        };
        self.prose(
            "",
            &format!("{HEADING}record {}{HEADING:#} of {}: {verdict}", payload.record, payload.place),
        )?;
        self.source(findings)?;
        match &findings.verdict {
            Ok(aggregate) => self.aggregated(findings, aggregate),
            Err(reason) => self.plain(findings, *reason),
        }
    }

    /// Writes the totals if there was more than one payload.
    pub(crate) fn finish(&mut self, totals: &Totals) -> io::Result<()> {
        if totals.records() > 1 {
            if !self.is_first {
                writeln!(self.out)?;
            }
            self.totals(totals)?;
        }
        self.flush()
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes the report on all payloads together.
    pub(crate) fn summary(&mut self, summary: &Summary, totals: &Totals) -> io::Result<()> {
        if totals.records() == 0 {
            return Ok(());
        }
        self.totals(totals)?;
        let Summary { partition_keys, explicit_hash_keys, .. } = summary;
        let at_least = |incomplete| if incomplete { "at least " } else { "" };
        self.fact(
            "keys",
            &format!(
                "{}{}, {}{}",
                at_least(partition_keys.is_incomplete),
                counted(partition_keys.count(), "partition key"),
                at_least(explicit_hash_keys.is_incomplete),
                counted(explicit_hash_keys.count(), "explicit hash key")
            ),
        )?;
        let units = counted(summary.units, "PUT payload unit");
        self.fact(
            "fill",
            &format!(
                "{units} of 25,000 bytes, {} full on average",
                Percent(totals.bytes, summary.units.saturating_mul(25_000))
            ),
        )?;
        if let Some(each) = summary.aggregated_user_records.checked_div(totals.aggregated) {
            self.fact("", &format!("{} per aggregate on average", counted(each, "user record")))?;
        }
        writeln!(self.out, "\n  size of Kinesis records")?;
        self.histogram(&summary.sizes, Some("byte"))?;
        let keys = partition_keys.most_used(self.top);
        if partition_keys.count() > to_u64(self.top) {
            writeln!(self.out, "\n  user records per partition key")?;
            self.histogram(&powers_of_two(partition_keys.uses()), None)?;
        }
        self.most_used_keys(&keys, partition_keys.count(), totals.user_records)?;
        if partition_keys.is_incomplete {
            self.prose("  ", "there are too many keys to count all: keys that came late are missing")?;
        }
        if !summary.damaged.is_empty() {
            writeln!(self.out, "\n  {WARNING}damaged{WARNING:#}")?;
            for damaged in &summary.damaged {
                let number = damaged
                    .sequence_number
                    .as_deref()
                    .map(|number| format!(", sequence number {}", name(number, 64)));
                let cause = damaged.cause.map(|cause| format!(", probably {}", cause.phrase()));
                self.prose(
                    "    ",
                    &format!(
                        "record {} of {}{}: {}{}",
                        damaged.record,
                        damaged.place,
                        number.unwrap_or_default(),
                        damaged.reason,
                        cause.unwrap_or_default()
                    ),
                )?;
            }
            self.and_more(to_u64(summary.damaged.len()), totals.damaged + totals.unreadable)?;
        }
        self.flush()
    }

    fn totals(&mut self, totals: &Totals) -> io::Result<()> {
        let damaged = if totals.damaged > 0 {
            format!(" ({WARNING}{} damaged{WARNING:#})", HumanCount(totals.damaged))
        } else {
            String::new()
        };
        self.prose("", &format!(
            "{HEADING}{}{HEADING:#}: {} aggregated, {} plain{damaged}; {}; {}, {} of them data ({} overhead)",
            counted(totals.records(), "record"),
            HumanCount(totals.aggregated),
            HumanCount(totals.plain),
            counted(totals.user_records, "user record"),
            counted(totals.bytes, "byte"),
            HumanCount(totals.data_bytes),
            Percent(totals.overhead_bytes(), totals.bytes)
        ))?;
        let are = |count| if count == 1 { "is" } else { "are" };
        let have = |count| if count == 1 { "has" } else { "have" };
        if self.shows_shards {
            let outside = totals.outside;
            let users = counted(outside, "user record");
            let aggregate = if outside == 1 { "its aggregate" } else { "their aggregates" };
            self.prose("", &format!("{users} {} outside the shard of {aggregate}", are(outside)))?;
        }
        if totals.unusable > 0 {
            let users = counted(totals.unusable, "user record");
            self.prose(
                "",
                &format!("{users} {} an explicit hash key that is not a number", have(totals.unusable)),
            )?;
        }
        if totals.unreadable > 0 {
            let noun = if totals.unreadable == 1 { "line or value" } else { "lines or values" };
            self.prose("", &format!("{} {noun} could not be read", HumanCount(totals.unreadable)))?;
        }
        Ok(())
    }

    /// Writes what the input says about the record.
    fn source(&mut self, findings: &Findings<'_>) -> io::Result<()> {
        let payload = &findings.payload;
        let width = self.width - 20;
        if let Some(number) = payload.sequence_number {
            self.fact("sequence", &name(number, width))?;
        }
        if let Some(time) = payload.approximate_arrival_timestamp {
            self.fact("arrived", &name(&json_text(time), width))?;
        }
        if let Some(id) = payload.shard_id {
            self.fact("shard", &name(id, width))?;
        }
        if let Some(key) = payload.partition_key {
            self.fact("outer key", &quoted(key, width))?;
        }
        if let Some(key) = payload.explicit_hash_key {
            self.fact("", &format!("explicit hash key {}", name(key, width.saturating_sub(18))))?;
        }
        Ok(())
    }

    fn plain(&mut self, findings: &Findings<'_>, reason: PlainReason) -> io::Result<()> {
        let data = findings.payload.data;
        match reason {
            PlainReason::Malformed(error) => self.prose(
                "  ",
                &format!(
                    "{} at byte {} ({:#x}). The digest is right, so the producer wrote it like this",
                    error.kind(),
                    error.offset(),
                    error.offset()
                ),
            )?,
            PlainReason::NoMagic => {}
            PlainReason::TooShort | PlainReason::DigestMismatch => self.prose("  ", &reason.to_string())?,
        }
        if let Some(cause) = findings.cause {
            let style = if cause.is_damage() { WARNING } else { LITERAL };
            let probably = if cause.is_damage() { "probable cause" } else { "contents" };
            self.prose("  ", &format!("{style}{probably}{style:#}: {}", cause.explanation()))?;
        }
        if let PlainReason::DigestMismatch = reason {
            self.digest_mismatch(findings)?;
        }
        let offset = match reason {
            PlainReason::Malformed(error) => Some(error.offset()),
            _ => findings.cause.as_ref().and_then(Cause::at),
        };
        match offset {
            Some(offset) => self.hex_dump(data, around(offset), Some(offset)),
            None if data.is_empty() || reason == PlainReason::DigestMismatch => Ok(()),
            None => writeln!(self.out, "  {}", preview(data, self.width - 2)),
        }
    }

    /// Writes both digests, and both ends of the payload.
    fn digest_mismatch(&mut self, findings: &Findings<'_>) -> io::Result<()> {
        /// The bytes shown at each end.
        const END: usize = 32;

        let data = findings.payload.data;
        if let Some((expected, found)) = digests(data) {
            let hex = |digest: &[u8]| data_encoding::HEXLOWER.encode(digest);
            self.fact("expected", &hex(&expected))?;
            self.fact("found", &hex(found))?;
        }
        let ends = data.len().saturating_sub(END);
        if ends <= END {
            return self.hex_dump(data, 0..data.len(), None);
        }
        self.prose("  ", &format!("the first {END} bytes"))?;
        self.hex_dump(data, 0..END, None)?;
        self.prose("  ", &format!("the last {END} bytes"))?;
        self.hex_dump(data, ends..data.len(), None)?;
        if findings.cause.as_ref().and_then(Cause::at).is_some() {
            self.prose("  ", "around the fault")?;
        }
        Ok(())
    }

    fn aggregated(
        &mut self,
        findings: &Findings<'_>,
        aggregate: &AggregatedRecord<'_, '_>,
    ) -> io::Result<()> {
        let top = self.top;
        let overhead = findings.overhead_bytes();
        self.fact("data", &counted_usize(findings.data_bytes, "byte"))?;
        let each = overhead.checked_div(aggregate.len());
        let each = each.map(|each| format!(", {} per user record", counted_usize(each, "byte")));
        self.fact(
            "overhead",
            &format!(
                "{} ({}){}",
                counted_usize(overhead, "byte"),
                Percent(to_u64(overhead), to_u64(findings.payload.data.len())),
                each.unwrap_or_default()
            ),
        )?;
        self.fact(
            "keys",
            &format!(
                "{}, {}",
                counted_usize(findings.partition_keys(), "partition key"),
                counted_usize(findings.explicit_hash_keys(), "explicit hash key")
            ),
        )?;
        for (count, cause) in [(findings.gzip, Cause::Gzip), (findings.nested, Cause::NestedAggregate)] {
            if count > 0 {
                let users = counted_usize(count, "user record");
                let (verb, what) = match (cause, count) {
                    (Cause::Gzip, 1) => ("is", "compressed with gzip"),
                    (Cause::Gzip, _) => ("are", "compressed with gzip"),
                    (_, 1) => ("is", "an aggregate itself: it was aggregated twice"),
                    (_, _) => ("are", "aggregates themselves: they were aggregated twice"),
                };
                self.fact("contents", &format!("{WARNING}{users} {verb} {what}{WARNING:#}"))?;
            }
        }
        if aggregate.is_empty() {
            return Ok(());
        }

        // The lists below show everything if there are few.
        let keys = most_used(aggregate.records().map(|user| user.partition_key));
        if aggregate.len() > top {
            writeln!(self.out, "\n  size of user records")?;
            self.histogram(
                &powers_of_two(aggregate.records().map(|user| to_u64(user.data.len()))),
                Some("byte"),
            )?;
        }
        if keys.len() > top {
            writeln!(self.out, "\n  user records per partition key")?;
            self.histogram(&powers_of_two(keys.iter().map(|&(_, uses)| uses)), None)?;
        }
        if keys.len() < aggregate.len() {
            let shown = keys.get(..top.min(keys.len())).unwrap_or_default();
            self.most_used_keys(shown, to_u64(keys.len()), to_u64(aggregate.len()))?;
        }
        if top > 0 {
            let largest = largest(aggregate, top);
            let title = if aggregate.len() > largest.len() { "largest user records" } else { "user records" };
            writeln!(self.out, "\n  {title}")?;
            self.user_records(&largest)?;
        }
        self.unusable(&findings.unusable)?;
        match &findings.placement {
            Some(placement) => self.placement(placement),
            None => Ok(()),
        }
    }

    /// Writes a line for each user record: size, number, key and the start of the data.
    fn user_records(&mut self, users: &[UserRecord<'_>]) -> io::Result<()> {
        let widest = |texts: &mut dyn Iterator<Item = String>| {
            texts.map(|text| display_width(&text)).max().unwrap_or_default()
        };
        let size = |user: &UserRecord<'_>| counted_usize(user.data.len(), "byte");
        let number = |user: &UserRecord<'_>| format!("#{}", user.sub_sequence_number);
        let sizes = widest(&mut users.iter().map(size));
        let numbers = widest(&mut users.iter().map(number));
        // The rest of the width is for the data.
        let key_width = KEY.min(self.width.saturating_sub(sizes + numbers + 10) / 2);
        let key = |user: &UserRecord<'_>| quoted(user.partition_key, key_width);
        let keys = widest(&mut users.iter().map(key));
        let data_width = self.width.saturating_sub(sizes + numbers + keys + 10);
        // So that an explicit hash key of 39 digits fits, if anything does.
        let indent = (sizes + numbers + 8).min(self.width.saturating_sub(18 + 39)).max(4);
        for user in users {
            let (size, number, key) = (size(user), number(user), key(user));
            let gap = " ".repeat(keys - display_width(&key));
            let data = preview(user.data, data_width);
            self.row(&format!(
                "    {size:>sizes$}  {LITERAL}{number:<numbers$}{LITERAL:#}  {key}{gap}  {data}"
            ))?;
            if let Some(key) = user.explicit_hash_key {
                let key = name(key, self.width - indent - 18);
                writeln!(self.out, "{:indent$}explicit hash key {key}", "")?;
            }
        }
        Ok(())
    }

    fn most_used_keys(&mut self, keys: &[(&str, u64)], of: u64, user_records: u64) -> io::Result<()> {
        if keys.is_empty() || of < 2 {
            return Ok(());
        }
        writeln!(self.out, "\n  most used partition keys")?;
        for &(key, uses) in keys {
            let share = Percent(uses, user_records);
            let uses = HumanCount(uses).to_string();
            writeln!(self.out, "  {uses:>12}  {share:>7}  {}", quoted(key, self.width - 25))?;
        }
        Ok(())
    }

    /// Lists the user records whose explicit hash key is not a number.
    fn unusable(&mut self, users: &[UserRecord<'_>]) -> io::Result<()> {
        if users.is_empty() {
            return Ok(());
        }
        let have = if users.len() == 1 { "has" } else { "have" };
        writeln!(self.out)?;
        self.prose("  ", &format!(
            "{WARNING}{} {have} an explicit hash key that is not a number{WARNING:#}: consumers built on the KCL lose the \
             whole aggregate",
            counted_usize(users.len(), "user record")
        ))?;
        for user in users.iter().take(self.top) {
            let number = format!("#{}", user.sub_sequence_number);
            let width = (self.width - 40) / 2;
            let (key, hash_key) = (
                quoted(user.partition_key, width),
                quoted(user.explicit_hash_key.unwrap_or_default(), width),
            );
            writeln!(self.out, "  {number:>12}  {key}, explicit hash key {hash_key}")?;
        }
        self.and_more(to_u64(self.top.min(users.len())), to_u64(users.len()))
    }

    fn placement(&mut self, placement: &Placement<'_>) -> io::Result<()> {
        let Placement { shard_id, assumed, outside } = placement;
        let assumed = if *assumed {
            " (assumed from the first usable hash key; use --shard-id to name it)"
        } else {
            ""
        };
        writeln!(self.out)?;
        let Some(id) = shard_id else {
            return self.prose("  ", "the shard is not known: no user record has a usable hash key");
        };
        let id = name(id, 64);
        let are = if outside.len() == 1 { "is" } else { "are" };
        if outside.is_empty() {
            return self.prose("  ", &format!("all user records belong to shard {id}{assumed}"));
        }
        self.prose("  ", &format!(
            "{WARNING}{} {are} outside shard {id}{WARNING:#}{assumed}; consumers built on the KCL drop the whole aggregate",
            counted_usize(outside.len(), "user record")
        ))?;
        for Outside { record, owner } in outside.iter().take(self.top) {
            let number = format!("#{}", record.sub_sequence_number);
            let owner = match owner {
                Some(owner) => format!("belongs to {}", name(owner, 64)),
                None => "belongs to no shard".to_owned(),
            };
            let width = self.width.saturating_sub(18 + display_width(&owner)).max(8);
            self.row(&format!("  {number:>12}  {}  {owner}", quoted(record.partition_key, width)))?;
        }
        self.and_more(to_u64(self.top.min(outside.len())), to_u64(outside.len()))
    }

    fn and_more(&mut self, shown: u64, all: u64) -> io::Result<()> {
        match all - shown {
            0 => Ok(()),
            more => writeln!(self.out, "  {:>12}  and {} more", "", HumanCount(more)),
        }
    }

    /// Writes a histogram with a row for each power of two. 0 has a row of its own; row n has the numbers of n bits.
    fn histogram(&mut self, rows: &BTreeMap<u32, u64>, unit: Option<&str>) -> io::Result<()> {
        let (Some(&lowest), Some(&highest)) = (rows.keys().next(), rows.keys().next_back()) else {
            return Ok(());
        };
        let most = rows.values().copied().max().unwrap_or(1);
        let label = |row: u32| {
            let from = 1u64 << row.saturating_sub(1);
            let numbers = match row {
                0 => "0".to_owned(),
                1 => "1".to_owned(),
                _ => format!("{} to {}", HumanCount(from), HumanCount(from - 1 + from)),
            };
            match unit {
                None => numbers,
                Some(unit) => format!("{numbers} {unit}{}", if row == 1 { "" } else { "s" }),
            }
        };
        let labels = (lowest..=highest).map(|row| label(row).len()).max().unwrap_or_default();
        let counts = HumanCount(most).to_string().len();
        let longest = self.width.saturating_sub(4 + labels + 2 + 1 + counts).clamp(8, 40);
        for row in lowest..=highest {
            let uses = rows.get(&row).copied().unwrap_or(0);
            let length = uses.saturating_mul(to_u64(longest)).div_ceil(most);
            let bar = "▇".repeat(usize::try_from(length).unwrap_or(longest));
            let gap = if uses == 0 { "" } else { " " };
            let label = label(row);
            writeln!(self.out, "    {label:>labels$}  {LITERAL}{bar}{LITERAL:#}{gap}{}", HumanCount(uses))?;
        }
        Ok(())
    }

    /// Writes a hex dump of a range, with a mark below the byte at `marked`.
    fn hex_dump(
        &mut self,
        bytes: &[u8],
        range: core::ops::Range<usize>,
        marked: Option<usize>,
    ) -> io::Result<()> {
        // Address, bytes, text, and what is between them take 4 columns per byte and 15 more.
        let row_len = if self.width >= 16 * 4 + 15 { 16 } else { 8 };
        let shown = bytes.get(range.start..range.end.min(bytes.len())).unwrap_or_default();
        for (row, chunk) in shown.chunks(row_len).enumerate() {
            let start = range.start + row * row_len;
            write!(self.out, "  {LITERAL}{start:08x}{LITERAL:#} ")?;
            let mut mark = None;
            for column in 0..row_len {
                // A wider gap in the middle makes columns easier to count.
                let gap = if column == 8 { "  " } else { " " };
                match chunk.get(column) {
                    Some(byte) if Some(start + column) == marked => {
                        mark = Some(12 + column * 3 + usize::from(column >= 8));
                        write!(self.out, "{gap}{ERROR}{byte:02x}{ERROR:#}")?;
                    }
                    Some(byte) => write!(self.out, "{gap}{byte:02x}")?,
                    None => write!(self.out, "{gap}  ")?,
                }
            }
            let text: String = chunk
                .iter()
                .map(|&byte| if matches!(byte, b' '..=b'~') { char::from(byte) } else { '.' })
                .collect();
            writeln!(self.out, " |{text}|")?;
            if let Some(indent) = mark {
                writeln!(self.out, "{:indent$}{ERROR}^^{ERROR:#}", "")?;
            }
        }
        Ok(())
    }

    /// Writes a fact with its name.
    fn fact(&mut self, fact: &str, text: &str) -> io::Result<()> {
        let first = format!("  {fact:<11}");
        let options =
            textwrap::Options::new(self.width).initial_indent(&first).subsequent_indent("             ");
        writeln!(self.out, "{}", textwrap::fill(text, options))
    }

    /// Writes a paragraph.
    fn prose(&mut self, indent: &str, text: &str) -> io::Result<()> {
        let next = format!("{indent}  ");
        let options = textwrap::Options::new(self.width).initial_indent(indent).subsequent_indent(&next);
        writeln!(self.out, "{}", textwrap::fill(text, options))
    }

    /// Writes a line of a table, wrapped if it does not fit.
    fn row(&mut self, text: &str) -> io::Result<()> {
        if display_width(text) <= self.width {
            return writeln!(self.out, "{text}");
        }
        let indent = " ".repeat(text.len() - text.trim_start().len());
        self.prose(&indent, text.trim_start())
    }
}

/// Returns the bytes to show around one of interest: whole rows.
const fn around(offset: usize) -> core::ops::Range<usize> {
    let row = offset / 16 * 16;
    row.saturating_sub(32)..row.saturating_add(48)
}

/// Counts numbers by how many bits they have.
fn powers_of_two(numbers: impl Iterator<Item = u64>) -> BTreeMap<u32, u64> {
    let mut rows = BTreeMap::new();
    for number in numbers {
        *rows.entry(u64::BITS - number.leading_zeros()).or_default() += 1;
    }
    rows
}

/// Returns the largest user records, largest first.
fn largest<'a>(aggregate: &AggregatedRecord<'a, 'a>, count: usize) -> Vec<UserRecord<'a>> {
    let mut records: Vec<_> = aggregate.records().collect();
    records.sort_by_key(|user| core::cmp::Reverse(user.data.len()));
    records.truncate(count);
    records
}

/// Returns each key with the number of its uses, most used first.
fn most_used<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<(&'a str, u64)> {
    let mut uses = HashMap::<&str, u64>::new();
    for key in keys {
        *uses.entry(key).or_default() += 1;
    }
    let mut uses: Vec<_> = uses.into_iter().collect();
    // Keys with equal counts are sorted by name so that the order does not depend on the hash table.
    uses.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    uses
}
