//! Aggregation by shard or by key.

use std::sync::{Mutex, MutexGuard, PoisonError};

use kinesis_aggregation::route::{HashKeyRange, RoutedAggregate, Shard};
use kinesis_aggregation::{Limits, ShardMap};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyBytes;

use crate::arguments::with_user_record;

/// Aggregates user records by shard, by key, or all of them.
#[pyclass(subclass, frozen, module = "kinesis_aggregation._native")]
pub(crate) struct AggregationManager {
    manager: Mutex<kinesis_aggregation::AggregationManager>,
}

/// A shard: id, first and last hash key, parent, adjacent parent, and whether it is closed.
type ListedShard = (String, String, String, Option<String>, Option<String>, bool);

#[pymethods]
impl AggregationManager {
    /// Aggregates by shard; without a list of shards, by key; with neither, all user records.
    #[new]
    fn new(shards: Option<Vec<ListedShard>>, by_key: bool, target_size: u32) -> PyResult<Self> {
        use kinesis_aggregation::AggregationManager as Manager;
        let limits = Limits::default().with_target_bytes(target_size);
        let manager = match shards {
            Some(shards) => Manager::by_shard(shard_map(&shards)?, limits),
            None if by_key => Manager::by_key(limits),
            None => Manager::unrouted(limits),
        };
        Ok(Self { manager: Mutex::new(manager) })
    }

    #[pyo3(signature = (partition_key, data, explicit_hash_key = None))]
    fn add_user_record(
        &self,
        partition_key: &Bound<'_, PyAny>,
        data: &Bound<'_, PyAny>,
        explicit_hash_key: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Vec<RoutedRecord>> {
        let py = partition_key.py();
        with_user_record(partition_key, data, explicit_hash_key, |record| {
            let full = self.lock(py).add_undigested(record);
            let full = full.map_err(|error| PyValueError::new_err(error.to_string()))?;
            // Most calls finish no aggregate. To release the GIL in those would cost more: another thread that is computing
            // gets it for 5 ms each time.
            if full.is_empty() {
                return Ok(Vec::new());
            }
            Ok(records(py, py.detach(|| full.into_iter().map(RoutedAggregate::digest).collect())))
        })
    }

    /// Finishes all that is pending.
    fn flush(&self, py: Python<'_>) -> Vec<RoutedRecord> {
        let mut manager = self.lock(py);
        let manager = &mut *manager;
        let finished = py.detach(|| manager.flush());
        records(py, finished)
    }

    /// Replaces the shards, moves what is pending, and returns what is full.
    fn replace_shards(&self, py: Python<'_>, shards: Vec<ListedShard>) -> PyResult<Vec<RoutedRecord>> {
        let map = shard_map(&shards)?;
        let mut manager = self.lock(py);
        let manager = &mut *manager;
        let full = py.detach(|| manager.refresh(map));
        Ok(records(py, full))
    }

    fn clear(&self, py: Python<'_>) {
        self.lock(py).clear();
    }

    fn get_num_user_records(&self, py: Python<'_>) -> usize {
        self.lock(py).user_records()
    }

    /// Returns the size of all that is pending, partition keys of the aggregates included.
    fn get_size_bytes(&self, py: Python<'_>) -> usize {
        self.lock(py).size_bytes()
    }
}

impl AggregationManager {
    /// Waits for other threads without holding the GIL, which they may need to finish.
    fn lock(&self, py: Python<'_>) -> MutexGuard<'_, kinesis_aggregation::AggregationManager> {
        self.manager.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }
}

fn shard_map(listed: &[ListedShard]) -> PyResult<ShardMap> {
    let shards: Vec<Shard<'_>> = listed.iter().map(shard).collect::<PyResult<_>>()?;
    ShardMap::new(shards).map_err(|error| PyValueError::new_err(error.to_string()))
}

fn shard((id, start, end, parent, adjacent_parent, closed): &ListedShard) -> PyResult<Shard<'_>> {
    let range = HashKeyRange::parse(start, end)
        .map_err(|error| PyValueError::new_err(format!("shard {id}: {error}")))?;
    let shard = Shard::new(id, range).with_parents(parent.as_deref(), adjacent_parent.as_deref());
    Ok(if *closed { shard.closed() } else { shard })
}

fn records(py: Python<'_>, aggregates: Vec<RoutedAggregate>) -> Vec<RoutedRecord> {
    let record = |RoutedAggregate { aggregate, shard_id }: RoutedAggregate| RoutedRecord {
        shard_id: shard_id.map(String::from),
        size_bytes: aggregate.data.len(),
        user_records: aggregate.user_records,
        explicit_hash_key: aggregate.explicit_hash_key.map(|key| key.to_string()),
        data: PyBytes::new(py, &aggregate.data).unbind(),
        partition_key: aggregate.partition_key,
    };
    aggregates.into_iter().map(record).collect()
}

/// A finished aggregate, with the methods of an `AggRecord` that read it.
#[pyclass(frozen, module = "kinesis_aggregation._native")]
pub(crate) struct RoutedRecord {
    /// The shard that should take it, if the manager routes by shard.
    #[pyo3(get)]
    shard_id: Option<String>,
    partition_key: String,
    explicit_hash_key: Option<String>,
    data: Py<PyBytes>,
    size_bytes: usize,
    user_records: usize,
}

#[pymethods]
impl RoutedRecord {
    fn get_contents(&self, py: Python<'_>) -> (&str, Option<&str>, Py<PyBytes>) {
        (&self.partition_key, self.explicit_hash_key.as_deref(), self.data.clone_ref(py))
    }

    fn get_partition_key(&self) -> &str {
        &self.partition_key
    }

    fn get_explicit_hash_key(&self) -> Option<&str> {
        self.explicit_hash_key.as_deref()
    }

    const fn get_num_user_records(&self) -> usize {
        self.user_records
    }

    const fn get_size_bytes(&self) -> usize {
        self.size_bytes
    }
}
