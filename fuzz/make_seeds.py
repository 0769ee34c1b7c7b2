#!/usr/bin/env python3
"""Makes the named seeds in `seeds/` of the vectors, the rows of `tests/malformed.rs` and the examples of the tests.

With `--check`, changes nothing and fails if they are not what they should be.
"""

import base64
import json
import re
import shutil
import sys
from pathlib import Path

FUZZ = Path(__file__).resolve().parent
TESTS = FUZZ.parent / "tests"

# What is larger teaches a fuzzer nothing that a smaller one does not.
LARGEST = 2048


def named(name):
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def lines(file):
    return [json.loads(line) for line in (TESTS / "vectors" / file).read_text().splitlines()]


def payloads():
    """The payloads of all vectors."""
    for vector in lines("decode.jsonl"):
        yield "decode " + vector["name"], bytes.fromhex(vector["payload"])
    for vector in lines("encode.jsonl"):
        yield "encode " + vector["name"], base64.b64decode(vector["encoded"])


def bodies():
    """The bodies of those that have one, and of the rows of `tests/malformed.rs`."""
    for name, payload in payloads():
        if payload.startswith(b"\xf3\x89\x9a\xc2") and len(payload) > 20:
            yield name, payload[4:-16]
    rows = re.findall(r'\(\s*"([^"]+)",\s*"([0-9a-f^ ]+)",\s*\w+,?\s*\)', (TESTS / "malformed.rs").read_text())
    if len(rows) < 50:
        sys.exit("tests/malformed.rs does not look as it did")
    for name, body in rows:
        yield "malformed " + name, bytes.fromhex(body.replace("^", ""))


def inputs():
    """What the command reads: files of `tests/data`, and vectors in the forms it knows."""
    events = (TESTS / "data" / "events.jsonl").read_bytes().splitlines(keepends=True)
    yield "events", b"".join(events[:4])
    for file in ["get-records.json", "kpl.base64", "kpl.bin", "list-shards.json"]:
        yield file, (TESTS / "data" / file).read_bytes()
    for name, records in [("lambda", "Records"), ("firehose", "records"), ("analytics", "records")]:
        event = json.loads((TESTS / "data" / "aws" / f"{name}.json").read_text())
        event[records] = event[records][1:4]
        yield "event of " + name, json.dumps(event, indent=1 if name == "lambda" else None).encode()
    some = [payload for _, payload in payloads() if len(payload) < 100][:8]
    encoded = [base64.b64encode(payload).decode() for payload in some]
    entries = [{"Data": data, "PartitionKey": "a", "ExplicitHashKey": "0"} for data in encoded]
    yield "vectors in hex", "\n".join(payload.hex() for payload in some).encode()
    yield "vectors in base64", "\n".join(encoded).encode()
    yield "vectors as lines", "\n".join(json.dumps(entry) for entry in entries).encode()
    yield "vectors as a request", json.dumps({"StreamName": "s", "Records": entries}, indent=1).encode()
    for vector in lines("encode.jsonl")[:4]:
        rows = [
            {"partitionKey": row["partition_key"], "explicitHashKey": row["explicit_hash_key"], "data": row["data"]}
            for row in vector["records"]
        ]
        yield "events " + vector["name"], "\n".join(json.dumps(row) for row in rows).encode()


def seeds():
    """All seeds, by their place. Those of `decode_body` are for `prost` as well."""
    made = {}
    for target, cases in [("decode_any", payloads()), ("decode_body", bodies()), ("command_json", inputs())]:
        for name, content in cases:
            # Names may differ in nothing but signs.
            place = base = f"{target}/{named(name)}"
            number = 2
            while place in made:
                place, number = f"{base}-{number}", number + 1
            if len(content) <= (LARGEST if target != "command_json" else 8 * LARGEST):
                made[place] = content
    return made


def main():
    made = seeds()
    folder = FUZZ / "seeds"
    if sys.argv[1:] == ["--check"]:
        found = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        wrong = sorted(place for place in made.keys() | found.keys() if made.get(place) != found.get(place))
        if wrong:
            sys.exit(f"fuzz/seeds is not what fuzz/make_seeds.py makes: {', '.join(wrong)}")
        return
    shutil.rmtree(folder, ignore_errors=True)
    for place, content in made.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(content)
    print(f"{len(made)} seeds, {sum(map(len, made.values()))} bytes")


main()
