//! Shared by all readers: the output file, the checkpoints and the counts.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use kinesis_aggregation_aws_examples::Failure;

use crate::checkpoints::{Checkpoint, Checkpoints};

pub struct Output {
    inner: Mutex<Inner>,
    stop_after: Option<u64>,
}

struct Inner {
    file: BufWriter<File>,
    checkpoints: Checkpoints,
    counts: Counts,
    /// When the last new user record arrived.
    last_seen: Instant,
}

#[derive(Clone, Copy, Default)]
pub struct Counts {
    pub kinesis_records: u64,
    pub user_records: u64,
    /// User records that belong to other shards.
    pub left_out: u64,
    /// User records whose explicit hash key is not a number, so that no shard owns them. They are kept.
    pub invalid: u64,
    /// User records at or before the checkpoint.
    pub skipped: u64,
}

impl Output {
    pub fn open(file: &Path, checkpoints: &Path, stop_after: Option<u64>) -> Result<Self, Failure> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(file)?;
        // A crash may have left half a line. No checkpoint covers it, so it will be read again.
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        let inner = Inner {
            file: BufWriter::new(file),
            checkpoints: Checkpoints::open(checkpoints)?,
            counts: Counts::default(),
            last_seen: Instant::now(),
        };
        Ok(Self { inner: Mutex::new(inner), stop_after })
    }

    pub fn write(&self, line: &serde_json::Value) -> Result<(), Failure> {
        Ok(writeln!(self.lock().file, "{line}")?)
    }

    pub fn count(&self, add: impl FnOnce(&mut Counts)) {
        let mut inner = self.lock();
        let before = inner.counts.user_records;
        add(&mut inner.counts);
        if inner.counts.user_records > before {
            inner.last_seen = Instant::now();
        }
    }

    /// Flushes the output, then stores the checkpoint, so that a checkpoint never covers unwritten user records.
    pub fn commit(&self, shard_id: &str, checkpoint: Checkpoint) -> Result<(), Failure> {
        let mut inner = self.lock();
        inner.file.flush()?;
        inner.checkpoints.set(shard_id, checkpoint)?;
        if self.stop_after.is_some_and(|most| inner.counts.user_records >= most) {
            print_counts(&inner.counts);
            std::process::exit(3);
        }
        Ok(())
    }

    pub fn checkpoint(&self, shard_id: &str) -> Option<Checkpoint> {
        self.lock().checkpoints.find(shard_id).cloned()
    }

    pub fn is_done(&self, shard_id: &str) -> bool {
        self.lock().checkpoints.is_done(shard_id)
    }

    pub fn last_seen(&self) -> Instant {
        self.lock().last_seen
    }

    pub fn print_counts(&self) {
        print_counts(&self.lock().counts);
    }

    /// Ignores poisoning: the lock is held for single statements, so a panic leaves the contents consistent.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn print_counts(counts: &Counts) {
    let Counts { kinesis_records, user_records, left_out, invalid, skipped } = counts;
    eprintln!(
        "consumer: {user_records} user records in {kinesis_records} Kinesis records; {left_out} left out, \
         {invalid} with invalid hash keys, {skipped} already processed"
    );
}
