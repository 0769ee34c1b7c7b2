"""The rows of the target table: a name, the target as text, and a function that takes the results and returns the measured
value as text and a verdict."""

OURS, MD5 = "this library", "MD5 of this library"
DEAGGREGATE = {"A": 1.10, "B": 1.10, "C": 1.01, "D": 1.35, "E": 1.20}
AGGREGATE = {"A": 1.28, "B": 1.19, "C": 1.08, "D": 1.37, "E": 1.34}


def at_most(limit, unit, measure, digits=2):
    return row("≤", limit, unit, measure, digits, lambda value: value <= limit)


def at_least(limit, unit, measure, digits=2):
    return row("≥", limit, unit, measure, digits, lambda value: value >= limit)


def row(sign, limit, unit, measure, digits, enough):
    def judge(results):
        try:
            value = measure(results)
        except KeyError as missing:
            return f"– ({missing.args[0]})", "not measured"
        # Judge the value that is shown.
        value = round(value, digits)
        verdict = "yes" if enough(value) else "**no**"
        if value < 0:
            verdict = "not measured: the machine was not idle"
        return f"{value:,.{digits}f} {unit}", verdict

    # Ratios have two decimals; other limits are shown as written.
    shown = f"{limit:.2f}" if digits == 2 else f"{limit:,}"
    return f"{sign} {shown} {unit}", judge


def own(operation, limits):
    """This library relative to its own MD5 of the same bytes; one row per corpus."""
    for corpus, limit in limits.items():
        group = f"{operation}: {corpus}"
        yield group, at_most(limit, "× MD5", lambda results, group=group: results.group(group).beside(MD5, OURS))


def own_with_simd(group, limit):
    return at_most(limit, "× MD5", lambda results: results.group(group, "simd").beside(MD5, OURS))


def beside(group, peer, limit, ours=OURS, build="baseline"):
    """How many times as long as this library another crate takes."""
    return at_least(limit, "×", lambda results: results.group(group, build).beside(ours, peer))


def language(operation, peer, limit):
    return at_least(limit, "×", lambda results: results.languages(operation, "A")[peer]["ratio"])


def each(group, limit):
    def measure(results):
        found = results.group(group)
        return found[OURS]["median_ns"] / found.user_records

    return at_most(limit, "ns per user record", measure, 1)


def cycles(results):
    found = results.group("MD5 of 1 MiB")
    return found[OURS]["cycles"] / found.bytes


def finishing(results):
    return results.group("finish a streamed aggregate of A").beyond_first("fill and finish") / 1000


def known_key(kind):
    def measure(results):
        found = results.group(f"route known keys and aggregate, {kind} map of 64: A")
        return found.beyond_first("the manager") / found.user_records

    return at_most(20, "ns", measure, 1)


def new_key(kind):
    def measure(results):
        found = results.group(f"route a new key, {kind} map of 64")
        return found["hash key and shard"]["median_ns"] / found.user_records

    return at_most(115, "ns", measure, 1)


def speed(operation):
    return at_least(1_000_000, "per second", lambda results: results.command(operation, "kinesis-agg"), 0)


def beside_script(operation):
    def measure(results):
        return results.command(operation, "kinesis-agg") / results.command(operation, "Python, aws_kinesis_agg")

    return at_least(5, "×", measure)


BATCH = "deaggregate 8 of B"
TARGETS = [
    ("MD5 of 1 MiB", at_most(4.7, "cycles per byte", cycles)),
    ("MD5 of 1 MiB: OpenSSL takes", beside("MD5 of 1 MiB", "OpenSSL", 1.03)),
    ("MD5 of 1 MiB: `md-5` takes", beside("MD5 of 1 MiB", "md-5", 1.2)),
    ("MD5 of 1 MiB: `md5` takes", beside("MD5 of 1 MiB", "md5", 1.28)),
    *own("deaggregate, verified", DEAGGREGATE),
    ("deaggregate A: prost and `md5` take", beside("deaggregate, verified: A", "prost, md5", 1.8)),
    ("deaggregate A: C++ with an arena takes", language("deaggregate", "C++, arena", 1.5)),
    ("deaggregate A: Node takes", language("deaggregate", "Node, aws-kinesis-agg", 7)),
    ("deaggregate A: Python takes", language("deaggregate", "Python, aws_kinesis_agg", 11)),
    ("deaggregate, digest skipped: A", each("deaggregate, digest skipped: A", 12)),
    ("deaggregate, digest skipped: D", each("deaggregate, digest skipped: D", 10)),
    ("digest skipped, A: quick-protobuf takes", beside("deaggregate, digest skipped: A", "quick-protobuf", 1.5)),
    ("digest skipped, A: prost with `Bytes` takes", beside("deaggregate, digest skipped: A", "prost with Bytes", 4)),
    *own("deaggregate, verified", {"H": 5.0}),
    ("8 of B: one by one takes", beside(BATCH, "one by one", 2.4, "a batch")),
    ("8 of B, feature `simd`: one by one takes", beside(BATCH, "one by one", 4.5, "a batch", "simd")),
    ("8 of B, built for AVX2: one by one takes", beside(BATCH, "one by one", 4.5, "a batch", "avx2")),
    *own("aggregate, canonical", AGGREGATE),
    ("aggregate A: prost, `HashMap` and `md5` take", beside("aggregate, canonical: A", "prost, HashMap, md5", 1.8)),
    ("aggregate A: Node takes", language("aggregate", "Node, aws-kinesis-agg", 3)),
    ("aggregate A: Python takes", language("aggregate", "Python, aws_kinesis_agg", 15)),
    *own("aggregate, digests together", {"A": 0.75}),
    ("aggregate, digests together: A, feature `simd`", own_with_simd("aggregate, digests together: A", 0.60)),
    *own("producer, add to call, even map of 64", {"A": 0.85}),
    *own("encode, streamed", AGGREGATE),
    ("finish a streamed aggregate of 1 MB", at_most(10, "µs", finishing, 1)),
    ("route a known key, even map of 64", known_key("even")),
    ("route a known key, uneven map of 64", known_key("uneven")),
    ("route a new key, even map of 64", new_key("even")),
    ("route a new key, uneven map of 64", new_key("uneven")),
    ("`kinesis-agg aggregate`, user records", speed("aggregate")),
    ("`kinesis-agg deaggregate`, user records", speed("deaggregate")),
    ("`kinesis-agg aggregate`: a Python script takes", beside_script("aggregate")),
    ("`kinesis-agg deaggregate`: a Python script takes", beside_script("deaggregate")),
]
