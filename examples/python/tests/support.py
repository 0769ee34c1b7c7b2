"""What the tests share: records in the forms of AWS, and random user records."""

from __future__ import annotations

import base64
import json
import random
import sys
import threading
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
DATA = REPOSITORY / "tests" / "data"
VECTORS = REPOSITORY / "tests" / "vectors"

# Records are written as in an event of Lambda, where data is text, or as boto3 returns them, where it is bytes.
FORMATS = ("lambda", "firehose", "analytics", "boto3")


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def record(payload, number=0, form="lambda", **changes):
    """Returns a Kinesis record with this payload. `changes` replace members of its `kinesis` or metadata."""
    sequence_number = str(4965789013425167293581240736182937 + number)
    description = {
        "sequenceNumber": sequence_number,
        "partitionKey": f"outer-{number}",
        "approximateArrivalTimestamp": 1732350000.125 + number,
    }
    encoded = base64.b64encode(payload).decode()
    if form == "lambda":
        return {
            "kinesis": {"kinesisSchemaVersion": "1.0", **description, "data": encoded, **changes},
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"shardId-000000000006:{sequence_number}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::123456789012:role/consumer",
            "awsRegion": "eu-west-1",
            "eventSourceARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/fleet",
        }
    if form == "boto3":
        return {
            "SequenceNumber": sequence_number,
            "PartitionKey": description["partitionKey"],
            "ApproximateArrivalTimestamp": description["approximateArrivalTimestamp"],
            "Data": payload,
        } | changes
    metadata = {"firehose": "kinesisRecordMetadata", "analytics": "kinesisStreamRecordMetadata"}[form]
    return {
        "recordId": f"{sequence_number}000000",
        metadata: {**description, "shardId": "shardId-000000000006", **changes},
        "data": encoded,
    }


def data_format(form):
    return "Boto3" if form == "boto3" else None


def payload_of(a_record):
    """Returns the data of a record of any form."""
    if "Data" in a_record:
        return a_record["Data"]
    return base64.b64decode(a_record["kinesis"]["data"] if "kinesis" in a_record else a_record["data"])


def user_records(seed, count, keys=20):
    """Returns random user records as in `add_user_record`: partition key, data, explicit hash key or `None`."""
    chosen = random.Random(seed)
    partition_keys = [chosen.choice(("device-", "clé-", "")) + str(number) for number in range(keys)]
    hash_keys = [None] * keys + [str(chosen.getrandbits(128)) for _ in range(keys)]
    return [
        (chosen.choice(partition_keys), chosen.randbytes(chosen.randrange(200)), chosen.choice(hash_keys))
        for _ in range(count)
    ]


def aggregate(users):
    """Returns the data of an aggregate with these user records."""
    from kinesis_aggregation import AggRecord

    full = AggRecord()
    for user in users:
        assert full.add_user_record(*user)
    return full.get_contents()[2]


def other_threads_run_during(call):
    """Calls, and returns whether the GIL was released meanwhile."""
    counted = 0
    stop = threading.Event()

    def count():
        nonlocal counted
        while not stop.is_set():
            counted += 1
            time.sleep(0)

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=count)
    thread.start()
    try:
        # From here on, this thread gives up the GIL only where the code says so.
        sys.setswitchinterval(1000)
        before = counted
        call()
        after = counted
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        thread.join()
    return after > before
