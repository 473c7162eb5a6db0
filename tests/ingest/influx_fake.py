"""A fake InfluxDB: for what no real one at hand can be made to answer."""

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FakeInflux(ThreadingHTTPServer):
    """Not InfluxDB: answers as its documentation says, keeps the lines it took, refuses lines that hold `bad`."""

    daemon_threads = True

    def __init__(self, version: str, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.version = version
        self.tls = tls
        self.lines: dict[bytes, bytes] = {}
        self.requests: list[str] = []
        self.authorization: list[str | None] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        """What to answer next, whatever is asked."""
        self.bad = b"\0"
        self.refusal: tuple[int, dict] = (400, {"error": "because", "code": "x", "message": "because"})
        """What it answers when a line is bad."""
        self.takes_the_good_ones = True
        """Whether it writes the other lines of a request that holds a bad one."""
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.server_port}"

    def handle_error(self, *_args) -> None:
        """Say nothing of clients that do not trust us."""

    def end(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: FakeInflux

    def log_message(self, *_args) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(204)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(self.path)
        self.server.authorization.append(self.headers.get("Authorization"))
        if self.server.answers:
            return self._answer(*self.server.answers.pop(0))
        lines = body.splitlines()
        refused = any(self.server.bad in line for line in lines)
        for line in lines if self.server.takes_the_good_ones or not refused else ():
            if self.server.bad not in line:
                self._take(line)
        return self._answer(self.server.refusal[0] if refused else 204)

    def _take(self, line: bytes) -> None:
        head, fields, time = line.split(b" ")
        there = self.server.lines.get(head + b" " + time, b"").split(b",")
        union = dict(field.split(b"=") for field in [*there, *fields.split(b",")] if field)
        self.server.lines[head + b" " + time] = b",".join(b"%s=%s" % pair for pair in union.items())

    def _answer(self, status: int, headers: dict[str, str] | None = None) -> None:
        body = b"" if status == 204 else json.dumps(self.server.refusal[1]).encode()
        self.send_response(status)
        self.send_header("X-Influxdb-Version", self.server.version)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
