#!/usr/bin/env python3
"""Writes the same Kinesis records as AWS Lambda, Firehose and Kinesis Analytics hand them to a function.

    python3 tests/data/aws/make.py tests/data/aws

Aggregated, plain and damaged records are mixed. `user-records.jsonl` says what must come out of them: it is written from
what went in, not read from what was made. The seed is fixed and only the standard library is used, so the output is the
same bytes everywhere.
"""

import base64
import hashlib
import json
import pathlib
import random
import sys

MAGIC = bytes.fromhex("f3899ac2")
SHARD = "shardId-000000000006"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/fleet"
FIRST_SEQUENCE_NUMBER = 49657890134251672935812407361829374650182936471029384706
START_MS = 1_732_350_000_000
rng = random.Random(6)


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def number(field, value):
    return varint(field << 3) + varint(value)


def chunk(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def message(records, leave_out=()):
    """An AggregatedRecord. A record is (partition key, explicit hash key or None, data, tags)."""
    keys = list(dict.fromkeys(record[0] for record in records))
    hash_keys = list(dict.fromkeys(record[1] for record in records if record[1] is not None))
    body = b"".join(chunk(1, key.encode()) for key in keys) + b"".join(chunk(2, key.encode()) for key in hash_keys)
    for at, (key, hash_key, data, tags) in enumerate(records):
        fields = b"" if (at, "key") in leave_out else number(1, keys.index(key))
        if hash_key is not None:
            fields += number(2, hash_keys.index(hash_key))
        if (at, "data") not in leave_out:
            fields += chunk(3, data)
        for name, value in tags:
            fields += chunk(4, chunk(1, name.encode()) + (b"" if value is None else chunk(2, value.encode())))
        body += chunk(3, fields)
    return body


def framed(body):
    return MAGIC + body + hashlib.md5(body).digest()


def reading():
    return json.dumps({"temp": rng.randrange(-250, 900) / 10, "rpm": rng.randrange(6000)}).encode()


def user_records(count, keys, hash_keys):
    return [(rng.choice(keys), rng.choice(hash_keys), reading(), []) for _ in range(count)]


def cases():
    """What each Kinesis record is: partition key, payload, and its user records or the reason why it is plain."""
    fleet = [f"truck-{n:03}" for n in range(12)] + ["冷蔵庫-3", "truck-α", "42"]
    some = [str(rng.getrandbits(128)) for _ in range(3)]
    aggregates = [
        user_records(40, fleet, [None]),
        user_records(25, fleet, some),
        # Some with explicit hash keys and some without: Python's library gets these wrong.
        user_records(12, fleet, some[:2] + [None]),
        [("solo", None, b"one user record", [])],
        [("", None, b"", []), ("k" * 256, "0", b"\x00\xff" * 300, []), ("k" * 256, str(2**128 - 1), b"", [])],
        # Data that is an aggregate itself is data.
        [("outer", None, framed(message([("inner", None, b"in", [])])), [])],
        [("tagged", None, b"tags", [("unit", "°C"), ("raw", None)]), ("tagged", None, b"none", [])],
    ]
    three = user_records(3, ["a", "b"], [None])
    good = framed(message(three))
    beyond = [chunk(3, number(1, index) + chunk(3, data)) for index, data in [(9, b"beyond"), (0, b"behind")]]
    plain = [
        ("truck-007", "dépôt gate 7 opened\n".encode(), "no_magic"),
        ("truck-008", b'{"temp": 4.5}', "no_magic"),
        ("empty", b"", "no_magic"),
        ("a", MAGIC + bytes(16), "too_short"),
        ("a", good[:-1] + bytes([good[-1] ^ 1]), "digest_mismatch"),
        ("b", good[: len(good) // 2], "digest_mismatch"),
        ("a", framed(message(three)[:-1]), "malformed"),
        ("a", framed(message(three) + b"".join(beyond)), "malformed"),
        ("a", framed(message(three, leave_out=[(1, "data")])), "malformed"),
        ("a", framed(message(three, leave_out=[(2, "key")])), "malformed"),
    ]
    mixed = [(records[0][0] or "any", framed(message(records)), records) for records in aggregates] + plain
    rng.shuffle(mixed)
    # No user records at all, so that counting them is not counting lines.
    return mixed[:5] + [("nobody", framed(chunk(1, b"nobody")), [])] + mixed[5:]


def main(folder):
    records = cases()
    encoded = [base64.b64encode(payload).decode() for _, payload, _ in records]
    sequence_numbers = [str(FIRST_SEQUENCE_NUMBER + 1_208_925_819_614 * at) for at in range(len(records))]
    arrivals = [START_MS + at * 137 for at in range(len(records))]
    described = list(zip((key for key, _, _ in records), encoded, sequence_numbers, arrivals))

    by_lambda = {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": key,
                    "sequenceNumber": sequence_number,
                    "data": data,
                    "approximateArrivalTimestamp": arrival / 1000,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"{SHARD}:{sequence_number}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": "arn:aws:iam::123456789012:role/fleet-consumer",
                "awsRegion": "eu-west-1",
                "eventSourceARN": STREAM,
            }
            for key, data, sequence_number, arrival in described
        ]
    }
    by_firehose = {
        "invocationId": "5f1a6f3e-6b1c-4a57-9b34-2f0f3f0d7a11",
        "sourceKinesisStreamArn": STREAM,
        "deliveryStreamArn": "arn:aws:firehose:eu-west-1:123456789012:deliverystream/fleet",
        "region": "eu-west-1",
        "records": [
            {
                "recordId": f"{sequence_number}000000",
                "approximateArrivalTimestamp": arrival,
                "data": data,
                "kinesisRecordMetadata": {
                    "sequenceNumber": sequence_number,
                    "subsequenceNumber": 0,
                    "partitionKey": key,
                    "shardId": SHARD,
                    "approximateArrivalTimestamp": arrival,
                },
            }
            for key, data, sequence_number, arrival in described
        ],
    }
    by_analytics = {
        "invocationId": "b6c7a9d0-93c5-4a0e-8d57-6f7d1a2f6a0c",
        "applicationArn": "arn:aws:kinesisanalytics:eu-west-1:123456789012:application/fleet",
        "streamArn": STREAM,
        "records": [
            {
                "recordId": f"{sequence_number}000000",
                "kinesisStreamRecordMetadata": {
                    "sequenceNumber": sequence_number,
                    "partitionKey": key,
                    "shardId": SHARD,
                    "approximateArrivalTimestamp": arrival,
                },
                "data": data,
            }
            for key, data, sequence_number, arrival in described
        ],
    }
    # As people have them: Lambda's is laid out for reading, the others are on a line.
    events = [("lambda", by_lambda, 1), ("firehose", by_firehose, None), ("analytics", by_analytics, None)]
    for name, event, indent in events:
        write(folder / f"{name}.json", json.dumps(event, ensure_ascii=False, indent=indent) + "\n")

    lines = []
    for at, (outer, payload, outcome) in enumerate(records):
        if isinstance(outcome, str):
            outcome = [(outer, None, payload, []) + (outcome,)]
        for sub, (key, hash_key, data, tags, *reason) in enumerate(outcome):
            line = {
                "record": at,
                "partitionKey": key,
                "explicitHashKey": hash_key,
                "data": base64.b64encode(data).decode(),
                "subSequenceNumber": sub,
                "aggregated": not reason,
            }
            line |= {"reason": reason[0]} if reason else {}
            line |= {"tags": tags} if tags else {}
            lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    write(folder / "user-records.jsonl", "".join(lines))


def write(path, text):
    path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
