"""An HTTP server on loopback that misbehaves on demand, and counts what it sends.

    with FaultServer() as server:
        server.files["/p.tar.gz"] = data
        server.faults.append(Fault(cut_after=1000))      # one per request, in order; then it behaves
        run(server.url("/p.tar.gz"))
        server.requests                                   # [Seen(path, headers, status, sent)]
"""
import dataclasses
import hashlib
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler

from loopback_server import LoopbackServer


@dataclasses.dataclass
class Fault:
    """What goes wrong with one request; the default is nothing."""
    path: str = ""                  # only a request for that path; empty: any
    status: int = 0                 # answer with this status and `body`
    headers: dict = dataclasses.field(default_factory=dict)   # added, or replacing; None removes one
    body: bytes = b""
    cut_after: int = -1             # close the connection after so many bytes of the body
    ignore_range: bool = False      # answer 200 and everything
    shift_range: int = 0            # the 206 begins elsewhere than was asked
    length: int = -1                # announce this Content-Length
    no_length: bool = False         # end the body by closing
    pause: float = 0.0              # wait before the body
    endless: bool = False           # never stop sending
    reset: bool = False             # close at once, without an answer
    raw: bytes = b""                # send this instead of an HTTP answer


@dataclasses.dataclass
class Seen:
    method: str
    path: str
    headers: dict
    status: int = 0
    sent: int = 0                   # bytes of the body that were handed to the kernel


class FaultServer(LoopbackServer):
    def __init__(self, ranges=True, etags=True, tls=None):
        """tls: (certificate file, key file) for https."""
        self.files = {}             # path: bytes
        self.faults = []
        self.requests = []
        self.ranges = ranges
        self.etags = etags
        self.last_modified = "Sun, 06 Nov 1994 08:49:37 GMT"
        self.chunk = 65536
        self.delay = 0.0            # after each chunk: a slow line
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                outer.serve(self)

            def do_HEAD(self):
                outer.serve(self)

        super().__init__(Handler, tls)

    @property
    def port(self):
        return self.server.server_address[1]

    def url(self, path, host="127.0.0.1"):
        return f"{self.scheme}://{host}:{self.port}{path}"

    def sent(self, path=None):
        return sum(seen.sent for seen in self.requests if path in (None, seen.path))

    def etag(self, data):
        return '"%s"' % hashlib.sha256(data).hexdigest()[:16]

    def next_fault(self, path):
        with self.lock:
            for fault in self.faults:
                if fault.path in ("", path):
                    self.faults.remove(fault)
                    return fault
        return Fault()

    def serve(self, handler):
        path = handler.path.split("?")[0]
        seen = Seen(handler.command, path, {k.lower(): v for k, v in handler.headers.items()})
        with self.lock:
            self.requests.append(seen)
        fault = self.next_fault(path)
        if fault.reset or fault.raw:
            if fault.raw:
                handler.wfile.write(fault.raw)
            return self.hang_up(handler)
        if fault.status:
            return self.answer(handler, seen, fault, fault.status, {}, fault.body)
        if path not in self.files:
            return self.answer(handler, seen, fault, 404, {}, b"no such file\n")
        self.file(handler, seen, fault, self.files[path])

    def file(self, handler, seen, fault, data):
        headers = {"Last-Modified": self.last_modified, "Content-Type": "application/gzip"}
        etag = self.etag(data)
        if self.etags:
            headers["ETag"] = etag
        if self.ranges:
            headers["Accept-Ranges"] = "bytes"
        if seen.headers.get("if-none-match") == etag:
            return self.answer(handler, seen, fault, 304, headers, b"")
        wanted = re.fullmatch(r"bytes=(\d+)-", seen.headers.get("range", ""))
        condition = seen.headers.get("if-range")
        holds = condition in (None, etag if self.etags else self.last_modified)
        if wanted and self.ranges and holds and not fault.ignore_range:
            first = int(wanted[1]) + fault.shift_range
            if first >= len(data):
                headers["Content-Range"] = f"bytes */{len(data)}"
                return self.answer(handler, seen, fault, 416, headers, b"")
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
            return self.answer(handler, seen, fault, 206, headers, data[first:])
        self.answer(handler, seen, fault, 200, headers, data)

    def answer(self, handler, seen, fault, status, headers, body):
        seen.status = status
        headers = dict(headers)
        if not fault.no_length and status != 304:
            headers["Content-Length"] = str(len(body) if fault.length < 0 else fault.length)
        headers.update(fault.headers)
        handler.send_response(status)
        for name, value in headers.items():
            if value is not None:
                handler.send_header(name, value)
        close = fault.no_length or fault.endless or fault.length >= 0
        if close:
            handler.send_header("Connection", "close")
        handler.end_headers()
        if handler.command == "HEAD":
            return
        time.sleep(fault.pause)
        self.send_body(handler, seen, fault, body)
        if close or (0 <= fault.cut_after < len(body)):
            self.hang_up(handler)

    def send_body(self, handler, seen, fault, body):
        end = len(body) if fault.cut_after < 0 else min(fault.cut_after, len(body))
        try:
            for at in range(0, end, self.chunk):
                piece = body[at:min(at + self.chunk, end)]
                handler.wfile.write(piece)
                seen.sent += len(piece)
                if self.delay:
                    time.sleep(self.delay)
            while fault.endless:
                handler.wfile.write(bytes(self.chunk))
                seen.sent += self.chunk
        except OSError:
            handler.close_connection = True

    @staticmethod
    def hang_up(handler):
        handler.close_connection = True
        try:
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
