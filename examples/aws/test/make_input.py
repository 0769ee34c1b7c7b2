"""Writes user records as JSON Lines, the same each time: all numbered, one in eight with an explicit hash key."""

import json
import random
import sys

chance = random.Random(7)
for number in range(int(sys.argv[1])):
    record = {
        "partitionKey": f"device-{chance.randrange(5000)}",
        "text": f"{number} " + "x" * chance.randrange(20, 160),
    }
    if chance.randrange(8) == 0:
        record["explicitHashKey"] = str(chance.randrange(1 << 128))
    print(json.dumps(record))
