#!/usr/bin/env python3
"""Runs the packaged functions on recorded events. `try` calls it. Exits with status 1 at the first difference."""

import base64
import json
import pathlib
import stat
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "peers"))

import event as python_peer  # noqa: E402: compares with Python's library
from runtime_api import Function  # noqa: E402

DATA = ROOT / "tests" / "data" / "aws"
USERS = DATA / "user-records.jsonl"


def agree(what, expected, actual):
    if expected != actual:
        sys.exit(f"FAILED: {what}:\n  expected {expected!r:.400}\n  but got  {actual!r:.400}")


def unpacked(zips, name, folder):
    """Extracts the program from a zip file, as Lambda does."""
    with zipfile.ZipFile(zips / f"{name}.zip") as file:
        agree(f"{name}.zip", ["bootstrap"], file.namelist())
        mode = file.getinfo("bootstrap").external_attr >> 16
        agree(f"{name}.zip: mode", True, bool(mode & stat.S_IXOTH))
        file.extract("bootstrap", folder)
    program = folder / "bootstrap"
    program.chmod(mode & 0o777)
    return program


def recorded(name):
    """Reads a recorded event."""
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


def stored(folder):
    """Returns the contents of a store as one text, in the order of positions."""
    return "".join(file.read_text(encoding="utf-8") for file in sorted(folder.iterdir()) if file.is_file())


def from_record(event, sequence_number):
    """Returns the event of Lambda's retry: all records from the reported one on."""
    numbers = [record["kinesis"]["sequenceNumber"] for record in event["Records"]]
    return {"Records": event["Records"][numbers.index(sequence_number) :]}


def consume(program, work, event):
    users = [json.loads(line) for line in USERS.read_text(encoding="utf-8").splitlines()]
    all_done = {"batchItemFailures": []}
    # The last aggregate with at least eight user records, and one in the middle of it.
    at = [user["record"] for user in users if user["subSequenceNumber"] == 7][-1]
    failing = event["Records"][at]
    before = sum(user["record"] < at for user in users)
    failed = {"batchItemFailures": [{"itemIdentifier": failing["kinesis"]["sequenceNumber"]}]}
    text = {}

    position = failing["eventID"]
    for mode, left, position in [("bulk", before, position), ("streaming", before + 7, position + ".000000007")]:
        store = work / mode
        with Function(program, STORE=str(store), MODE=mode) as function:
            agree(f"{mode}: the answer", all_done, function.invoke(event))
            text[mode] = stored(store)
            agree(f"{mode}: user records", len(users), text[mode].count("\n"))
            agree(f"{mode}: all again", all_done, function.invoke(event))
            agree(f"{mode}: all again, what is stored", text[mode], stored(store))
        print(f"{mode}: {len(users)} user records of {len(event['Records'])} Kinesis records; a second time changes nothing")

        store = work / f"{mode}-failing"
        with Function(program, STORE=str(store), MODE=mode, FAIL_ONCE_AT=position) as function:
            agree(f"{mode}, failing: the answer", failed, function.invoke(event))
            agree(f"{mode}, failing: user records before it", left, stored(store).count("\n"))
            again = from_record(event, failed["batchItemFailures"][0]["itemIdentifier"])
            agree(f"{mode}, failing: the answer to the rest", all_done, function.invoke(again))
            agree(f"{mode}, failing: what is stored", text[mode], stored(store))
        print(f"{mode}: a failure at user record 7 of record {at} leaves {left}; after the retry each is there once")

    agree("bulk and streaming", text["bulk"], text["streaming"])
    with Function(program, STORE=str(work / "nothing")) as function:
        agree("no records", all_done, function.invoke({"Records": []}))
    ours = work / "ours.jsonl"
    ours.write_text(text["bulk"], encoding="utf-8")
    print("Python's library and the function: ", end="", flush=True)
    python_peer.main(str(DATA / "lambda.json"), str(USERS), str(ours))


def transform(program, event, preprocessing):
    users = [json.loads(line) for line in USERS.read_text(encoding="utf-8").splitlines()]
    with Function(program) as function:
        answers = function.invoke(event)["records"]
        direct = {"records": [{name: record[name] for name in ("recordId", "data")} for record in event["records"]]}
        agree("firehose: records that were put directly", answers, function.invoke(direct)["records"])
        agree("an event of Kinesis Analytics", answers, function.invoke(preprocessing)["records"])
    agree("firehose: the number of records", len(event["records"]), len(answers))
    verdicts = {}
    for at, (record, answer) in enumerate(zip(event["records"], answers)):
        of_it = [user for user in users if user["record"] == at]
        data = [base64.b64decode(user["data"]) for user in of_it]
        if not of_it:
            expected = {"result": "Dropped"}
        elif not of_it[0]["aggregated"]:
            expected = {"result": "Ok", "data": record["data"]}
        elif any(b"\n" in datum for datum in data):
            expected = {"result": "ProcessingFailed"}
        else:
            lines = b"".join(datum + b"\n" for datum in data)
            expected = {"result": "Ok", "data": base64.b64encode(lines).decode()}
        agree(f"firehose: record {at}", expected | {"recordId": record["recordId"]}, answer)
        verdicts[answer["result"]] = verdicts.get(answer["result"], 0) + 1
    print(f"firehose-transform: {len(answers)} records in, {len(answers)} out: {verdicts}")


def main(zips):
    zips = pathlib.Path(zips)
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        for name in ["lambda", "firehose-transform"]:
            folder = work / name
            folder.mkdir()
            program = unpacked(zips, name, folder)
            if name == "lambda":
                consume(program, work, recorded("lambda"))
            else:
                transform(program, recorded("firehose"), recorded("analytics"))
    print("all checks passed")


if __name__ == "__main__":
    main(*sys.argv[1:])
