#!/usr/bin/env python3
"""Writes named seeds for the fuzz targets into a folder: `seeds.py FOLDER`.

They are the payloads and bodies of `tests/vectors`, the inputs of the command in `tests/data`, and a few files of
random bytes for the targets that turn bytes into a list of operations. Nothing of this is worth storing twice.
"""

import base64
import json
import random
import re
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
MAGIC = bytes.fromhex("f3899ac2")

# A larger seed teaches a fuzzer nothing that a smaller one does not.
LARGEST = 4096


def rows(file):
    return [json.loads(line) for line in (TESTS / "vectors" / file).read_text().splitlines()]


def payloads():
    """The name and payload of every vector."""
    for file in ["decode.jsonl", "generated.jsonl"]:
        for row in rows(file):
            yield row["name"], bytes.fromhex(row["payload"])
    for row in rows("encode.jsonl"):
        yield row["name"], base64.b64decode(row["encoded"])


def command_inputs():
    """What the command reads: files of `tests/data`, and vectors in the forms that it accepts."""
    for file in ["get-records.json", "kpl.bin", "list-shards.json"]:
        yield file, (TESTS / "data" / file).read_bytes()
    events = (TESTS / "data" / "events.jsonl").read_bytes().splitlines(keepends=True)
    yield "events.jsonl", b"".join(events[:4])
    for name, records in [("lambda", "Records"), ("firehose", "records"), ("analytics", "records")]:
        event = json.loads((TESTS / "data" / "aws" / f"{name}.json").read_text())
        event[records] = event[records][1:4]
        yield f"event of {name}", json.dumps(event, indent=1 if name == "lambda" else None).encode()
    some = [payload for _, payload in payloads() if len(payload) < 100][:8]
    encoded = [base64.b64encode(payload).decode() for payload in some]
    entries = [{"Data": data, "PartitionKey": "a", "ExplicitHashKey": "0"} for data in encoded]
    yield "payloads in hex", "\n".join(payload.hex() for payload in some).encode()
    yield "payloads in base64", "\n".join(encoded).encode()
    yield "entries on lines", "\n".join(json.dumps(entry) for entry in entries).encode()
    yield "PutRecords request", json.dumps({"StreamName": "s", "Records": entries}, indent=1).encode()


def seeds():
    for name, payload in payloads():
        yield f"payload {name}", payload
        if payload.startswith(MAGIC) and len(payload) > 20:
            yield f"body {name}", payload[4:-16]
    for name, content in command_inputs():
        yield f"command {name}", content
    generator = random.Random(0)
    for number in range(20):
        yield f"random {number}", generator.randbytes(generator.choice([30, 100, 300, 1000]))


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in seeds():
        if len(content) <= LARGEST:
            (folder / re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")).write_bytes(content)


main()
