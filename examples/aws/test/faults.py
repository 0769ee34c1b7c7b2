"""An HTTP proxy in front of a local Kinesis that injects faults: throttling, failures and lost responses, random with a fixed seed.

faults.py PORT UPSTREAM STATISTICS
"""

import http.client
import json
import random
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

THROTTLED = "ProvisionedThroughputExceededException"
lock = threading.Lock()
chance = random.Random(20250101)
counts = Counter()


def draw():
    """Draws a number between 0 and 1."""
    with lock:
        return chance.random()


class Proxy(BaseHTTPRequestHandler):
    """Forwards calls, or makes them fail."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        fate = draw()
        if operation == "PutRecords":
            self.put_records(body, fate)
        elif operation in ("GetRecords", "GetShardIterator") and fate < 0.06:
            count("reads throttled" if fate < 0.03 else "reads failed")
            self.refuse(THROTTLED if fate < 0.03 else "InternalFailure")
        elif operation == "GetRecords" and fate < 0.08:
            count("iterators expired")
            self.refuse("ExpiredIteratorException")
        elif operation == "ListShards" and fate < 0.05:
            count("lists throttled")
            self.refuse("LimitExceededException")
        else:
            self.answer(*self.forward(body))

    def put_records(self, body, fate):
        if fate < 0.04:
            count("calls throttled")
            self.refuse(THROTTLED)
        elif fate < 0.07:
            count("calls failed")
            self.refuse("InternalFailure")
        elif fate < 0.10:
            # Everything is stored, but the client gets no response.
            count("answers lost")
            self.forward(body)
            self.close_connection = True
        elif fate < 0.35:
            self.put_some(json.loads(body))
        else:
            self.answer(*self.forward(body))

    def put_some(self, request):
        """Forwards some entries, and makes the others fail."""
        codes = []
        for _ in request["Records"]:
            fate = draw()
            codes.append(THROTTLED if fate < 0.25 else "InternalFailure" if fate < 0.4 else None)
        kept = [record for record, code in zip(request["Records"], codes) if code is None]
        results = []
        if kept:
            status, answer = self.forward(json.dumps(request | {"Records": kept}).encode())
            if status != 200:
                self.answer(status, answer)
                return
            results = json.loads(answer)["Records"]
        results = iter(results)
        answer = [
            {"ErrorCode": code, "ErrorMessage": "by chance"} if code else next(results) for code in codes
        ]
        count("entries throttled", codes.count(THROTTLED))
        count("entries failed", codes.count("InternalFailure"))
        failed = sum("ErrorCode" in entry and entry["ErrorCode"] is not None for entry in answer)
        self.answer(200, json.dumps({"FailedRecordCount": failed, "Records": answer}).encode())

    def forward(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", UPSTREAM, timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length")}
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        result = answer.status, answer.read()
        connection.close()
        return result

    def refuse(self, code):
        status = 500 if code == "InternalFailure" else 400
        self.answer(status, json.dumps({"__type": code, "message": "by chance"}).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def count(what, by=1):
    """Counts, and writes the statistics at once, since the proxy is killed in the end."""
    with lock:
        counts[what] += by
        with open(STATISTICS, "w", encoding="utf-8") as file:
            json.dump(counts, file)


if __name__ == "__main__":
    PORT, UPSTREAM, STATISTICS = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    ThreadingHTTPServer(("127.0.0.1", PORT), Proxy).serve_forever()
