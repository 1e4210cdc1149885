"""A proof service that behaves as the live platform does: it computes nothing, a proof stays queued until somebody POSTs verify or
status, verify_endpoint does not exist, verify replaces the hash and the anchors, lists hold noise.

    with FakePlatform() as platform:
        run(..., platform.url)
        platform.proofs        # by proof_id
        platform.requests      # [(method, path, headers, body)]
"""
import hashlib
import http.server
import json
import secrets
import threading
import urllib.parse

from loopback_server import LoopbackServer

UTID = "UTID:REAL:00112233445566778899aabbccddeeff:1700000000000:none:180308143315021d:e2142031359d271a"


class FakePlatform(LoopbackServer):
    def __init__(self, prefix="", api_key=None):
        self.prefix = prefix
        self.api_key = api_key
        self.proofs = {}
        self.requests = []
        self.refusals = []           # (status, headers) for the next requests, in their order
        self.verify_works = True     # else the proof stays where it is
        self.before_answer = None    # called with (method, path) before an answer is sent
        self.instead = None          # called with (method, path): bytes of a response to send instead, or None
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer._serve(self, None)

            def do_POST(self):
                outer._serve(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def log_message(self, *_):
                pass

        super().__init__(Handler)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}{self.prefix}"

    def count(self, method, path):
        return sum(1 for seen in self.requests if seen[:2] == (method, path))

    def add(self, proof_hash, utid=UTID, **more):
        """A proof that was there before; gives its id."""
        proof_id = "proof_" + secrets.token_hex(4)
        self.proofs[proof_id] = {"proof_id": proof_id, "status": "queued", "hash": proof_hash, "anchors": [], "evidence": [],
                                 "signed_by": "dac", "signature": "0" * 16, "utid": utid, "domain": "capsule", **more}
        return proof_id

    def _serve(self, handler, body):
        with self.lock:
            path = urllib.parse.urlsplit(handler.path).path
            self.requests.append((handler.command, path, dict(handler.headers.items()), body))
            if self.refusals:
                status, headers = self.refusals.pop(0)
                reply = {"detail": "not now"}
            else:
                status, headers, reply = self._answer(handler, body)
        if self.before_answer:
            self.before_answer(handler.command, path)
        data = json.dumps(reply).encode()
        raw = self.instead(handler.command, path) if self.instead else None
        try:
            if raw is not None:
                handler.close_connection = True
                handler.wfile.write(raw)
                return
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def _answer(self, handler, body):
        parts = urllib.parse.urlsplit(handler.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        if "unsafe" in handler.path:
            return 400, {}, {"detail": "unsafe"}
        if "overheat" in handler.path:
            return 429, {"Retry-After": "60"}, {"detail": "overheat"}
        if self.api_key and handler.headers.get("X-API-Key") != self.api_key:
            return 401, {}, {"detail": "Missing API key"}
        path = parts.path.removeprefix(self.prefix)
        document = json.loads(body) if body else None
        if (handler.command, path) == ("POST", "/v1/utid/generate"):
            return 200, {}, {"utid": UTID, "issued_at_ms": 1700000000000}
        if "X-UTID" not in handler.headers:
            return 403, {}, {"detail": "Missing X-UTID header"}
        if path == "/v1/proofs":
            return 307, {"Location": self.prefix + "/v1/proofs/"}, {}
        if (handler.command, path) == ("GET", "/v1/proofs/"):
            return 200, {}, self._list(query)
        if (handler.command, path) == ("POST", "/v1/proofs/generate"):
            return self._generate(handler, document)
        if (handler.command, path) == ("POST", "/v1/proofs/verify"):
            return self._verify(document)
        return self._one(handler.command, path, document)

    def _list(self, query):
        noise = [{"proof_id": f"proof_{i:08x}", "utid": None, "domain": "api_request", "inputs": {}, "outputs": {}, "metadata": {}}
                 for i in range(3)]
        found = [proof for proof in reversed(self.proofs.values()) if query.get("proof_hash") in (None, proof["hash"])]
        return noise + [{"proof_id": proof["proof_id"], "utid": proof["utid"], "domain": "capsule", "inputs": {}, "outputs": {},
                         "metadata": {}} for proof in found]

    def _generate(self, handler, asked):
        for group in [asked["requester"], *asked["artifacts"]]:
            if not all(isinstance(value, str) for value in group.values()):
                return 422, {}, {"detail": "not a string"}
        utid = (asked.get("anchor") or {}).get("utid")
        proof_id = self.add(asked.get("proof_hash") or "sha256:none", utid or handler.headers["X-UTID"])
        return 200, {}, {"proof_id": proof_id, "status": "queued", "estimated_time_s": 5,
                         "verify_endpoint": f"/v1/proofs/{proof_id}/verify", "utid": utid,
                         "proof_hash": self.proofs[proof_id]["hash"]}

    def _verify(self, asked):
        for proof in self.proofs.values():
            if proof["hash"] != asked["proof_hash"]:
                continue
            if self.verify_works:
                proof["status"] = "verified"
                proof["hash"] = hashlib.sha256(proof["hash"].encode()).hexdigest()
                proof["anchors"] = [{"chain": "local", "tx": "0x1", "time": 1}]
            return 200, {}, {"status": "verified", "valid": True, "verifier": asked["verifier"], "proof_id": proof["proof_id"],
                             "anchors": proof["anchors"], "proof_score": 1.0, "proof_hash": proof["hash"]}
        return 404, {}, {"detail": "Proof not found"}

    def _one(self, method, path, document):
        parts = path.split("/")
        proof = self.proofs.get(parts[3]) if len(parts) in (4, 5) and path.startswith("/v1/proofs/") else None
        if proof is None:
            return 404, {}, {"detail": "Proof not found"}
        if method == "GET" and len(parts) == 4:
            return 200, {}, proof
        if method == "POST" and parts[4:] == ["status"]:
            proof.update({key: document[key] for key in ("status", "anchors", "evidence") if key in document})
            return 200, {}, {"proof_id": proof["proof_id"], "status": proof["status"], "anchors": proof["anchors"],
                             "proof_score": None}
        return 404, {}, {"detail": "Not Found"}
