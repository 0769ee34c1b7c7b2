#!/usr/bin/env python3
"""Shows that the program beside this file calls everything public: `check_calls.py API.json SOURCE...`.

API.json is what rustdoc says of the library without features. Each function of a type has to be named with its type,
`Encoder::add`, and each trait that a type implements by one of the functions in seen.rs, whose bounds tell which trait
it uses: `shown::<HashKey>`. What is neither is printed, and fails.
"""

import json
import re
import sys
from pathlib import Path

# What has no code of its own.
MARKERS = {"Copy", "Eq", "StructuralPartialEq", "FusedIterator", "ExactSizeIterator"}

# What one bound brings with it.
IMPLIED = {"Error": {"Error", "Display"}}

# `{:?}` of a text, a duration or 128 bits is the work of `core`, whose code for it may panic. It is left out of the claim.
DEBUG_BY_CORE = {
    "AggregateRef", "AggregatedRecord", "Encoder", "ExtendedSequenceNumber", "HashKey", "HashKeyRange",
    "HashKeyRangeError", "InRange", "InvalidHashKey", "Limits", "Payload", "RecordTag", "SequenceNumber",
    "Tags", "UserRecord", "UserRecords",
}  # fmt: skip


def public_api(path):
    """Yields what has to be found: a name for people, and the pattern that finds it; for traits, the trait as well."""
    api = json.loads(Path(path).read_text())
    index = api["index"]
    for entry in index[str(api["root"])]["inner"]["module"]["items"]:
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
        elif kind == "module" and not inner["items"]:
            # Nothing but documentation.
            continue
        elif kind not in ("constant", "trait"):
            sys.exit(f"check_calls: {name} is a {kind}: say here what covers it")


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
    lent = "&" if "borrowed_ref" in block["for"] else ""
    yield f"{trait} of {lent}{name}", trait, rf"::<{lent}{name}\b"


def main(api, *sources):
    text = "\n".join(Path(source).read_text() for source in sources)
    # A call in a comment is none.
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
