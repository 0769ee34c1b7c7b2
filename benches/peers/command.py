"""Times `kinesis-agg`, start to end, and a Python script that does the same with aws_kinesis_agg.

    command.py OUT EVENTS PYTHON_EVENTS TIMES

aggregates EVENTS user records of 100 bytes (JSON Lines with base64), deaggregates the result, and prints its data with `cat`, which
Python has no counterpart of. Python gets PYTHON_EVENTS of them, because it would take too long with all. Both run alternately,
TIMES times, and the medians are written to OUT. Called by `run`.
"""

import base64
import json
import os
import random
import select
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOLS = Path(os.environ["TOOLS"])
WORK = TOOLS / "command"
SUBJECTS = {
    "kinesis-agg": [TOOLS / "build/release/kinesis-agg"],
    "Python, aws_kinesis_agg": [TOOLS / "venv/bin/python", HERE / "workers/script.py"],
}
DATA = 100


def write_events(path, count):
    numbers = random.Random(2026)
    keys = [f"{numbers.getrandbits(128):032x}" for _ in range(256)]
    with open(path, "w", encoding="ascii") as file:
        for _ in range(count):
            data = base64.b64encode(numbers.randbytes(DATA)).decode()
            file.write(f'{{"partitionKey": "{numbers.choice(keys)}", "data": "{data}"}}\n')


def memory_of(process):
    """Returns the peak memory of a process in bytes, or 0 if it has just exited. `wait4` would report at least the memory of
    this process."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def timed(command, source, target):
    with open(source, "rb") as stdin, open(target, "wb") as stdout:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL)
        end = os.pidfd_open(process.pid)
        memory = 0
        while not select.select([end], [], [], 0.01)[0]:
            memory = max(memory, memory_of(process))
        wall = time.perf_counter() - start
        os.close(end)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"command: {command} exits with {process.returncode}")
    return {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "memory_bytes": memory}


def check(events, user_records):
    """Exits if the output differs from the input."""
    with open(events, encoding="ascii") as before, open(user_records, encoding="ascii") as after:
        for number, (event, user) in enumerate(zip(before, after, strict=True)):
            event, user = json.loads(event), json.loads(user)
            if (event["partitionKey"], event["data"]) != (user["partitionKey"], user["data"]):
                sys.exit(f"command: {user_records} differs at line {number}")


def check_data(events, data):
    """Exits if what `cat` printed differs from the data of the input."""
    with open(events, encoding="ascii") as before, open(data, "rb") as after:
        for number, event in enumerate(before):
            if base64.b64decode(json.loads(event)["data"]) + b"\n" != after.read(DATA + 1):
                sys.exit(f"command: {data} differs at user record {number}")


def main():
    out, events, python_events, times = sys.argv[1], *map(int, sys.argv[2:])
    WORK.mkdir(exist_ok=True)
    counts = dict(zip(SUBJECTS, (events, python_events)))
    runs = {}
    for number, (name, count) in enumerate(counts.items()):
        write_events(WORK / f"events-{number}", count)
    for turn in range(times):
        for number, (name, command) in enumerate(SUBJECTS.items()):
            source, packed, apart, data = (WORK / f"{stage}-{number}" for stage in ("events", "packed", "apart", "data"))
            steps = [("aggregate", source, packed), ("deaggregate", packed, apart)]
            if name == "kinesis-agg":
                steps.append(("cat", packed, data))
            for operation, path, target in steps:
                runs.setdefault((operation, name), []).append(timed([*command, operation], path, target))
            if turn == 0:
                check(source, apart)
                if name == "kinesis-agg":
                    check_data(source, data)

    outcomes = []
    for (operation, name), measured in runs.items():
        outcome = {"operation": operation, "name": name, "user_records": counts[name], "data_bytes": DATA}
        outcome |= {what: statistics.median(run[what] for run in measured) for what in measured[0]}
        print(f"command: {outcome}", flush=True)
        outcomes.append(outcome)
    Path(out).write_text(json.dumps(outcomes, indent=1) + "\n")
    for path in WORK.iterdir():
        path.unlink()


if __name__ == "__main__":
    main()
