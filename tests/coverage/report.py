#!/usr/bin/env python3
"""Prints what a coverage report in LCOV's format says of the library, and judges it.

    report.py LCOV EXCEPTIONS

Test modules are left out, and so is all outside `src/` and inside `src/bin/`, and lines that only close something: where
the end of a function or of a branch is not reached, its beginning is not either, or is listed among the branches.

A line of EXCEPTIONS is

    file: `line`: reason

and allows one line of that file, however indented, to be uncovered. The status is 1 if a line of the layers is uncovered
and not allowed, or allowed and covered after all; if the reason begins with "machine", it depends on that.
"""

import collections
import os
import re
import sys

# No layer: what other projects test with.
NOT_JUDGED = "src/testing/"


def test_lines(source):
    """The numbers of the lines in a file's test modules."""
    lines, inside = set(), False
    for number, line in enumerate(source, 1):
        if line.startswith("#[cfg(test)]") and number < len(source) and source[number].startswith("mod "):
            inside = source[number].rstrip().endswith("{")
        if inside:
            lines.add(number)
            inside = line != "}\n"
    return lines


class File:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.source = file.readlines()
        self.lines = collections.Counter()
        self.branches = collections.Counter()

    def finish(self):
        closing = {number for number in self.lines if re.fullmatch(r"[]})?;,]+", self.text(number))}
        for number in test_lines(self.source) | closing:
            self.lines.pop(number, None)
            for branch in [branch for branch in self.branches if branch[0] == number]:
                del self.branches[branch]

    def text(self, number):
        return self.source[number - 1].strip()


def read(lcov):
    """The files of the library. Where a line or a branch is reported several times, its counts add up."""
    files = {}
    with open(lcov, encoding="utf-8") as report:
        for entry in report:
            key, _, value = entry.rstrip().partition(":")
            if key == "SF":
                path = os.path.relpath(value)
                wanted = path.startswith("src/") and not path.startswith("src/bin/")
                file = files.setdefault(path, File(path)) if wanted else None
            elif file is None:
                continue
            elif key == "DA":
                number, count = value.split(",")[:2]
                file.lines[int(number)] += int(count)
            elif key == "BRDA":
                number, block, branch, count = value.split(",")
                file.branches[int(number), block, branch] += 0 if count == "-" else int(count)
    for file in files.values():
        file.finish()
    return dict(sorted(files.items()))


def exceptions(path):
    """How many lines of a text a file may have uncovered, and for which it depends on the machine."""
    allowed, depends = collections.Counter(), set()
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                match = re.fullmatch(r"(\S+): `(.+)`: (\S.*)", line.strip())
                if not match:
                    sys.exit(f"{path}: not understood: {line}")
                allowed[match[1], match[2]] += 1
                if match[3].startswith("machine"):
                    depends.add((match[1], match[2]))
    return allowed, depends


def table(files):
    """Prints a line for each file, and one for all of them."""
    row = "{:<36} {:>6} {:>6} {:>7}   {:>8} {:>6} {:>7}"
    print(row.format("file", "lines", "run", "%", "branches", "taken", "%"))
    totals = [0, 0, 0, 0]
    for path, file in files.items():
        counts = [len(counter) for counter in (file.lines, +file.lines, file.branches, +file.branches)]
        totals = [total + count for total, count in zip(totals, counts)]
        print(row.format(path, *percents(counts)))
    print(row.format("all", *percents(totals)))


def percents(counts):
    lines, run, branches, taken = counts

    def percent(part, whole):
        # Rounded down: 100.0 is all of them.
        return f"{1000 * part // whole / 10:.1f}" if whole else "-"

    return lines, run, percent(run, lines), branches, taken, percent(taken, branches)


def main():
    files = read(sys.argv[1])
    allowed, depends = exceptions(sys.argv[2])
    if not files:
        sys.exit(f"{sys.argv[1]} has nothing of the library in it")
    table(files)
    bad = 0
    print("\nUncovered lines:")
    for path, file in files.items():
        for number in sorted(number for number, count in file.lines.items() if not count):
            note = "not judged" if path.startswith(NOT_JUDGED) else "NOT ALLOWED"
            if allowed[path, file.text(number)]:
                allowed[path, file.text(number)] -= 1
                note = "allowed"
            bad += note == "NOT ALLOWED"
            print(f"  {path}:{number}: {file.text(number)}  ({note})")
    print("\nBranches never taken, outside of uncovered lines:")
    for path, file in files.items():
        for number in sorted({branch[0] for branch, count in file.branches.items() if not count}):
            if file.lines[number]:
                untaken = sum(not count for branch, count in file.branches.items() if branch[0] == number)
                print(f"  {path}:{number}: {file.text(number)}  ({untaken})")
    for (path, line), left in allowed.items():
        if left and (path, line) not in depends:
            bad += 1
            print(f"\n{path}: `{line}` is allowed to be uncovered, but is covered or gone")
    print(f"\n{bad} lines to look at" if bad else "\nall lines of the layers are covered, or allowed not to be")
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
