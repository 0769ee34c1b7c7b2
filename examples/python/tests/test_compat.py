"""Programs that import `aws_kinesis_agg`."""

import subprocess
import sys

import pytest

# What a program may import, and a check that it gets this package.
PROGRAM = """
import sys
import aws_kinesis_agg
import aws_kinesis_agg.aggregator as agg
from aws_kinesis_agg.deaggregator import deaggregate_records, iter_deaggregate_records
from aws_kinesis_agg import aggregator, deaggregator, MAX_BYTES_PER_RECORD

record = agg.AggRecord(max_size=MAX_BYTES_PER_RECORD)
record.add_user_record("key", "data")
print(__name__, sys.argv[1:], aws_kinesis_agg.__name__, type(record).__module__, deaggregate_records.__module__)
assert agg is aggregator is aws_kinesis_agg.aggregator
assert "google.protobuf" not in sys.modules
try:
    import aws_kinesis_agg.messages_pb2
except ModuleNotFoundError:
    pass
"""
EXPECTED = "kinesis_aggregation kinesis_aggregation.aggregator kinesis_aggregation.deaggregator"


def python(*arguments, cwd):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=cwd)


@pytest.mark.parametrize("arguments", [["folder/program.py"], ["-m", "folder.program"]])
def test_a_program_runs_unchanged(tmp_path, arguments):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "beside.py").write_text("")
    (tmp_path / "folder" / "program.py").write_text(PROGRAM)
    ran = python("-m", "kinesis_aggregation", *arguments, "one", "-m", cwd=tmp_path)
    assert ran.stdout == f"__main__ ['one', '-m'] {EXPECTED}\n", ran.stderr


def test_a_program_imports_what_lies_beside_it(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "beside.py").write_text(PROGRAM)
    (tmp_path / "folder" / "program.py").write_text("import beside")
    ran = python("-m", "kinesis_aggregation", "folder/program.py", cwd=tmp_path)
    assert ran.stdout == f"beside [] {EXPECTED}\n", ran.stderr


def test_install_replaces_the_package_in_a_running_interpreter(tmp_path):
    (tmp_path / "program.py").write_text(f"import kinesis_aggregation.compat\nkinesis_aggregation.compat.install()\n{PROGRAM}")
    assert python("program.py", cwd=tmp_path).stdout == f"__main__ [] {EXPECTED}\n"


@pytest.mark.parametrize("first", ["aws_kinesis_agg", "aws_kinesis_agg.aggregator"])
def test_a_file_named_as_the_package_replaces_it(tmp_path, first):
    (tmp_path / "aws_kinesis_agg.py").write_text("import kinesis_aggregation.compat; kinesis_aggregation.compat.install()\n")
    (tmp_path / "program.py").write_text(f"import {first}\n{PROGRAM}")
    ran = python("program.py", cwd=tmp_path)
    assert ran.stdout == f"__main__ [] {EXPECTED}\n", ran.stderr


@pytest.mark.parametrize("arguments", [[], ["-m"]])
def test_without_a_program_the_usage_is_printed(tmp_path, arguments):
    ran = python("-m", "kinesis_aggregation", *arguments, cwd=tmp_path)
    assert ran.returncode == 1
    assert "python -m kinesis_aggregation program.py" in ran.stderr
