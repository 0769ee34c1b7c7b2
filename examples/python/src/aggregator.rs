//! An aggregate under construction, in the form of `aws_kinesis_agg`.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck, MAGIC, Md5};
use kinesis_aggregation::encode::EncodeError;
use kinesis_aggregation::{Limits, RecordAggregator, UserRecord, deaggregate};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyString};

use crate::arguments::with_user_record;

/// An aggregate under construction.
#[pyclass(subclass, frozen, module = "kinesis_aggregation._native")]
pub(crate) struct AggRecord {
    #[pyo3(get)]
    max_size: i64,
    /// Several threads may hold the same record: each callback gets it on a thread of its own.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Empty once the aggregate is finished.
    aggregator: RecordAggregator,
    finished: Option<Finished>,
    /// The keys of the first user record as they were given, `str` or `bytes`.
    outer_keys: Option<(Py<PyAny>, Option<Py<PyAny>>)>,
}

/// An aggregate whose data was asked for. User records may be added nevertheless.
struct Finished {
    data: Py<PyBytes>,
    user_records: usize,
}

#[pymethods]
impl AggRecord {
    #[new]
    #[pyo3(signature = (max_size = 1_048_576))]
    fn new(max_size: i64) -> Self {
        Self { max_size, state: Mutex::default() }
    }

    #[pyo3(signature = (partition_key, data, explicit_hash_key = None))]
    fn add_user_record(
        &self,
        partition_key: &Bound<'_, PyAny>,
        data: &Bound<'_, PyAny>,
        explicit_hash_key: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let py = partition_key.py();
        with_user_record(partition_key, data, explicit_hash_key, |record| {
            let mut state = self.lock(py);
            if let Some(Finished { data, .. }) = state.finished.take() {
                state.aggregator = self.aggregate_again(data.as_bytes(py))?;
            }
            let aggregator = &mut state.aggregator;
            if aggregator.is_empty() {
                *aggregator = self.add_to_new(record)?;
                let hash_key = explicit_hash_key.filter(|_| record.explicit_hash_key.is_some());
                state.outer_keys =
                    Some((partition_key.clone().unbind(), hash_key.map(|key| key.clone().unbind())));
                return Ok(true);
            }
            let fits = aggregator.fits(record);
            if fits {
                aggregator.add(record).map_err(|error| self.refuse(&record, error))?;
            } else {
                self.add_to_new(record)?;
            }
            Ok(fits)
        })
    }

    fn get_num_user_records(&self, py: Python<'_>) -> usize {
        let state = self.lock(py);
        state.finished.as_ref().map_or(state.aggregator.user_records(), |finished| finished.user_records)
    }

    /// Returns the length of the data. Without user records, that of magic and digest.
    fn get_size_bytes(&self, py: Python<'_>) -> usize {
        let state = self.lock(py);
        match &state.finished {
            Some(finished) => finished.data.as_bytes(py).len(),
            None => state.aggregator.encoded_len().max(MAGIC.len() + 16),
        }
    }

    fn get_partition_key(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.lock(py).outer_keys.as_ref().map(|(key, _)| key.clone_ref(py))
    }

    fn get_explicit_hash_key(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.lock(py).outer_keys.as_ref().and_then(|(_, key)| key.as_ref().map(|key| key.clone_ref(py)))
    }

    /// Returns the partition key, the explicit hash key and the data. Changes nothing.
    fn get_contents<'py>(&self, py: Python<'py>) -> (Py<PyAny>, Option<Py<PyAny>>, Bound<'py, PyBytes>) {
        let mut state = self.lock(py);
        let data = state.data(py);
        match &state.outer_keys {
            Some((key, hash_key)) => {
                (key.clone_ref(py), hash_key.as_ref().map(|key| key.clone_ref(py)), data)
            }
            None => {
                let empty = PyString::new(py, "").into_any().unbind();
                (empty.clone_ref(py), Some(empty), data)
            }
        }
    }

    /// Returns the user records: partition key, explicit hash key and data of each.
    fn user_records<'py>(&self, py: Python<'py>) -> Vec<(String, Option<String>, Bound<'py, PyBytes>)> {
        let data = self.lock(py).data(py);
        let Ok(aggregate) = AggregatedRecord::parse_with(data.as_bytes(), DigestCheck::Skip) else {
            return Vec::new();
        };
        let owned = |user: UserRecord<'_>| {
            let hash_key = user.explicit_hash_key.map(String::from);
            (user.partition_key.into(), hash_key, PyBytes::new(py, user.data))
        };
        aggregate.records().map(owned).collect()
    }

    fn clear(&self, py: Python<'_>) {
        *self.lock(py) = State::default();
    }
}

impl AggRecord {
    /// Waits for other threads without holding the GIL, which they may need to finish.
    fn lock(&self, py: Python<'_>) -> MutexGuard<'_, State> {
        self.state.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns an aggregator with the user records of a finished aggregate.
    fn aggregate_again(&self, data: &[u8]) -> PyResult<RecordAggregator> {
        let mut records = deaggregate(data);
        let Some(first) = records.next() else { return Ok(RecordAggregator::default()) };
        let mut aggregator = self.add_to_new(first)?;
        for record in records {
            aggregator.add(record).map_err(|error| self.refuse(&record, error))?;
        }
        Ok(aggregator)
    }

    /// Adds a user record to an aggregate of its own.
    fn add_to_new(&self, record: UserRecord<'_>) -> PyResult<RecordAggregator> {
        let mut aggregator = RecordAggregator::new(self.limits(&record));
        aggregator.add(record).map_err(|error| self.refuse(&record, error))?;
        Ok(aggregator)
    }

    /// Returns the limits of an aggregate that begins with this user record. `max_size` bounds the data alone, and Kinesis the
    /// data with the partition key.
    fn limits(&self, first: &UserRecord<'_>) -> Limits {
        let key_len = i64::try_from(first.partition_key.len()).unwrap_or(i64::MAX);
        let size = self.max_size.max(0).saturating_add(key_len);
        let accepted = self.accepted();
        accepted.with_max_bytes(u32::try_from(size).unwrap_or(u32::MAX).min(accepted.max_bytes()))
    }

    /// Returns what Kinesis accepts: more than by default only if `max_size` is meant for a stream that does.
    fn accepted(&self) -> Limits {
        let default = Limits::KINESIS_DEFAULT;
        if self.max_size > i64::from(default.max_bytes()) { Limits::KINESIS_MAX } else { default }
    }

    fn refuse(&self, record: &UserRecord<'_>, error: EncodeError) -> PyErr {
        PyValueError::new_err(match error {
            EncodeError::TooLarge { required, .. } | EncodeError::FitsOnlyPlain { required, .. } => {
                format!(
                    "user record needs an aggregate of {} bytes, or {required} with its partition key: \
                     max_size is {}, and Kinesis accepts {} with the partition key",
                    required.saturating_sub(record.partition_key.len()),
                    self.max_size,
                    self.accepted().max_bytes(),
                )
            }
            other => other.to_string(),
        })
    }
}

impl State {
    /// Returns the data of the aggregate. The GIL is released while its digest is computed.
    fn data<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        if let Some(finished) = &self.finished {
            return finished.data.bind(py).clone();
        }
        // All of its memory is released, not only its contents.
        let mut aggregator = mem::take(&mut self.aggregator);
        match py.detach(|| aggregator.finish()) {
            Some(aggregate) => {
                let data = PyBytes::new(py, &aggregate.data);
                let user_records = aggregate.user_records;
                self.finished = Some(Finished { data: data.clone().unbind(), user_records });
                data
            }
            None => PyBytes::new(py, &[MAGIC.as_slice(), &Md5::digest(b"")].concat()),
        }
    }
}
