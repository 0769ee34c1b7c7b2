"""Writes the tables and charts of docs/performance.md from docs/performance/results.json. Called by `run`."""

import json
from pathlib import Path

import charts
from lookup import Results
from targets import TARGETS

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT = ROOT / "docs/performance.md"
CHARTS = ROOT / "docs/performance"
LANGUAGES_CORPORA = "ABCDE"
OPERATIONS = ["deaggregate, verified", "deaggregate, digest skipped", "aggregate, canonical", "encode, streamed"]
BUILDS = {"baseline": "default build", "simd": "feature `simd`", "avx2": "built for AVX2"}

SCALES = {
    "user records": ("From 10 user records to a million", "user records", "ns per user record"),
    "partition keys": ("From one partition key to 100,000", "partition keys of 100,000 user records", "ns per user record"),
    "shards": ("From one shard to 10,000", "shards", "ns per user record"),
    "payload size": ("From a kilobyte to 10 MB", "payload size in bytes", "ns per byte"),
}


def table(head, rows):
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (head, *rows)]
    return [lines[0].replace("|  |", "| |", 1), "|---|" + "---:|" * (len(head) - 1), *lines[1:]]


def number(value):
    return charts.significant(value)


def conditions(results):
    data = results.data
    machine = data["machine"]
    where = f"{machine['processor']}, {machine['cores']} cores, {machine['kernel']}"
    commit = f"`{data['commit'][:12]}`" + (", changed since," if data["commit"].endswith("+") else "")
    when = f"Measured on {data['date']} with `{data['command']}`, at commit {commit} on {where}."
    if "--quick" in data["command"]:
        when += " **A short run: the figures are rough.**"
    lines = [when, "", "| | versions |", "|---|---|"]
    for language, versions in data["versions"].items():
        lines.append(f"| {language} | {', '.join(f'{name} {version}' for name, version in versions.items())} |")
    return lines


def targets(results):
    rows = [(name, target, *judge(results)) for name, (target, judge) in TARGETS]
    lines = ["| | target | measured | reached |", "|---|---|---:|---|"]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def own(results):
    """The times of this library itself."""
    rows = []
    for operation in OPERATIONS:
        for corpus in results.corpora():
            group = results.group(f"{operation}: {corpus}")
            timing = group["this library"]
            each = timing["median_ns"] / group.user_records
            row = [f"{operation}: {corpus}", f"{each:,.1f}"]
            if "MD5 of this library" in group:
                cycles, speed = timing["cycles"] / group.bytes, group.bytes / timing["median_ns"]
                row += [f"{cycles:.2f}", f"{speed:.2f}", number(timing["ratio"])]
            else:
                # Most bytes are not read, so a speed per byte says nothing.
                row += ["–"] * 3
            rows.append(row)
    return table(("", "ns per user record", "cycles per byte", "GB/s", "× MD5"), rows)


def crates(results):
    rows = []
    # No crate encodes in one pass.
    for operation in OPERATIONS[:3]:
        groups = [results.group(f"{operation}: {corpus}") for corpus in results.corpora()]
        for name in groups[0].names():
            if name not in ("this library", "MD5 of this library"):
                ratios = [number(group.beside("this library", name)) for group in groups]
                rows.append((f"{operation}: {name}", *ratios))
    return table(("", *results.corpora()), rows)


def languages(results):
    rows = []
    for operation in ("deaggregate", "aggregate"):
        groups = [results.languages(operation, corpus) for corpus in LANGUAGES_CORPORA]
        for name in groups[0].names()[1:]:
            rows.append((f"{operation}: {name}", *(number(group[name]["ratio"]) for group in groups)))
    return table(("", *LANGUAGES_CORPORA), rows)


def batches(results):
    curves = {build: dict(results.curve("batch: deaggregate", build)) for build in results.builds()}
    alone = curves["baseline"][1]
    widths = list(curves["baseline"])
    rows = [(BUILDS[build], *(number(alone / curve[width]) for width in widths)) for build, curve in curves.items()]
    return table(("payloads", *widths), rows)


def scaling(results):
    lines = []
    for curve in results.data["scale"]["baseline"]:
        if not curve["series"].startswith("batch"):
            head = [f"{point['at']:,}" for point in curve["points"]]
            lines += table((curve["series"], *head), [("ns", *(number(point["ns"]) for point in curve["points"]))])
            lines.append("")
    return lines[:-1]


def command(results):
    rows = [
        (
            f"{run['operation']}: {run['name']}",
            f"{run['user_records']:,}",
            f"{run['wall_s']:.2f}",
            f"{run['cpu_s']:.2f}",
            f"{run['memory_bytes'] / 2**20:.0f}",
            f"{run['user_records'] / run['wall_s']:,.0f}",
        )
        for run in results.data["command_line"]
    ]
    return table(("", "user records", "seconds", "CPU seconds", "peak MiB", "user records per second"), rows)


def draw(results):
    titles = {
        "deaggregate": ("deaggregate, verified", "Deaggregating A: time relative to this library (less is better)"),
        "aggregate": ("aggregate, canonical", "Aggregating A: time relative to this library (less is better)"),
    }
    for operation, (group_name, title) in titles.items():
        group = results.group(f"{group_name}: A")
        rows = [
            (f"Rust, {name}", group.beside("this library", name), False)
            for name in group.names()
            if name not in ("this library", "MD5 of this library")
        ]
        others = results.languages(operation, "A")
        rows += [(name, others[name]["ratio"], False) for name in others.names()[1:]]
        rows = [("this library", 1.0, True), *sorted(rows, key=lambda row: row[1])]
        (CHARTS / f"{operation}.svg").write_text(charts.bars(title, rows))

    one = dict(results.curve("batch: deaggregate", "baseline"))[1]
    names = {"baseline": "default build", "simd": "feature simd", "avx2": "built for AVX2"}
    curves = [
        (names[build], [(width, one / ns) for width, ns in results.curve("batch: deaggregate", build)])
        for build in results.builds()
    ]
    title = "Many payloads at once: speed compared with one at a time"
    svg = charts.lines(title, "payloads like B in a batch", "times as fast", curves, y_log=False)
    (CHARTS / "batches.svg").write_text(svg)

    for name, (title, x_title, y_title) in SCALES.items():
        curves = [
            (curve["series"].split(": ")[1], [(point["at"], point["ns"]) for point in curve["points"]])
            for curve in results.data["scale"]["baseline"]
            if curve["series"].startswith(f"{name}: ")
        ]
        svg = charts.lines(title, x_title, y_title, curves)
        (CHARTS / f"scale-{name.replace(' ', '-')}.svg").write_text(svg)


def write(name, lines):
    """Replaces the lines between the markers of this name in the document."""
    before, rest = DOCUMENT.read_text().split(f"<!-- {name} -->\n")
    after = rest[rest.index("<!-- end -->") :]
    text = "\n".join(lines)
    DOCUMENT.write_text(f"{before}<!-- {name} -->\n\n{text}\n\n{after}")


def main():
    results = Results(json.loads((CHARTS / "results.json").read_text()))
    for part in (conditions, targets, own, crates, languages, batches, scaling, command):
        write(part.__name__, part(results))
    draw(results)


if __name__ == "__main__":
    main()
