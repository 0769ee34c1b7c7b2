"""Writes the figures of docs/performance.md from docs/performance/results.json and from the counts of benches/instructions. Called
by `run`."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT = ROOT / "docs/performance.md"
RESULTS = ROOT / "docs/performance/results.json"
INSTRUCTIONS = ROOT / "benches/instructions/baseline.json"
OURS, MD5 = "this library", "MD5 of this library"
# The contenders that aggregate with the crates that another one deaggregates with.
WRITERS = {"prost, md5": "prost, HashMap, md5"}
BUILDS = {"baseline": "default build", "simd": "feature `simd`"}


class Group:
    """The contenders that did the same work."""

    def __init__(self, contenders, bytes=0, user_records=0):
        self.contenders = {timing["name"]: timing for timing in contenders}
        self.bytes = bytes
        self.user_records = user_records

    def __getitem__(self, name):
        return self.contenders[name]

    def others(self):
        return [name for name in self.contenders if name not in (OURS, MD5)]

    def beside(self, base, name):
        """Returns how many times as long as `base` it takes."""
        return self[name]["ratio"] / self[base]["ratio"]

    def each(self, name):
        """Returns nanoseconds per user record."""
        return self[name]["median_ns"] / self.user_records

    def beyond_first(self, name):
        """Returns how many nanoseconds longer than the first it takes. The difference of two medians would be too noisy."""
        first = next(iter(self.contenders.values()))
        return first["median_ns"] * (self[name]["ratio"] - 1)


class Results:
    def __init__(self, data):
        self.data = data

    def group(self, name, build="baseline"):
        outcome = next(outcome for outcome in self.data["measure"][build] if outcome["group"] == name)
        return Group(outcome["contenders"], outcome["bytes"], outcome["user_records"])

    def groups(self, operation):
        """Returns the groups of an operation by corpus."""
        names = [outcome["group"] for outcome in self.data["measure"]["baseline"]]
        prefix = f"{operation}: "
        return {name.removeprefix(prefix): self.group(name) for name in names if name.startswith(prefix)}

    def languages(self, operation):
        return {
            outcome["corpus"]: Group(outcome["contenders"])
            for outcome in self.data["languages"]
            if outcome["operation"] == operation
        }

    def curve(self, name, build="baseline"):
        curve = next(curve for curve in self.data["scale"][build] if curve["series"] == name)
        return {point["at"]: point["ns"] for point in curve["points"]}


def table(head, rows):
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (head, *rows)]
    return [lines[0].replace("|  |", "| |", 1), "|---|" + "---:|" * (len(head) - 1), *lines[1:]]


def number(value):
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def conditions(results):
    data = results.data
    machine = data["machine"]
    where = f"{machine['processor']}, {machine['cores']} cores, {machine['kernel']}"
    commit = f"`{data['commit'][:12]}`" + (", changed since," if data["commit"].endswith("+") else "")
    rough = " **A short run: the figures are rough.**" if "--quick" in data["command"] else ""
    return [
        f"All times are from one run of `{data['command']}` on {data['date']}, at commit {commit}",
        f"on {where}.{rough}",
    ]


def limit(results):
    md5 = results.group("MD5 of 1 MiB")
    cycles = md5[OURS]["cycles"] / md5.bytes
    openssl, md_5, md5_crate = (md5.beside(OURS, name) for name in ("OpenSSL", "md-5", "md5"))
    finish = results.group("finish a streamed aggregate of A").beyond_first("fill and finish") / 1000
    known, new = [], []
    for kind in ("even", "uneven"):
        group = results.group(f"route known keys and aggregate, {kind} map of 64: A")
        known.append(f"{group['the manager']['ratio']:.2f}")
        new.append(f"{results.group(f'route a new key, {kind} map of 64').each('hash key and shard'):.0f} ns")
    return [
        f"- MD5 of 1 MiB takes {cycles:.2f} cycles per byte (target: ≤ 4.65), in OpenSSL {openssl:.2f} times as long (target: ≥ 1.03),",
        f"  in the crate `md-5` {md_5:.2f} times and in the crate `md5` {md5_crate:.2f} times.",
        f"- Finishing a streamed aggregate of 1 MB takes {finish:.1f} µs.",
        f"- Finding the shard of a new key among 64 takes {new[0]} ({new[1]} if the shards are uneven). With known keys, routing and",
        f"  aggregating takes {known[0]} ({known[1]}) times as long as with 64 aggregators and the shard given.",
    ]


def own(results):
    skipped = results.groups("deaggregate, digest skipped")
    rows = []
    for operation in ("deaggregate, verified", "aggregate, canonical", "encode, streamed"):
        groups = results.groups(operation)
        rows.append((f"{operation}: × MD5", *(number(groups[name].beside(MD5, OURS)) for name in skipped)))
    each = (number(group.each(OURS)) for group in skipped.values())
    rows.append(("deaggregate, digest skipped: ns per user record", *each))
    return table(("", *skipped), rows)


def compared(results):
    corpora = "ABCDE"

    def ratios(groups, name):
        if name not in groups["A"].contenders:
            return ["–"] * len(corpora)
        return [number(groups[corpus].beside(OURS, name)) for corpus in corpora]

    rows = []
    reading, writing = results.groups("deaggregate, verified"), results.groups("aggregate, canonical")
    for name in reading["A"].others():
        rows.append((f"Rust, {name}", *ratios(reading, name), *ratios(writing, WRITERS.get(name))))
    reading, writing = results.languages("deaggregate"), results.languages("aggregate")
    for name in reading["A"].others():
        rows.append((name, *ratios(reading, name), *ratios(writing, name)))
    return table(("× this library", *corpora, *corpora), rows)


def batches(results):
    curves = {build: results.curve("batch: deaggregate", build) for build in BUILDS}
    widths = list(curves["baseline"])
    rows = [(BUILDS[build], *(number(curve[1] / curve[width]) for width in widths)) for build, curve in curves.items()]
    return table(("payloads", *widths), rows)


def producer(results):
    together, calls = "aggregate, digests together: A", "producer, add to call, even map of 64: A"
    rows = [
        ("aggregate, digests one by one", "–", together, "digests one by one"),
        ("aggregate, digests together", "≤ 0.75, `simd` ≤ 0.60", together, OURS),
        ("producer, from `add` to call", "≤ 0.85", calls, OURS),
    ]
    return table(
        ("× MD5", "target", *BUILDS.values()),
        (
            (title, target, *(number(results.group(group, build).beside(MD5, name)) for build in BUILDS))
            for title, target, group, name in rows
        ),
    )


def scaling(results):
    names = [curve["series"] for curve in results.data["scale"]["baseline"]]
    curves = {name: results.curve(name) for name in names if not name.startswith("batch")}
    counts = sorted(set().union(*curves.values()))
    rows = ((name, *(number(curve[at]) if at in curve else "–" for at in counts)) for name, curve in curves.items())
    return table(("ns", *(f"{at:,}" for at in counts)), rows)


def command(results):
    runs = {(run["operation"], run["name"]): run for run in results.data["command_line"]}

    def figures(run):
        return f"{run['user_records'] / run['wall_s']:,.0f}", f"{run['memory_bytes'] / 2**20:.0f}"

    rows = []
    for (operation, name), ours in runs.items():
        if name == "kinesis-agg":
            script = runs.get((operation, "Python, aws_kinesis_agg"))
            rows.append((f"`{operation}`", *figures(ours), *(figures(script) if script else ("–", "–"))))
    head = ("", "user records per second", "peak MiB", "Python: user records per second", "peak MiB")
    return table(head, rows)


def hostile(results):
    kinds = {True: {}, False: {}}
    for name, ratio in results.data["hostile"].items():
        kinds[name.endswith(", unpredictable")][name] = ratio

    def slowest(title, target, ratios):
        name = max(ratios, key=ratios.get)
        return f"{title}, {len(ratios)} of them", target, number(ratios[name]), name.removesuffix(", unpredictable")

    corpus_h = results.group("deaggregate, verified: H").beside(MD5, OURS)
    rows = [
        slowest("one kind of field, record or group", "≤ 5", kinds[False]),
        slowest("several kinds of fields in random order", "≤ 15", kinds[True]),
        ("corpus H", "≤ 5", number(corpus_h), "–"),
    ]
    return table(("1 MiB of", "target, × MD5", "slowest, × MD5", "which"), rows)


def instructions(_):
    counts = next(iter(json.loads(INSTRUCTIONS.read_text()).values()))
    corpora = sorted({name.split()[1] for name in counts})
    rows = (
        (title, *(f"{counts[f'{work} {corpus}']:.0f}" for corpus in corpora))
        for work, title in (
            ("decode", "deaggregate, digest skipped"),
            ("canonical", "aggregate, canonical"),
            ("streamed", "encode, streamed"),
        )
    )
    return table(("", *corpora), rows)


def write(name, lines):
    """Replaces the lines between the markers of this name in the document."""
    before, rest = DOCUMENT.read_text().split(f"<!-- {name} -->\n")
    after = rest[rest.index("<!-- end -->") :]
    text = "\n".join(lines)
    DOCUMENT.write_text(f"{before}<!-- {name} -->\n{text}\n{after}")


def main():
    results = Results(json.loads(RESULTS.read_text()))
    for part in (conditions, limit, own, compared, batches, producer, scaling, command, hostile, instructions):
        write(part.__name__, part(results))


if __name__ == "__main__":
    main()
