//! The native part of the Python module `kinesis_aggregation`: what runs once per user record. What runs once per Kinesis record,
//! and the names of `aws_kinesis_agg`, are Python, in `python/kinesis_aggregation`.

use pyo3::prelude::*;

mod aggregator;
mod arguments;
mod deaggregator;
mod manager;

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::aggregator::AggRecord;
    #[pymodule_export]
    use super::deaggregator::{UserRecords, collect, decode};
    #[pymodule_export]
    use super::manager::{AggregationManager, RoutedRecord};
}
