"""Runs a program with this package in place of `aws_kinesis_agg`:

    python -m kinesis_aggregation program.py [argument …]
    python -m kinesis_aggregation -m module [argument …]
"""

import runpy
import sys
from pathlib import Path

from kinesis_aggregation import compat


def main() -> None:
    """Runs the program named by the arguments as `python` would."""
    arguments = sys.argv[1:]
    is_module = arguments[:1] == ["-m"]
    sys.argv = arguments[is_module:]
    if not sys.argv:
        sys.exit(__doc__)
    compat.install()
    if is_module:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        # `python -m` has put the current directory there, and `python program.py` puts that of the program.
        sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
