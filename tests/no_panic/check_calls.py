#!/usr/bin/env python3
"""Checks that the program in this directory calls the whole public API: `check_calls.py API.json SOURCE...`.

API.json is rustdoc's description of the library without features. Each function of a type has to be called with the type's name,
`Encoder::add`. Each trait that a type implements has to be used through a function in seen.rs, whose bounds tell which traits it
uses: `shown::<HashKey>`. Anything else is printed, and the check fails.
"""

import json
import re
import sys
from pathlib import Path

# Traits without code.
MARKERS = {"Copy", "Eq", "StructuralPartialEq", "FusedIterator", "ExactSizeIterator"}

# Traits that a bound implies.
IMPLIED = {"Error": {"Error", "Display"}}

# `{:?}` of a string, a duration or a 128-bit number is implemented in `core` with code that may panic. These types are not part of
# the proof.
DEBUG_BY_CORE = {
    "AggregateRef", "AggregatedRecord", "Encoder", "ExtendedSequenceNumber", "FinishedBuffer", "HashKey", "HashKeyRange",
    "HashKeyRangeError", "InRange", "InvalidHashKey", "Limits", "Payload", "RecordTag", "SequenceNumber", "Tags", "UserRecord", "UserRecords",
}  # fmt: skip


def public_api(path):
    """Yields each required call: a readable name, the trait if there is one, and the pattern that finds the call."""
    api = json.loads(Path(path).read_text())
    yield from of_module(api["root"], api["index"])


def of_module(module, index):
    for entry in index[str(module)]["inner"]["module"]["items"]:
        item = index[str(entry)]
        if "use" in item["inner"]:
            item = index[str(item["inner"]["use"]["id"])]
        ((kind, inner),) = item["inner"].items()
        name = item["name"]
        if kind == "function":
            yield name, None, rf"\b{name}\("
        elif kind in ("struct", "enum"):
            for block in inner["impls"]:
                yield from of_impl(name, index[str(block)]["inner"]["impl"], index)
        elif kind == "module":
            yield from of_module(item["id"], index)
        elif kind not in ("constant", "trait"):
            sys.exit(f"check_calls: {name} is a {kind}, which this check does not handle yet")


def of_impl(name, block, index):
    if block["is_synthetic"] or block["blanket_impl"]:
        return
    if block["trait"] is None:
        for entry in block["items"]:
            item = index[str(entry)]
            if "function" in item["inner"]:
                yield f"{name}::{item['name']}", None, rf"\b{name}(::<\w+>)?::{item['name']}\b"
        return
    trait = block["trait"]["path"].rsplit("::", 1)[-1]
    if trait in MARKERS or (trait == "Debug" and name in DEBUG_BY_CORE):
        return
    reference = "&" if "borrowed_ref" in block["for"] else ""
    yield f"{trait} of {reference}{name}", trait, rf"::<{reference}{name}\b"


def main(api, *sources):
    text = "\n".join(Path(source).read_text() for source in sources)
    # Ignore comments.
    text = re.sub(r"//.*", "", text)
    bounds = {}
    for function, traits in re.findall(r"fn (\w+)<\w+: (.+?)>\(", text):
        named = {re.sub(r".*::|<.*", "", trait.strip()) for trait in traits.split("+")}
        bounds[function] = named.union(*(IMPLIED.get(trait, set()) for trait in named))
    missing, found = [], 0
    for name, trait, pattern in public_api(api):
        users = [""] if trait is None else [f for f, traits in bounds.items() if trait in traits]
        if any(re.search(rf"\b{user}{pattern}" if user else pattern, text) for user in users):
            found += 1
        else:
            missing.append(name)
    for name in missing:
        print(f"check_calls: nothing calls {name}", file=sys.stderr)
    if missing or found < 100:
        sys.exit(f"check_calls: {len(missing)} missing, {found} found")
    print(f"no_panic: all {found} public functions and traits are called")


main(*sys.argv[1:])
