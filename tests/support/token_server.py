"""A token server for docker-registry (distribution's token authentication) on loopback: JWTs that OpenSSL signs.

    with TokenServer({"user": "password"}) as tokens:
        with DockerRegistry(token=tokens.for_registry()) as registry:
            tokens.grants["user"] = {"team/name": {"pull"}}    # else everything
            tokens.asked                                       # [Asked(method, user, scopes)]
"""
import base64
import json
import secrets
import ssl
import subprocess
import tempfile
import time
import urllib.parse
from collections import namedtuple
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from certificates import make_certificate
from loopback_server import LoopbackServer

Asked = namedtuple("Asked", "method user scopes")


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw_signature(der):
    """r and s of an ECDSA signature (SEQUENCE of two INTEGERs) as JWS wants them (RFC 7518 §3.4)."""
    length = der[3]
    r, s = der[4:4 + length], der[6 + length:]
    return r.lstrip(b"\0").rjust(32, b"\0") + s.lstrip(b"\0").rjust(32, b"\0")


class TokenServer(LoopbackServer):
    service, issuer = "test registry", "test tokens"

    def __init__(self, users, tls=None, host="127.0.0.1"):
        """users: {name: password}. tls: (certificate, key) files."""
        self.users = users
        self.identity_tokens = {}  # {refresh token: user}
        self.grants = {}           # {user, or "" for nobody: {repository: actions}}; who is not in it gets everything
        self.answers_with = None   # (status, headers, body) instead of a token
        self.asked, self.issued = [], []
        self.temporary = tempfile.TemporaryDirectory(prefix="token-server-")
        self.certificate, self.key = make_certificate(self.temporary.name, "tokens")
        super().__init__(handler_of(self), tls, host)

    def __exit__(self, *_):
        super().__exit__()
        self.temporary.cleanup()

    @property
    def realm(self):
        return "{}://{}:{}/token".format(self.scheme, *self.server.server_address)

    def for_registry(self, realm=None):
        return {"realm": realm or self.realm, "service": self.service, "issuer": self.issuer, "rootcertbundle": self.certificate}

    def scopes(self):
        return [scope for asked in self.asked for scope in asked.scopes]

    def allowed(self, user, scope):
        """What of a scope "repository:<name>:<actions>" the user gets."""
        kind, name, actions = scope.rsplit(":", 2) if scope.count(":") == 2 else (scope, "", "")
        wanted = set(actions.split(","))
        granted = self.grants[user].get(name, set()) if user in self.grants else wanted
        return {"type": kind, "name": name, "actions": sorted(wanted & granted)}

    def token(self, user, scopes):
        chain = base64.b64encode(ssl.PEM_cert_to_DER_cert(Path(self.certificate).read_text(encoding="ascii"))).decode()
        header = {"typ": "JWT", "alg": "ES256", "x5c": [chain]}
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": user, "aud": self.service, "iat": now, "nbf": now - 5, "exp": now + 300,
                  "jti": secrets.token_hex(8), "access": [self.allowed(user, scope) for scope in scopes]}
        text = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims)).encode()
        der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=text, capture_output=True, check=True).stdout
        token = text.decode() + "." + encoded(raw_signature(der))
        self.issued.append(token)
        return token

    def user_of(self, method, form, authorization):
        """The user's name, "" for nobody; None where the secret is wrong."""
        if method == "POST":
            return self.identity_tokens.get(form.get("refresh_token", [""])[0])
        kind, _, value = authorization.partition(" ")
        if not kind:
            return ""
        name, _, password = base64.b64decode(value).decode().partition(":")
        return name if kind == "Basic" and self.users.get(name) == password else None


def handler_of(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self, status, body=b"", headers=()):
            self.send_response(status)
            for name, value in (*headers, ("Content-Length", str(len(body)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def issue(self, text, scopes_of):
            form = urllib.parse.parse_qs(text)
            scopes = scopes_of(form.get("scope", []))
            user = server.user_of(self.command, form, self.headers.get("Authorization", ""))
            server.asked.append(Asked(self.command, user, scopes))
            if server.answers_with:
                status, headers, body = server.answers_with
                self.answer(status, body, headers)
            elif user is None:
                self.answer(401, text.encode())  # an echo: it must not be shown
            else:
                name = "access_token" if self.command == "POST" else "token"
                self.answer(200, json.dumps({name: server.token(user, scopes), "expires_in": 300}).encode())

        def do_GET(self):
            self.issue(urllib.parse.urlsplit(self.path).query, lambda scopes: scopes)

        def do_POST(self):
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.issue(text, lambda scopes: [scope for text in scopes for scope in text.split(" ")])

    return Handler
