"""Debian's docker-registry 2.8 on a free loopback port, with its content in a temporary folder.

    with DockerRegistry() as registry:                                  # plain http
        run("publish", package, "--registry", registry.location("team"))
        registry.get("/v2/team/name/tags/list")                         # (status, headers, bytes)

    DockerRegistry(tls=make_certificate(folder, "registry"))            # (certificate, key) files
    DockerRegistry(htpasswd={"user": "password"})
    DockerRegistry(address="::1")
    DockerRegistry(token={"realm": url, "service": "s", "issuer": "i", "rootcertbundle": path})
"""
import base64
import crypt
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

PROGRAM = "/usr/bin/docker-registry"


def free_port(address="127.0.0.1"):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as listener:
        return listener.getsockname()[1]


class DockerRegistry:
    def __init__(self, tls=None, htpasswd=None, token=None, address="127.0.0.1"):
        self.tls, self.htpasswd, self.token, self.address = tls, htpasswd, token, address
        self.temporary = tempfile.TemporaryDirectory(prefix="docker-registry-")
        self.folder = Path(self.temporary.name)
        self.content = self.folder / "content"
        self.log = self.folder / "log"
        self.process = None
        self.port = 0

    def __enter__(self):
        try:
            for _ in range(5):  # between the choice of a port and its use somebody else may take it
                self.start(free_port(self.address))
                if self.is_up():
                    return self
                self.stop()
            raise RuntimeError("docker-registry does not start:\n" + self.log.read_text()[-2000:])
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.stop()
        self.temporary.cleanup()

    @property
    def scheme(self):
        return "https" if self.tls else "http"

    @property
    def host(self):
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    def location(self, base=""):
        return f"oci://{self.host}/{base}".rstrip("/")

    def url(self, path):
        return f"{self.scheme}://{self.host}{path}"

    def start(self, port):
        """On the same content, if there is some."""
        self.port = port
        config = self.folder / "config.yml"
        config.write_text(json.dumps(self.configuration()), encoding="utf-8")  # JSON is YAML
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([PROGRAM, "serve", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "OTEL_TRACES_EXPORTER": "none"})

    def stop(self, sign=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(sign)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def configuration(self):
        http = {"addr": self.host, "secret": "of this test alone"}
        if self.tls:
            http["tls"] = {"certificate": str(self.tls[0]), "key": str(self.tls[1])}
        config = {"version": 0.1, "log": {"level": "info", "accesslog": {"disabled": False}}, "http": http,
                  "storage": {"filesystem": {"rootdirectory": str(self.content)}, "delete": {"enabled": True}}}
        if self.htpasswd:
            users = self.folder / "htpasswd"
            users.write_text("".join(f"{name}:{crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))}\n"
                                     for name, password in self.htpasswd.items()), encoding="utf-8")
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(users)}}
        if self.token:
            config["auth"] = {"token": {key: str(value) for key, value in self.token.items()}}
        return config

    def is_up(self, patience=20.0):
        until = time.monotonic() + patience
        while time.monotonic() < until and self.process.poll() is None:
            try:
                self.get("/v2/")
                return True
            except OSError:
                time.sleep(0.02)
        return False

    def request(self, method, path, body=None, headers=None):
        """(status, headers, bytes); a path or a whole URL, as the first user where there are any."""
        headers = dict(headers or {})
        if self.htpasswd:
            user = "{}:{}".format(*next(iter(self.htpasswd.items())))
            headers.setdefault("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
        url = path if path.startswith("http") else self.url(path)
        asked = urllib.request.Request(url, data=body, method=method, headers=headers)
        context = ssl.create_default_context(cafile=str(self.tls[0])) if self.tls else None
        openers = [urllib.request.ProxyHandler({})] + ([urllib.request.HTTPSHandler(context=context)] if context else [])
        try:
            with urllib.request.build_opener(*openers).open(asked, timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def get(self, path, **headers):
        return self.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def repository_folder(self, repository):
        return self.content / "docker/registry/v2/repositories" / repository

    def tags(self, repository):
        folder = self.repository_folder(repository) / "_manifests/tags"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def tag_digest(self, repository, tag):
        return (self.repository_folder(repository) / "_manifests/tags" / tag / "current/link").read_text()

    def blobs(self):
        """Digests of all blobs, manifests among them."""
        folder = self.content / "docker/registry/v2/blobs"
        return {"sha256:" + path.parent.name for path in folder.glob("sha256/*/*/data")}

    def uploads(self, repository):
        """Upload sessions that somebody began and nobody ended."""
        folder = self.repository_folder(repository) / "_uploads"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []

    def remove_content(self):
        shutil.rmtree(self.content, ignore_errors=True)

    def log_lines(self, method):
        """The access log's lines of one method."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if f'"{method} ' in line]
