"""The programs in docs/migrating-from-python.md run."""

import base64
import re
import sys
import types

from support import REPOSITORY, aggregate, record, user_records

GUIDE = (REPOSITORY / "docs" / "migrating-from-python.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)

SHARDS = [
    {"ShardId": "lower", "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str((1 << 127) - 1)}},
    {"ShardId": "upper", "HashKeyRange": {"StartingHashKey": str(1 << 127), "EndingHashKey": str(2**128 - 1)}},
]


class Client:
    """A client of boto3 for Kinesis that lists shards on two pages, and fails every third entry."""

    def __init__(self):
        self.put = []
        self.entries = 0

    def list_shards(self, StreamName=None, NextToken=None):
        assert (StreamName is None) != (NextToken is None)
        return {"Shards": SHARDS[1:]} if NextToken else {"Shards": SHARDS[:1], "NextToken": "token"}

    def put_records(self, StreamName, Records):
        assert 0 < len(Records) <= 500
        assert sum(len(entry["Data"]) + len(entry["PartitionKey"]) for entry in Records) <= 5 << 20
        results = []
        for entry in Records:
            assert set(entry) == {"Data", "PartitionKey", "ExplicitHashKey"}
            self.entries += 1
            if self.entries % 3 == 0:
                results.append({"ErrorCode": "ProvisionedThroughputExceededException"})
            else:
                self.put.append(entry)
                results.append({"SequenceNumber": str(self.entries), "ShardId": "x"})
        return {"Records": results}


def program(word):
    (found,) = [each for each in PROGRAMS if word in each]
    return found


def test_the_guide_has_the_programs_that_are_tested_here():
    assert len(PROGRAMS) == 4
    exec(program("# was: "), {})
    # test_compat.py tests it in a process of its own.
    assert program("compat.install()").count("\n") == 1


def test_the_lambda_function_processes_every_user_record():
    processed = []
    namespace = {"process": lambda *arguments: processed.append(arguments)}
    exec(program("def handler"), namespace)
    users = user_records(1, 50)
    namespace["handler"]({"Records": [record(aggregate(users)), record(b"plain", 1)]}, None)
    assert processed == [*((key, data) for key, data, _ in users), ("outer-1", b"plain")]


def test_the_publisher_puts_every_user_record_once_in_aggregates_of_one_shard(monkeypatch):
    from kinesis_aggregation import deaggregate_records

    client = Client()
    monkeypatch.setitem(sys.modules, "boto3", types.SimpleNamespace(client=lambda service: client))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    readings = [(f"device-{number % 100}", str(number).encode() * 200) for number in range(20_000)]
    exec(program("boto3.client"), {"readings": lambda: readings})
    put = []
    for entry in client.put:
        users = [user["kinesis"] for user in deaggregate_records([record(entry["Data"])])]
        put += [(user["partitionKey"], base64.b64decode(user["data"])) for user in users]
    assert len(client.put) > 10
    assert sorted(put) == sorted(readings)
