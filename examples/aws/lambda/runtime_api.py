"""A stand-in for Lambda's Runtime API on the loopback interface: it provides events and receives responses."""

import http.server
import json
import os
import pathlib
import queue
import subprocess
import threading

PREFIX = "/2018-06-01/runtime/"
HEADERS = {
    "Lambda-Runtime-Aws-Request-Id": "trial",
    "Lambda-Runtime-Deadline-Ms": "9999999999999",
    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:123456789012:function:trial",
    "Content-Type": "application/json",
}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Ignores errors: a function that exits leaves its connection open, and `invoke` notices missing responses."""


class Function:
    """A running function: a process that requests events from this one."""

    def __init__(self, program, **environment):
        self.events = queue.Queue()
        self.answers = queue.Queue()
        function = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                assert self.path == PREFIX + "invocation/next", self.path
                event = function.events.get()
                if event is not None:
                    self.answer(200, event)

            def do_POST(self):
                length = self.headers["Content-Length"]
                body = self.chunks() if length is None else self.rfile.read(int(length))
                assert self.path.startswith(PREFIX), self.path
                self.answer(202, b"")
                function.answers.put((self.path.removeprefix(PREFIX), json.loads(body)))

            def answer(self, status, body):
                self.send_response(status)
                if status == 200:
                    for name, value in HEADERS.items():
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def chunks(self):
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        environment |= {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "trial",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_GROUP_NAME": "trial",
            "AWS_LAMBDA_LOG_STREAM_NAME": "trial",
            "PATH": os.environ["PATH"],
        }
        self.log = open(pathlib.Path(program).with_suffix(".log"), "ab")
        self.process = subprocess.Popen([program], env=environment, stdout=self.log, stderr=self.log)

    def invoke(self, event):
        """Sends an event and returns the response."""
        self.events.put(json.dumps(event).encode())
        try:
            path, answer = self.answers.get(timeout=60)
        except queue.Empty:
            raise SystemExit("the function does not respond") from None
        if not path.endswith("/response"):
            raise SystemExit(f"the function failed: {path}: {answer}")
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.events.put(None)
        self.server.shutdown()
        self.log.close()
