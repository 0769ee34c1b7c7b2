"""Times this library and those of other languages: one process per contender, alternating on one core.

    languages.py OUT ROUNDS    writes the results to OUT, as JSON

Called by `run`, which builds the programs and installs the packages in $TOOLS.
"""

import hashlib
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOLS = Path(os.environ["TOOLS"])
CORPORA = TOOLS / "corpora"
CORE = os.environ["CORE"]
PYTHON = TOOLS / "venv/bin/python"
LIBPROTOBUF = TOOLS / "cpp/libprotobuf"

# The minimum time of a turn, in nanoseconds.
TURN = 20_000_000

# The others are compared with the first.
CONTENDERS = {
    "this library": [TOOLS / "peers-baseline", "worker"],
    "C++, heap": [LIBPROTOBUF, CORPORA, "heap"],
    "C++, arena": [LIBPROTOBUF, CORPORA, "arena"],
    "C++, one message": [LIBPROTOBUF, CORPORA, "reuse"],
    "Python, by hand": [PYTHON, HERE / "workers/by_hand.py", CORPORA],
    "Python, aws_kinesis_agg": [PYTHON, HERE / "workers/aws.py", CORPORA],
    "Node, by hand": ["node", HERE / "workers/node.js", CORPORA, "by-hand"],
    "Node, aws-kinesis-agg": ["node", HERE / "workers/node.js", CORPORA, "lambda"],
}


class Worker:
    def __init__(self, name):
        self.name = name
        environment = os.environ | {"NODE_PATH": str(TOOLS / "node/node_modules"), "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(
            ["taskset", "--cpu-list", CORE, *CONTENDERS[name]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def ask(self, question):
        self.process.stdin.write(f"{question}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            sys.exit(f"languages: no answer from {self.name} to: {question}")
        return answer

    def nanoseconds(self, task, runs):
        return float(self.ask(f"run {task} {runs}"))

    def check(self, operation, corpus):
        """Exits if the contender does not produce the expected result."""
        file = CORPORA / f"{corpus}.{'payload' if operation == 'aggregate' else 'records'}"
        if self.ask(f"check {operation} {corpus}") != hashlib.md5(file.read_bytes()).hexdigest():
            sys.exit(f"languages: {self.name}: wrong result for {operation} {corpus}")


def quartiles(turns):
    return statistics.quantiles(turns, n=4, method="inclusive")


def measure(workers, operation, corpus, rounds):
    task = f"{operation} {corpus}"
    turns = {}
    runs = {}
    for worker in workers:
        worker.check(operation, corpus)
        runs[worker] = max(1, round(TURN / worker.nanoseconds(task, 1)))
        turns[worker] = []
    for _ in range(rounds):
        for worker in workers:
            turns[worker].append(worker.nanoseconds(task, runs[worker]))

    first = turns[workers[0]]
    contenders = []
    for worker, own in turns.items():
        lower, median, upper = quartiles(own)
        ratio = statistics.median(turn / base for turn, base in zip(own, first))
        print(f"  {worker.name:40} {median:12,.0f} ns {ratio:8.2f} x", flush=True)
        contenders.append(
            {
                "name": worker.name,
                "median_ns": median,
                "lower_quartile_ns": lower,
                "upper_quartile_ns": upper,
                "ratio": ratio,
            }
        )
    return contenders


def main():
    out, rounds = sys.argv[1:]
    workers = [Worker(name) for name in CONTENDERS]
    outcomes = []
    for operation in ("deaggregate", "aggregate"):
        for corpus in "ABCDE":
            print(f"{operation} {corpus}, other languages", flush=True)
            contenders = measure(workers, operation, corpus, int(rounds))
            outcomes.append({"operation": operation, "corpus": corpus, "contenders": contenders})
    for worker in workers:
        worker.process.stdin.close()
        worker.process.wait()
    Path(out).write_text(json.dumps(outcomes, indent=1) + "\n")


if __name__ == "__main__":
    main()
