"""The Amazon Kinesis aggregated record format: a drop-in replacement for `aws_kinesis_agg`."""

MAGIC = b"\xf3\x89\x9a\xc2"
DIGEST_SIZE = 16
MAX_BYTES_PER_RECORD = 1024 * 1024

from .aggregator import AggRecord, AggregationManager, RecordAggregator, put_records_entry
from .deaggregator import deaggregate_records, iter_deaggregate_records

__all__ = [
    "DIGEST_SIZE",
    "MAGIC",
    "MAX_BYTES_PER_RECORD",
    "AggRecord",
    "AggregationManager",
    "RecordAggregator",
    "deaggregate_records",
    "iter_deaggregate_records",
    "put_records_entry",
]
