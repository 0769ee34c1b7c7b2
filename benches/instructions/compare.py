"""Reads the counts of callgrind, and compares them with the baseline. `run` calls this.

    compare.py COUNTS NAMES MACHINE TOOLS [--check | --bless]

COUNTS is the path of callgrind's output; callgrind appends `.1`, `.2` and so on for each piece of work. NAMES has the output of
the program, a line for each piece. The counts depend on MACHINE and TOOLS.
"""

import json
import re
import sys
from pathlib import Path

BASELINE = Path(__file__).resolve().parent / "baseline.json"
# How far counts may be above the baseline: with the same tools, and with others.
TOLERANCE, LOOSE = 0.03, 0.25
# The digest's kernel is not counted, since its faster form executes more instructions.
DIGEST = "kinesis_aggregation::md5::kernel::compress"
# The least that it executes for a byte: 64 steps of several instructions for 64 bytes. Fewer means that it has another name.
LEAST_OF_DIGEST = 5


def functions(path):
    """The instructions of each function, without those of the functions that it called."""
    names, costs = {}, {}
    function, of_a_call = None, False
    for line in path.read_text().splitlines():
        if match := re.match(r"(c?)fn=\((\d+)\)(?: (.*))?$", line):
            # Only the first mention of a number has the name.
            if match[3]:
                names[match[2]] = match[3]
            if not match[1]:
                function = match[2]
        elif line.startswith("calls="):
            # The next line is the cost of the call, which is counted where the called function is listed.
            of_a_call = True
        elif match := re.match(r"[+*-]?\d* ?(\d+)$", line):
            if not of_a_call:
                costs[function] = costs.get(function, 0) + int(match[1])
            of_a_call = False
    return {names[function]: cost for function, cost in costs.items()}


def per_user_record(counts, names):
    """The instructions per user record of each piece of work, without the digest."""
    result = {}
    for number, line in enumerate(names.read_text().splitlines(), 1):
        name, records, size = line.split("\t")
        costs = functions(counts.with_name(f"{counts.name}.{number}"))
        digest = costs.pop(DIGEST, 0)
        if not name.startswith("decode") and digest < LEAST_OF_DIGEST * int(size):
            sys.exit(f"instructions: {name}: {digest} instructions are too few for a digest: was the kernel renamed?")
        result[name] = round(sum(costs.values()) / int(records), 2)
    return result


def main():
    counts, names, machine, tools, *option = sys.argv[1:]
    environment = f"{machine}, {tools}"
    baseline = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    now = per_user_record(Path(counts), Path(names))
    if option == ["--bless"]:
        baseline[environment] = now
        BASELINE.write_text(json.dumps(baseline, indent=2, sort_keys=True) + "\n")

    # Without a baseline of these tools, compare with the most recent others on this kind of machine.
    compared, tolerance = environment, TOLERANCE
    if environment not in baseline:
        compared, tolerance = max((key for key in baseline if key.startswith(f"{machine}, ")), default=None), LOOSE
    before = baseline.get(compared, {})

    print(f"instructions per user record, without the digest, on {environment}")
    if compared != environment:
        allowed = f"{LOOSE:.0%} more than on {compared} are allowed" if compared else "nothing to compare with"
        print(f"instructions: there is no baseline of that, so {allowed}")
    more, less = [], []
    for name, count in now.items():
        was = before.get(name)
        print(f"  {name:12} {count:10.2f}" + (f" {count / was - 1:+8.1%}" if was else "  new"))
        if was and count > was * (1 + tolerance):
            more.append(name)
        if was and count < was * (1 - tolerance):
            less.append(name)
    if less:
        print(f"instructions: fewer than in the baseline; --bless updates it: {', '.join(less)}")
    if option != ["--check"]:
        return
    if more:
        sys.exit(f"instructions: more than {tolerance:.0%} above the baseline: {', '.join(more)}")
    if before and before.keys() != now.keys():
        sys.exit(f"instructions: only in the baseline or only measured: {', '.join(sorted(before.keys() ^ now.keys()))}; --bless updates the baseline")


main()
