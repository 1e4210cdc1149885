"""The requests of a FaultRegistry, one by one: distribution-spec 1.1, and what a Fault makes of it."""
import dataclasses
import json
import re
import socket
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler

from registry_content import INDEX, Refusal, Seen, digest_of

PIECE = 1 << 18

@dataclasses.dataclass
class Fault:
    """What goes wrong with the requests of a method whose path matches; the default is nothing."""
    method: str = ""                # only this method; empty: any
    path: str = ""                  # a regular expression, searched in path and query
    times: int = 1                  # for how many requests; -1: all
    skip: int = 0                   # how many requests go well before
    action: object = None           # called with (registry, seen) first: what others do meanwhile
    status: int = 0                 # answer with this status and `body`, do nothing
    headers: dict = dataclasses.field(default_factory=dict)   # added, or replacing; None removes one
    body: bytes = b""
    read_body: bool = True          # with `status`: take the request's body first
    cut_request: int = -1           # close after so many bytes of the request's body; they stay in the session
    cut_after: int = -1             # close after so many bytes of the answer's body
    reset: bool = False             # close at once, without an answer
    reset_after: bool = False       # do all that was asked, then close without an answer
    raw: bytes = b""                # send this instead of an HTTP answer
    pause: float = 0.0              # wait before the answer
    ignore_range: bool = False      # answer 200 and everything
    shift_range: int = 0            # the 206 begins elsewhere than was asked
    shift_label: int = 0            # Content-Range says another beginning than that of the bytes
    length: int = -1                # announce this Content-Length
    wrong_bytes: bool = False       # one bit of the content is another
    endless: bool = False           # never stop sending
    forget: bool = False            # say that it is stored, and do not store it


ROUTES = [(re.compile(pattern), name) for pattern, name in (
    (r"/v2/", "root"), (r"/token", "token"), (r"/v2/_catalog", "catalog"),
    (r"/v2/(?P<repository>.+)/blobs/uploads/", "uploads"),
    (r"/v2/(?P<repository>.+)/blobs/uploads/(?P<identity>[^/]+)", "upload"),
    (r"/v2/(?P<repository>.+)/blobs/(?P<digest>[^/]+)", "blob"),
    (r"/v2/(?P<repository>.+)/manifests/(?P<reference>[^/]+)", "manifest"),
    (r"/v2/(?P<repository>.+)/tags/list", "tags"),
    (r"/v2/(?P<repository>.+)/referrers/(?P<digest>[^/]+)", "referrers"))]


class Hang(Exception):
    """Close without (more of) an answer."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry = None                     # set by handler_of
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def serve(self):
        path, _, query = self.path.partition("?")
        self.seen = Seen(self.command, path, query, {name.lower(): value for name, value in self.headers.items()})
        with self.registry.lock:
            self.registry.requests.append(self.seen)
        self.fault = fault = self.registry.next_fault(self.seen)
        self.body_is_read = False
        try:
            if fault.action:
                fault.action(self.registry, self.seen)
            if fault.reset or fault.raw:
                self.wfile.write(fault.raw)
                raise Hang
            if fault.status:
                if fault.read_body:
                    self.drain()
                return self.answer(fault.status, fault.body)
            self.dispatch(path)
        except Refusal as refusal:
            self.drain()
            self.answer(refusal.status, refusal.body, {"Content-Type": "application/json", **refusal.headers})
        except (Hang, OSError):
            self.hang_up()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def dispatch(self, path):
        for pattern, name in ROUTES:
            if match := pattern.fullmatch(path):
                if name != "token":
                    self.authorize(match.groupdict().get("repository"))
                self.query = dict(urllib.parse.parse_qsl(self.seen.query))
                method = getattr(self, f"{name}_{self.command}".lower(), None)
                if method is None:
                    raise Refusal(405, "UNSUPPORTED")
                return method(**match.groupdict())
        raise Refusal(404, "NAME_UNKNOWN")

    def authorize(self, repository):
        actions = "pull" if self.command in ("GET", "HEAD") else "pull,push"
        if challenge := self.registry.challenge(self.seen, f"repository:{repository}:{actions}"):
            raise Refusal(401, "UNAUTHORIZED", WWW_Authenticate=challenge)

    # Bodies

    def pieces(self):
        """The request's body, piece by piece; a cut ends it with Hang."""
        self.body_is_read = True
        limit = self.fault.cut_request
        for piece in self.raw_pieces():
            if 0 <= limit < self.seen.received + len(piece):
                yield piece[:limit - self.seen.received]
                raise Hang
            self.seen.received += len(piece)
            yield piece
        if limit >= 0:
            raise Hang

    def raw_pieces(self):
        if self.seen.headers.get("transfer-encoding", "") == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                while size:
                    piece = self.rfile.read1(min(size, PIECE))
                    if not piece:
                        raise Hang
                    size -= len(piece)
                    yield piece
                self.rfile.readline()
            self.rfile.readline()
            return
        rest = int(self.seen.headers.get("content-length", 0))
        while rest:
            piece = self.rfile.read1(min(rest, PIECE))
            if not piece:
                raise Hang
            rest -= len(piece)
            yield piece

    def drain(self):
        if not self.body_is_read:
            for _ in self.pieces():
                pass

    def answer(self, status, body=b"", headers=None):
        """`body`: bytes, or (file, first byte, number of bytes)."""
        self.seen.status = status
        fault = self.fault
        if fault.reset_after:
            raise Hang
        time.sleep(fault.pause)
        size = len(body) if isinstance(body, bytes) else body[2]
        headers = {"Content-Length": str(size if fault.length < 0 else fault.length), **(headers or {}), **fault.headers}
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        close = fault.endless or fault.length >= 0
        if close:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and status != 304:
            self.send_body(body, size if fault.cut_after < 0 else min(size, fault.cut_after))
            if 0 <= fault.cut_after < size:
                raise Hang
        if close:
            raise Hang

    def send_body(self, body, end):
        at, flipped = 0, not self.fault.wrong_bytes
        file = None if isinstance(body, bytes) else body[0]
        if file:
            file.seek(body[1])
        while at < end:
            piece = file.read(min(PIECE, end - at)) if file else body[at:at + PIECE][:end - at]
            if not flipped:
                piece, flipped = bytes([piece[0] ^ 1]) + piece[1:], True
            self.wfile.write(piece)
            at += len(piece)
            self.seen.sent += len(piece)
        while self.fault.endless:
            self.wfile.write(bytes(PIECE))
            self.seen.sent += PIECE

    def hang_up(self):
        self.close_connection = True
        try:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def answer_json(self, value, headers=None, media_type="application/json"):
        self.answer(200, json.dumps(value).encode(), {"Content-Type": media_type, **(headers or {})})

    # What there is of everything

    def root_get(self):
        self.answer_json({})

    def token_get(self):
        self.answer_json(self.registry.issue_token(self.seen))

    def catalog_get(self):
        self.answer_json({"repositories": sorted(self.registry.content.repositories)})

    def paged(self, entries):
        """(entries of this page, headers) by `n` and a position in `last`."""
        size = int(self.query.get("n", 0)) or self.registry.page
        if self.registry.page:
            size = min(size, self.registry.page)
        first = int(self.query.get("last", 0))
        page = entries[first:first + size] if size else entries
        rest = size and first + size < len(entries)
        last = first + size if rest else 0
        link = urllib.parse.urlencode({**self.query, "n": size, "last": last})
        return page, ({"Link": f'<{self.seen.path}?{link}>; rel="next"'} if rest or self.registry.endless_referrers else {})

    def tags_get(self, repository):
        if repository not in self.registry.content.repositories:
            raise Refusal(404, "NAME_UNKNOWN")
        page, headers = self.paged(sorted(self.registry.content.repository(repository).tags))
        self.answer_json({"name": repository, "tags": page}, headers)

    def referrers_get(self, repository, digest):
        if not self.registry.referrers_api:
            raise Refusal(404, "NOT_FOUND")
        kind = self.query.get("artifactType")
        with self.registry.lock:
            page, headers = self.paged(self.registry.content.referrers(repository, digest, kind))
        if kind:
            headers["OCI-Filters-Applied"] = "artifactType"
        self.answer_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": page}, headers, INDEX)

    # Blobs

    def blob_head(self, repository, digest):
        path = self.registry.content.find_blob(repository, digest)
        self.answer(200, b"", {"Content-Length": str(path.stat().st_size), "Docker-Content-Digest": digest,
                               "Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"})

    def blob_get(self, repository, digest):
        path = self.registry.content.find_blob(repository, digest)
        if self.registry.redirect_blobs:
            return self.answer(307, b"", {"Location": self.registry.redirect_blobs + self.path})
        with path.open("rb") as file:
            self.send_blob(file, path.stat().st_size, digest)

    def send_blob(self, file, size, digest):
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest, "Accept-Ranges": "bytes"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.seen.headers.get("range", ""))
        if not wanted or self.fault.ignore_range:
            return self.answer(200, (file, 0, size), headers)
        first = int(wanted[1]) + self.fault.shift_range
        last = min(int(wanted[2] or size - 1), size - 1)
        if first > last:
            return self.answer(416, b"", {"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {first + self.fault.shift_label}-{last}/{size}"
        self.answer(206, (file, first, last + 1 - first), headers)

    def blob_delete(self, repository, digest):
        self.registry.content.find_blob(repository, digest)
        self.registry.content.repository(repository).blobs.discard(digest)
        self.answer(202)

    # Uploads

    def upload_headers(self, identity):
        upload = self.registry.content.find_upload(identity)
        path = f"/v2/{upload.repository}/blobs/uploads/{identity}?state={upload.step}"
        origin = self.registry.location_origin or ("" if self.registry.relative_locations else self.registry.url())
        headers = {"Location": origin + path, "Range": f"0-{max(upload.size - 1, 0)}", "Docker-Upload-UUID": identity}
        if self.registry.min_chunk:
            headers["OCI-Chunk-Min-Length"] = str(self.registry.min_chunk)
        return headers

    def uploads_post(self, repository):
        self.drain()
        content = self.registry.content
        mounted = self.query.get("mount")
        if mounted and self.registry.mounts and content.mount(repository, mounted, self.query.get("from", "")):
            return self.answer(201, b"", {"Location": f"/v2/{repository}/blobs/{mounted}", "Docker-Content-Digest": mounted})
        content.repository(repository)
        self.answer(202, b"", self.upload_headers(content.begin_upload(repository)))

    def session(self, identity):
        upload = self.registry.content.find_upload(identity)
        if self.registry.moving_locations and self.query.get("state") != str(upload.step):
            raise Refusal(404, "BLOB_UPLOAD_UNKNOWN", "an old Location")
        return upload

    def receive(self, identity, upload):
        # Read before the range is judged, for a client that sends it all the same.
        begins = self.seen.headers.get("content-range")
        if begins is not None:
            wanted = re.fullmatch(r"(\d+)-(\d+)", begins)
            fits = wanted and int(wanted[2]) + 1 - int(wanted[1]) == int(self.seen.headers.get("content-length", 0))
            if not fits or int(wanted[1]) != upload.size:
                self.drain()
                raise Refusal(416, "BLOB_UPLOAD_INVALID", **self.upload_headers(identity))
        try:
            for piece in self.pieces():
                if not self.fault.forget:
                    upload.append(piece)
        except (Hang, OSError):
            if not self.registry.keeps_session:
                self.registry.content.drop_upload(identity)
            raise

    def upload_patch(self, repository, identity):
        if not self.registry.chunks:
            raise Refusal(405, "UNSUPPORTED")
        upload = self.session(identity)
        self.receive(identity, upload)
        upload.step += 1
        self.answer(202, b"", self.upload_headers(identity))

    def upload_put(self, repository, identity):
        self.receive(identity, self.session(identity))
        digest = self.query.get("digest", "")
        if self.fault.forget:
            self.registry.content.drop_upload(identity)
        else:
            self.registry.content.finish_upload(identity, digest)
        self.answer(201, b"", {"Location": f"/v2/{repository}/blobs/{digest}", "Docker-Content-Digest": digest})

    def upload_get(self, repository, identity):
        self.registry.content.find_upload(identity)  # an old Location tells the new one
        self.answer(204, b"", {**self.upload_headers(identity), "Content-Length": None})

    def upload_delete(self, repository, identity):
        self.registry.content.find_upload(identity)
        self.registry.content.drop_upload(identity)
        self.answer(204, b"", {"Content-Length": None})

    # Manifests

    def manifest_get(self, repository, reference):
        with self.registry.lock:
            digest, media_type, data = self.registry.content.find_manifest(repository, reference)
        headers = {"Content-Type": media_type, "Docker-Content-Digest": digest}
        if self.registry.etags:
            headers["ETag"] = f'"{digest}"'
            if self.seen.headers.get("if-none-match") == headers["ETag"]:
                self.answer(304, b"", {"ETag": headers["ETag"], "Content-Length": None})
                return
        if self.command == "HEAD":
            headers["Content-Length"] = str(len(data))
        self.answer(200, data, headers)

    manifest_head = manifest_get

    def manifest_put(self, repository, reference):
        data = b"".join(self.pieces())
        headers = {"Docker-Content-Digest": digest_of(data), "Location": f"/v2/{repository}/manifests/{digest_of(data)}"}
        if not self.fault.forget:
            with self.registry.lock:
                self.check_match(repository, reference)
                _, subject = self.registry.content.put_manifest(repository, reference,
                                                                self.seen.headers.get("content-type", ""), data)
            if subject and self.registry.referrers_api:
                headers["OCI-Subject"] = subject
        self.answer(201, b"", headers)

    def check_match(self, repository, reference):
        wanted = self.seen.headers.get("if-match")
        there = self.registry.content.repository(repository).tags.get(reference)
        if self.registry.etags and wanted not in (None, f'"{there}"'):
            raise Refusal(412, "PRECONDITION_FAILED")
        if self.registry.etags and there and self.seen.headers.get("if-none-match") == "*":
            raise Refusal(412, "PRECONDITION_FAILED")

    def manifest_delete(self, repository, reference):
        with self.registry.lock:
            self.registry.content.delete_manifest(repository, reference)
        self.answer(202)


def handler_of(registry):
    return type("RegistryHandler", (Handler,), {"registry": registry})
