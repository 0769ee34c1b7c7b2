//! A file that records how far each shard has been read.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use kinesis_aggregation::decode::{ExtendedSequenceNumber, SequenceNumber};
use kinesis_aggregation_aws_examples::Failure;
use serde::{Deserialize, Serialize};

/// The last user record of a shard that has been processed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    pub sequence_number: String,
    pub sub_sequence_number: u64,
}

impl Checkpoint {
    /// The position after everything in a shard.
    pub fn shard_end() -> Self {
        Self { sequence_number: SequenceNumber::SHARD_END.to_string(), sub_sequence_number: 0 }
    }

    pub fn of(at: ExtendedSequenceNumber<'_>) -> Self {
        Self { sequence_number: at.sequence_number.to_string(), sub_sequence_number: at.sub_sequence_number }
    }

    pub fn extended(&self) -> Result<ExtendedSequenceNumber<'_>, Failure> {
        let sequence_number = SequenceNumber::parse(&self.sequence_number)
            .ok_or_else(|| format!("not a sequence number: {:?}", self.sequence_number))?;
        Ok(ExtendedSequenceNumber::new(sequence_number, self.sub_sequence_number))
    }
}

/// The checkpoints of all shards.
pub struct Checkpoints {
    file: PathBuf,
    by_shard: BTreeMap<String, Checkpoint>,
}

impl Checkpoints {
    pub fn open(file: &Path) -> Result<Self, Failure> {
        let by_shard = match fs::read(file) {
            Ok(text) => serde_json::from_slice(&text).map_err(|e| format!("{}: {e}", file.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(format!("{}: {error}", file.display()).into()),
        };
        Ok(Self { file: file.to_owned(), by_shard })
    }

    pub fn find(&self, shard_id: &str) -> Option<&Checkpoint> {
        self.by_shard.get(shard_id)
    }

    pub fn is_done(&self, shard_id: &str) -> bool {
        let end = SequenceNumber::SHARD_END.as_str();
        self.find(shard_id).is_some_and(|checkpoint| checkpoint.sequence_number == end)
    }

    /// Stores a checkpoint. The file is replaced atomically, so a crash leaves the old or the new contents.
    pub fn set(&mut self, shard_id: &str, checkpoint: Checkpoint) -> Result<(), Failure> {
        self.by_shard.insert(shard_id.to_owned(), checkpoint);
        let next = self.file.with_extension("next");
        let mut file = File::create(&next)?;
        file.write_all(&serde_json::to_vec_pretty(&self.by_shard)?)?;
        file.sync_all()?;
        fs::rename(next, &self.file)?;
        Ok(())
    }
}
