#!/usr/bin/env python3
"""Compares what `kinesis-agg deaggregate --output lambda` and awslabs' aws_kinesis_agg make of an event.

    event.py EVENT USER_RECORDS OURS
        EVENT is an event of Lambda, Firehose or Kinesis Analytics, USER_RECORDS says what must come out of it, as
        tests/data/aws/user-records.jsonl does, and OURS is what the command wrote

Ours must be the user records expected, with all that the event says about their Kinesis records. Python's must be the
same, field by field, but for its known defects: docs/coming-from-python.md lists them. Each is allowed where it is known
to happen, and has to happen there: a defect that is gone is a difference too.

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
    """What the user records of a Kinesis record have in common: what is in "kinesis", and what is around it."""
    if "kinesis" in record:
        names = ("kinesisSchemaVersion", "sequenceNumber", "approximateArrivalTimestamp")
        of_record = {name: record["kinesis"][name] for name in names}
        return of_record, {name: value for name, value in record.items() if name != "kinesis"}
    metadata = record.get("kinesisRecordMetadata") or record["kinesisStreamRecordMetadata"]
    names = ("sequenceNumber", "approximateArrivalTimestamp", "shardId")
    of_record = {name: metadata[name] for name in names}
    return {"kinesisSchemaVersion": "1.0", "recordId": record["recordId"]} | of_record, {}


def expected_of(record, users):
    """What must come out of a Kinesis record."""
    of_record, around = described(record)
    for user in users:
        kinesis = of_record | {name: user[name] for name in ("partitionKey", "data")}
        if user["aggregated"]:
            kinesis |= {name: user[name] for name in ("explicitHashKey", "subSequenceNumber", "aggregated")}
        if "tags" in user:
            kinesis["tags"] = user["tags"]
        yield {"kinesis": kinesis} | around


def readable(message):
    """Whether a body is a message, but for what the format asks of it."""
    try:
        AggregatedRecord.FromString(message)
        return True
    except DecodeError:
        return False


def defects_of(record, payload, users, expected):
    """What Python is known to make of a Kinesis record where that is not what is expected, and what goes wrong, how often."""
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
    # What is required may be missing: Python reads 0 or nothing. An index beyond the table ends it with an error printed.
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
        counts["damaged aggregates taken for good"] += 1
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
            # Of a user record it is bytes, of a plain record text.
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
