"""Collects the measurements in docs/performance/results.json, with the conditions under which they were made.

    results.py COMMAND LANGUAGES TIMES

Called by `run`, with its own command line, and the number of rounds for other languages and for the command.
"""

import datetime
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TOOLS = Path(os.environ["TOOLS"])
PARTS = TOOLS / "parts"
OUT = ROOT / "docs/performance/results.json"


def said(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def part(name):
    return json.loads((PARTS / f"{name}.json").read_text())


def parts(kind):
    """Returns the measurements of each build."""
    return {
        path.stem.removeprefix(f"{kind}-"): json.loads(path.read_text()) for path in sorted(PARTS.glob(f"{kind}-*"))
    }


def hostile():
    """Returns how many times as long as its digest each kind of payload took, from the output of the test."""
    lines = re.findall(r"^(.*): ([0-9.]+) times as long", (PARTS / "hostile.txt").read_text(), re.MULTILINE)
    ratios = {}
    for name, ratio in lines:
        ratios[name] = min(float(ratio), ratios.get(name, float("inf")))
    return ratios


def machine():
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "processor": processor.group(1) if processor else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "kernel": f"{platform.system()} {re.match('[0-9.]*', platform.release()).group()}",
    }


def versions():
    crates = dict(re.findall(r'name = "(.*)"\nversion = "(.*)"', (HERE.parent / "Cargo.lock").read_text()))
    python = TOOLS / "venv/bin/python"
    modules = TOOLS / "node/node_modules"
    return {
        "Rust": {
            "rustc": said("rustc", "--version").split()[1],
            **{name: crates[name] for name in ("prost", "quick-protobuf", "md-5", "md5", "openssl")},
        },
        "C++": {
            "g++": said("g++", "-dumpfullversion"),
            "libprotobuf": said("pkg-config", "--modversion", "protobuf"),
            "OpenSSL": said("pkg-config", "--modversion", "openssl"),
        },
        "Python": {
            "CPython": said(python, "-c", "import platform; print(platform.python_version())"),
            **dict(line.split("==") for line in said(python, "-m", "pip", "freeze").splitlines() if "==" in line),
            "OpenSSL": said(python, "-c", "import ssl; print(ssl.OPENSSL_VERSION.split()[1])"),
        },
        "Node": {
            "Node": said("node", "--version"),
            **{
                name: json.loads((modules / name / "package.json").read_text())["version"]
                for name in ("aws-kinesis-agg", "protobufjs")
            },
            "OpenSSL": said("node", "-p", "process.versions.openssl"),
        },
    }


def main():
    command, languages, times = sys.argv[1:]
    changed = said("git", "status", "--porcelain", "--", "src", "benches")
    results = {
        "command": command,
        "date": datetime.date.today().isoformat(),
        # A plus sign marks uncommitted changes.
        "commit": said("git", "rev-parse", "HEAD") + ("+" if changed else ""),
        "rounds": {
            "crates": int(os.environ["KINESIS_AGG_ROUNDS"]),
            "languages": int(languages),
            "command": int(times),
        },
        "machine": machine(),
        "versions": versions(),
        "measure": parts("measure"),
        "languages": part("languages"),
        "scale": parts("scale"),
        "command_line": part("command"),
        "hostile": hostile(),
    }
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
