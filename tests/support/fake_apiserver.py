"""An apiserver that says what it is told to, over TLS: for faults that a real one does not show on demand.

    with FakeApiserver(folder) as server:
        server.answers.append(Answer(429, {"Retry-After": "1"}))   # one per request, in order; then an empty object
        server.kubeconfig(token="a-token")                               # the file that names it
        server.requests                                            # [Seen(method, path, headers, client)]
"""
import dataclasses
import json
import ssl
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from certificates import make_certificate
from loopback_server import LoopbackServer


@dataclasses.dataclass
class Answer:
    status: int = 200
    headers: dict = dataclasses.field(default_factory=dict)
    body: object = dataclasses.field(default_factory=dict)   # a document, or pieces (bytes) that are sent one by one
    pause: float = 0.0                                       # before it, in seconds
    cut: bool = False                                        # after the pieces: close without the end of the body
    reset: bool = False                                      # close at once, without an answer


@dataclasses.dataclass
class Seen:
    method: str
    path: str
    headers: dict
    client: str      # the common name of the client's certificate
    body: bytes


def status(code, reason, message, name="x"):
    """A metav1.Status as an Answer."""
    return Answer(code, {}, {"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": message, "details": {"name": name}})


def event(kind, name, version):
    """One line of a watch."""
    return json.dumps({"type": kind, "object": {"metadata": {"name": name, "resourceVersion": str(version)}}}).encode() + b"\n"


class FakeApiserver(LoopbackServer):
    def __init__(self, folder, names="IP:127.0.0.1", clients=None):
        """clients: the certificate (file) that a client has to show."""
        self.folder = Path(folder)
        self.certificate, key = make_certificate(folder, "apiserver", names)
        self.answers, self.requests = [], []
        self.tokens = None      # those that are taken; None: any
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self):
                outer.answer(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        super().__init__(Handler, (self.certificate, key))
        if clients:
            context = self.server.socket.context
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients)

    @property
    def url(self):
        return f"https://127.0.0.1:{self.server.server_address[1]}"

    def kubeconfig(self, name="config", cluster=None, **user):
        """The file; `cluster` adds to or replaces what it says of the cluster (None takes away)."""
        about = {"server": self.url, "certificate-authority": str(self.certificate), **(cluster or {})}
        document = {"apiVersion": "v1", "kind": "Config", "current-context": "x",
                    "clusters": [{"name": "c", "cluster": {key: value for key, value in about.items() if value is not None}}],
                    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                    "users": [{"name": "u", "user": {key.replace("_", "-"): value for key, value in user.items()}}]}
        file = self.folder / name
        file.write_text(json.dumps(document), encoding="utf-8")
        return file

    def answer(self, handler):
        client = handler.connection.getpeercert() or {}
        name = {key: value for part in client.get("subject", ()) for key, value in part}.get("commonName", "")
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.requests.append(Seen(handler.command, handler.path, {key.lower(): value for key, value in handler.headers.items()}, name, body))
        token = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.tokens is not None and token not in self.tokens:
            return self.send(handler, status(401, "Unauthorized", f"not this one: {token}"))
        self.send(handler, self.answers.pop(0) if self.answers else Answer())

    def send(self, handler, answer):
        time.sleep(answer.pause)
        if answer.reset:
            handler.close_connection = True
            return handler.connection.close()
        pieces = answer.body if isinstance(answer.body, list) else [json.dumps(answer.body).encode()]
        handler.send_response(answer.status)
        for key, value in {"Content-Type": "application/json", "Transfer-Encoding": "chunked", **answer.headers}.items():
            handler.send_header(key, value)
        handler.end_headers()
        for piece in pieces:
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            handler.wfile.flush()
        if answer.cut:
            handler.close_connection = True
            return handler.connection.close()
        handler.wfile.write(b"0\r\n\r\n")
