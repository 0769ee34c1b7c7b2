#!/usr/bin/env python3
"""Writes a made-up but plausible hour of a fleet and a web shop as JSON Lines user records.

    python3 tests/data/make_events.py > tests/data/events.jsonl

Each line is {"partitionKey", "explicitHashKey" (some), "text" or "data" (base64)}. The seed is fixed and only
the standard library is used, so the output is the same bytes everywhere.
"""

import base64
import json
import random
import struct
import sys
import uuid

EVENTS = 3000
START_MS = 1_732_348_800_000  # 2024-11-23T08:00:00Z
rng = random.Random(2024)

TOWNS = ["Besançon", "Zürich", "Łódź", "東京", "São Paulo", "Cork", "Αθήνα"]
GOODS = ["café crème", "緑茶 100g", "Müsli", "rocket 🚀 kit", "pen", "naïve poster", "notebook A5", "USB cable"]
PAGES = ["/", "/search", "/cart", "/checkout", "/p/1842", "/p/77", "/p/9001?ref=mail", "/help"]
AGENTS = ["Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5)", "curl/8.9.1"]


def zipf(keys):
    """A function that draws the first keys often and the last ones rarely."""
    weights = [1 / rank for rank in range(1, len(keys) + 1)]
    return lambda: rng.choices(keys, weights)[0]


visitor = zipf([str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(150)])
customer = zipf(["42", "007", "7"] + [str(rng.randrange(10, 100_000)) for _ in range(90)])
device = zipf(
    ["truck-α", "rover-🚀"]
    + [f"truck-{n:03}" for n in range(60)]
    + [f"depot/{n}/gate-é" for n in range(20)]
    + [f"冷蔵庫-{n}" for n in range(15)]
    + ["漢字", "gateway:00:1b:44:11:3a:b7", "k" * 256]
)
# A few lanes that producers pin by hash key, with both ends of the key space.
lane = zipf(["0", str(2**127), str(2**128 - 1), "1"] + [str(rng.getrandbits(128)) for _ in range(20)])


def compact(value, ascii_only=False):
    return json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))


def base64_of(data):
    return {"data": base64.b64encode(data).decode()}


def click(now):
    event = {"type": "click", "ts": now, "page": rng.choice(PAGES), "agent": rng.choice(AGENTS)}
    if rng.random() < 0.2:
        event["q"] = rng.choice(GOODS)
    return visitor(), {"text": compact(event)}


def reading(now):
    event = {"ts": now, "temp": rng.randrange(-250, 900) / 10, "rpm": rng.randrange(6000), "town": rng.choice(TOWNS)}
    return device(), {"text": compact(event)}


def order(now):
    lines = [{"sku": rng.choice(GOODS), "n": rng.randrange(1, 5)} for _ in range(rng.randrange(1, 4))]
    event = {"type": "order", "ts": now, "lines": lines, "total": f"{rng.randrange(100, 40_000) / 100:.2f}"}
    return customer(), {"text": compact(event)}


def packed_reading(now):
    samples = [rng.randrange(-2000, 2000) for _ in range(rng.randrange(1, 24))]
    return device(), base64_of(struct.pack(f">QB{len(samples)}h", now, len(samples), *samples))


def heartbeat(_now):
    return device(), rng.choice([{"text": ""}, {"data": ""}])


def thumbnail(_now):
    return visitor(), base64_of(b"\x89PNG\r\n\x1a\n" + rng.getrandbits(8 * 4000).to_bytes(4000, "big"))


def log_batch(now):
    lines = [f"{now + n} dépôt gate {rng.randrange(20)} opened\n" for n in range(150)]
    return device(), {"text": "".join(lines)}


KINDS = {click: 1200, reading: 1000, order: 450, packed_reading: 250, heartbeat: 90, thumbnail: 5, log_batch: 5}


def main():
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    now = START_MS
    for kind in rng.choices(list(KINDS), list(KINDS.values()), k=EVENTS):
        now += rng.randrange(2400)
        key, payload = kind(now)
        event = {"partitionKey": key}
        if rng.random() < 0.08:
            event["explicitHashKey"] = lane()
        # Some producers escape all that is not ASCII; most don't.
        print(compact(event | payload, ascii_only=rng.random() < 0.1))


if __name__ == "__main__":
    main()
