#!/usr/bin/env python3
"""Compares the output of `kinesis-agg deaggregate --output lambda` and of awslabs' aws_kinesis_agg for an event.

    event.py EVENT USER_RECORDS OURS
        EVENT is an event of Lambda, Firehose or Kinesis Analytics, USER_RECORDS has the expected user records, in the format
        of tests/data/aws/user-records.jsonl, and OURS is the output of the command

Our output must be the expected user records, with everything that the event contains about their Kinesis records. Python's must
be the same, field by field, except for its known defects, which docs/python-to-rust.md lists. Each defect is allowed only
where it is known to occur, and must occur there: a defect that has been fixed counts as a difference.

Prints the numbers of user records and of Kinesis records compared, and a note.
"""

import base64
import collections
import contextlib
import io
import json
import sys

from aws_kinesis_agg.deaggregator import deaggregate_records
from aws_kinesis_agg.messages_pb2 import AggregatedRecord
from google.protobuf.message import DecodeError
from peer import agree, lines


def described(record):
    """Returns what the user records of a Kinesis record share: members of "kinesis", and members beside it."""
    if "kinesis" in record:
        names = ("kinesisSchemaVersion", "sequenceNumber", "approximateArrivalTimestamp")
        of_record = {name: record["kinesis"][name] for name in names}
        return of_record, {name: value for name, value in record.items() if name != "kinesis"}
    metadata = record.get("kinesisRecordMetadata") or record["kinesisStreamRecordMetadata"]
    names = ("sequenceNumber", "approximateArrivalTimestamp", "shardId")
    of_record = {name: metadata[name] for name in names}
    return {"kinesisSchemaVersion": "1.0", "recordId": record["recordId"]} | of_record, {}


def expected_of(record, users):
    """Yields the expected output for a Kinesis record."""
    of_record, around = described(record)
    for user in users:
        kinesis = of_record | {name: user[name] for name in ("partitionKey", "data")}
        if user["aggregated"]:
            kinesis |= {name: user[name] for name in ("explicitHashKey", "subSequenceNumber", "aggregated")}
        if "tags" in user:
            kinesis["tags"] = user["tags"]
        yield {"kinesis": kinesis} | around


def readable(message):
    """Returns whether a body is valid protobuf, regardless of the rules of the format."""
    try:
        AggregatedRecord.FromString(message)
        return True
    except DecodeError:
        return False


def defects_of(record, payload, users, expected):
    """Applies Python's known defects to the expected output. Returns the result, and a count of each defect."""
    counts = collections.Counter()
    if not expected:
        return expected, counts
    if users[0]["aggregated"]:
        hash_keys = [user["kinesis"]["explicitHashKey"] for user in expected]
        first = next(filter(None, hash_keys), None)
        for user in expected:
            kinesis = user["kinesis"]
            if kinesis["explicitHashKey"] is None and first is not None:
                kinesis["explicitHashKey"] = first
                counts["hash keys from entry 0"] += 1
            counts["lists of tags lost"] += kinesis.pop("tags", None) is not None
            counts["shards lost"] += kinesis.pop("shardId", None) is not None
        return expected, counts
    if users[0]["reason"] != "malformed" or not readable(payload[4:-16]):
        return expected, counts
    # Python reads missing required fields as 0 or empty. At an index beyond the table it stops and prints an error.
    message = AggregatedRecord.FromString(payload[4:-16])
    of_record, around = described(record)
    counts["shards lost"] += of_record.pop("shardId", None) is not None
    passed = []
    for sub, user in enumerate(message.records):
        if user.partition_key_index >= len(message.partition_key_table):
            counts["damaged aggregates cut short"] += 1
            break
        kinesis = {
            "partitionKey": message.partition_key_table[user.partition_key_index],
            "explicitHashKey": None,
            "data": base64.b64encode(user.data).decode(),
            "subSequenceNumber": sub,
            "aggregated": True,
        }
        passed.append({"kinesis": of_record | kinesis} | around)
    else:
        counts["damaged aggregates accepted"] += 1
    return passed, counts


def main(event_path, user_records_path, ours_path):
    with open(event_path, encoding="utf-8") as file:
        event = json.load(file)
    records = event.get("Records") or event["records"]
    users = lines(user_records_path)
    ours = lines(ours_path)

    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        theirs = [deaggregate_records([record]) for record in records]

    done = 0
    totals = collections.Counter()
    for at, (record, theirs_of_it) in enumerate(zip(records, theirs)):
        of_it = [user for user in users if user["record"] == at]
        expected = list(expected_of(record, of_it))
        agree(f"record {at}: ours", expected, ours[done : done + len(expected)])
        done += len(expected)

        payload = base64.b64decode(record["kinesis"]["data"] if "kinesis" in record else record["data"])
        expected, counts = defects_of(record, payload, of_it, expected)
        for user in theirs_of_it:
            # Data is `bytes` for a user record, and `str` for a plain record.
            if isinstance(user["kinesis"]["data"], bytes):
                user["kinesis"]["data"] = user["kinesis"]["data"].decode()
        agree(f"record {at}: Python's", expected, theirs_of_it)
        totals += counts
    agree("the number of user records", len(users), len(ours))
    agree("errors printed", totals["damaged aggregates cut short"], errors.getvalue().count("ERROR: "))
    note = ", ".join(f"{count} {name}" for name, count in sorted(totals.items()))
    print(done, len(records), f"every field; Python: {note}")


if __name__ == "__main__":
    main(*sys.argv[1:])
