"""An OCI registry (distribution-spec 1.1) on loopback that misbehaves on demand, and counts what goes over the line.

    with FaultRegistry() as registry:
        registry.faults.append(Fault("PATCH", skip=2, cut_request=1000))   # the third PATCH is cut; what came is kept
        run("publish", package, "--registry", registry.location("team"))
        registry.seen("PATCH")                                             # [Seen(method, path, headers, status, …)]
        registry.content.repository("team/name").tags                      # what it holds

Unlike docker-registry it keeps an upload session whose request was cut, and knows the referrers API. What a registry
may do or leave is an attribute: `chunks`, `min_chunk`, `mounts`, `referrers_api`, `relative_locations`, `page`, …
"""
import base64
import re
import secrets
import tempfile
import threading
import urllib.parse

from loopback_server import LoopbackServer
from registry_content import Content, Refusal, Seen
from registry_handler import Fault, handler_of


class FaultRegistry(LoopbackServer):
    def __init__(self, tls=None, token=None):
        """tls: (certificate, key) files. token: (user, password) that get one; it is good for `token_uses` requests."""
        self.temporary = tempfile.TemporaryDirectory(prefix="fault-registry-")
        self.content = Content(self.temporary.name + "/content")
        self.faults, self.requests = [], []
        self.chunks = True              # False: a PATCH is 405
        self.min_chunk = 0              # OCI-Chunk-Min-Length
        self.keeps_session = True       # False: a cut request ends it, as with docker-registry
        self.mounts = True
        self.referrers_api = True
        self.endless_referrers = False  # each page links to a next one
        self.relative_locations = False
        self.location_origin = ""       # another scheme://host:port for upload Locations
        self.moving_locations = True    # each 202 gives a new Location, and the old one is dead
        self.redirect_blobs = ""        # scheme://host:port to which GET of a blob is redirected (307)
        self.page = 0                   # entries of a page of tags and referrers; 0: no pages
        self.etags = False              # ETag on manifests, and If-Match on PUT is obeyed
        self.token, self.token_uses, self.tokens, self.scopes = token, 1 << 30, {}, []
        self.lock = threading.RLock()
        super().__init__(handler_of(self), tls)

    def __exit__(self, *_):
        super().__exit__()
        self.temporary.cleanup()

    @property
    def host(self):
        return "127.0.0.1:%d" % self.server.server_address[1]

    def location(self, base=""):
        return f"oci://{self.host}/{base}".rstrip("/")

    def url(self, path=""):
        return f"{self.scheme}://{self.host}{path}"

    def seen(self, method="", path=""):
        return [seen for seen in self.requests if method in ("", seen.method) and re.search(path, seen.path)]

    def received(self):
        """Bytes of all blobs' uploads."""
        return sum(seen.received for seen in self.requests if "/blobs/" in seen.path)

    def next_fault(self, seen):
        with self.lock:
            for fault in self.faults:
                target = seen.path + ("?" + seen.query if seen.query else "")
                if fault.method in ("", seen.method) and re.search(fault.path, target) and fault.times != 0:
                    if fault.skip > 0:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return Fault()

    def challenge(self, seen, scope):
        """None where the request may go on, else the answer's WWW-Authenticate."""
        if self.token is None:
            return None
        kind, _, value = seen.headers.get("authorization", "").partition(" ")
        with self.lock:
            if kind == "Bearer" and self.tokens.get(value, 0) > 0:
                self.tokens[value] -= 1
                return None
        return f'Bearer realm="{self.url("/token")}",service="fault-registry",scope="{scope}"'

    def issue_token(self, seen):
        kind, _, value = seen.headers.get("authorization", "").partition(" ")
        if kind != "Basic" or base64.b64decode(value).decode() != ":".join(self.token):
            raise Refusal(401, "UNAUTHORIZED")
        value = secrets.token_urlsafe(24)
        with self.lock:
            self.scopes.append(urllib.parse.parse_qs(seen.query).get("scope", []))
            self.tokens[value] = self.token_uses
        return {"token": value}
