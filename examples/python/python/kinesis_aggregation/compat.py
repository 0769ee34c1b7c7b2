"""Runs programs that import `aws_kinesis_agg` with this package instead.

`python -m kinesis_aggregation program.py` runs a program unchanged. Where the interpreter cannot be started like this, call
`install` before the program imports `aws_kinesis_agg`, or put a file `aws_kinesis_agg.py` with this line beside it:

    import kinesis_aggregation.compat; kinesis_aggregation.compat.install()
"""

import sys

import kinesis_aggregation
from kinesis_aggregation import aggregator, deaggregator

__all__ = ["install"]


def install() -> None:
    """Makes `import aws_kinesis_agg` import this package, in all modules that are imported from now on."""
    sys.modules["aws_kinesis_agg"] = kinesis_aggregation
    sys.modules["aws_kinesis_agg.aggregator"] = aggregator
    sys.modules["aws_kinesis_agg.deaggregator"] = deaggregator
