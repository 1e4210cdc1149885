"""Bytes that resolve and register read and write of an index with 10⁴ versions of one name, among 10⁵ names.

    bench_index.py [--versions 10000] [--names 100000] [--folder DIR]

Four versions come about as a user makes them, the last one once the others are there; those are written into the layout
under a head that the same key signs, so that nothing tells them apart until somebody opens their records. What is read
and written is counted by strace, by file: the documents of the index (head, page, record, and the manifests above them),
and the layout's own files (index.json, what stands beside it, oci-layout), which a registry over HTTP has not. The goal
is for both together. Then the same of docker-registry, by what goes through the socket, less the capsule. Exit code 1 if it is missed.
"""
import argparse
import collections
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from capsule_maker import Maker  # noqa: E402
from oci_layout import EMPTY, INDEX, MANIFEST, Layout, sha256  # noqa: E402
from registry_server import DockerRegistry  # noqa: E402
from registered import opened, signed  # noqa: E402
from steps import BIN, environment, run  # noqa: E402

KIND = "application/vnd.industriverse.capsule.index-{}.v1+json"
GOAL = 64  # KiB
CALL = re.compile(r"(read|pread64|readv|write|pwrite64|writev|copy_file_range)\(\d+<([^>]*)>.*= (\d+)$")
SOCKET = re.compile(r"(read|readv|recvfrom|recvmsg|write|writev|sendto|sendmsg)\(\d+<(?:TCP|socket)[^>]*>.*= (\d+)$")
ANSWER = re.compile(r'"GET /v2/team/demo/(?:manifests|blobs)/(sha256:\w+) HTTP/1.1" 200 (\d+)')


class Registry:
    """A registry with keys and a policy of its own, and one name in it."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.state = self.folder / "state"
        self.place = f"oci-layout:{self.folder}/registry"
        self.layout = self.folder / "registry/demo"
        self.step("sign", "keygen", "--state", self.state)
        self.maker = Maker(self.folder)
        self.maker.key = self.state / "secrets/capsule-key-capsule/key.pem"

    def step(self, name, *arguments):
        done = run(name, *arguments)
        assert done.code == 0, done
        return done.result

    def publish(self, version):
        package = self.maker.make(version=version, files={"expansion/m/model.pt": b""})
        return self.step("publish", package, "--registry", self.place, "--state", self.state)["reference"]

    def blob(self, data):
        path = self.layout / "blobs/sha256" / hashlib.sha256(data).hexdigest()
        path.write_bytes(data)
        return {"digest": sha256(data), "size": len(data)}

    def artifact(self, kind, content, referred=()):
        """(where the content is, the entry of its manifest in index.json)."""
        where = self.blob(content)
        layers = [{"mediaType": KIND.format(kind), **where}]
        layers += [{"mediaType": KIND.format("page"), **page} for page in referred]
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": KIND.format(kind),
                    "config": {"mediaType": EMPTY, **self.blob(b"{}")}, "layers": layers}
        data = json.dumps(manifest, separators=(",", ":")).encode()
        return where, {"mediaType": MANIFEST, **self.manifest(data)}

    def manifest(self, data):
        return self.blob(data)

    def fill(self, versions, names):
        layout = Layout(self.layout)
        head_layer = layout.document(layout.tagged("index"))["layers"][0]
        statement = opened(layout.blob(head_layer))
        head = statement["predicate"]
        pages = collections.defaultdict(dict)
        for number, page in head["pages"].items():
            pages[number].update(json.loads(layout.blob({**page, "digest": page["digest"]})))
        record = layout.blob(layout.document(layout.tagged("index-v-1.0.0"))["layers"][0])
        entries = [entry for entry in layout.index["manifests"] if "index" != self.tag_of(entry)]
        for i in range(head["count"], versions):
            version = f"0.{i // 100}.{i % 100}"
            # The same length as a real record: 10⁴ signatures would show nothing more.
            where, entry = self.artifact("record", record.replace(b"1.0.0", version.encode())[:len(record) - 8] + b"%08d" % i)
            pages[self.page_of(version, head["page_bits"])][version] = where
            published = sha256(version.encode())
            entries += [{**entry, "annotations": {"org.opencontainers.image.ref.name": f"index-v-{version}"}},
                        {"mediaType": MANIFEST, "digest": published, "size": 900,
                         "annotations": {"org.opencontainers.image.ref.name": version}}]
            entries += [{"mediaType": MANIFEST, "digest": sha256(f"{version}{kind}".encode()), "size": 700,
                         "annotations": {"ai.industriverse.capsule.subject": published}} for kind in range(4)]
        entry = self.put_head(statement, head_layer["digest"], pages, versions)
        entries.append({**entry, "annotations": {"org.opencontainers.image.ref.name": "index"}})
        lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in entries)
        (self.layout / "index.json").write_text(
            f'{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[\n{lines}\n]}}\n')
        for i in range(names):
            (self.folder / f"registry/name-{i}").mkdir()

    def put_head(self, statement, previous, pages, versions):
        """A signed head over `pages`, stored; gives the entry of its manifest."""
        head = statement["predicate"]
        head["pages"] = {number: self.blob(json.dumps(page, sort_keys=True, separators=(",", ":")).encode())
                         for number, page in sorted(pages.items())}
        head["count"] = versions
        now = datetime.now(timezone.utc)
        head["issued_at"], head["expires_at"] = (f"{time:%Y-%m-%dT%H:%M:%S.000Z}" for time in (now, now + timedelta(30)))
        # As many heads before it as a head names, the last of them real.
        history = [{"sequence": head["sequence"] + i, "digest": previous} for i in reversed(range(32))]
        head["previous"], head["history"], head["sequence"] = previous, history, head["sequence"] + 32
        text = json.dumps(head, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        statement["subject"][0]["digest"] = {"sha256": hashlib.sha256(text).hexdigest()}
        keys = self.state / "secrets/capsule-key-index"
        return self.artifact("head", signed(statement, keys / "key.pem", keys / "key.pub.pem"), head["pages"].values())[1]

    @staticmethod
    def page_of(version, bits):
        first = hashlib.sha256(version.encode()).digest()[0]
        return f"{first & 0xff00 >> bits & 0xff:02x}"

    @staticmethod
    def tag_of(entry):
        return entry.get("annotations", {}).get("org.opencontainers.image.ref.name")

    def documents(self):
        """Names of all blobs that belong to the index, as they are now."""
        layout = Layout(self.layout)
        entries = [entry for entry in layout.index["manifests"] if (self.tag_of(entry) or "").startswith("index")]
        waiting = self.layout / ".capsule-loop/pending"
        entries += [json.loads(path.read_text())["descriptor"] for path in waiting.iterdir()] if waiting.is_dir() else []
        out = set()
        for entry in entries:
            out.add(entry["digest"][7:])
            out.update(layer["digest"][7:] for layer in layout.document(entry)["layers"])
        return out


class OverHttp(Registry):
    """The same in docker-registry; of the other versions only what stands in the head's pages, for nothing else is read."""

    def __init__(self, folder, server):
        super().__init__(folder)
        self.server = server
        self.place = server.location("team")

    def call(self, method, path, data=None, kind="application/octet-stream"):
        request = urllib.request.Request(self.server.url(path) if path.startswith("/") else path, data, method=method,
                                         headers={"Content-Type": kind, "Accept": f"{INDEX}, {MANIFEST}"})
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.headers, response.read()

    def blob(self, data):
        place = self.call("POST", "/v2/team/demo/blobs/uploads/", b"")[0]["Location"]
        self.call("PUT", f"{place}&digest={sha256(data)}", data)
        return {"digest": sha256(data), "size": len(data)}

    def read(self, digest):
        return self.call("GET", f"/v2/team/demo/blobs/{digest}")[1]

    def manifest(self, data):
        self.call("PUT", "/v2/team/demo/manifests/index", data, MANIFEST)
        return {"digest": sha256(data), "size": len(data)}

    def fill(self, versions):
        layer = json.loads(self.call("GET", "/v2/team/demo/manifests/index")[1])["layers"][0]
        statement = opened(self.read(layer["digest"]))
        head, pages = statement["predicate"], collections.defaultdict(dict)
        for number, page in head["pages"].items():
            pages[number].update(json.loads(self.read(page["digest"])))
        for i in range(head["count"], versions):
            version = f"0.{i // 100}.{i % 100}"
            pages[self.page_of(version, head["page_bits"])][version] = {"digest": sha256(version.encode()), "size": 1500}
        self.put_head(statement, layer["digest"], pages, versions)


    def capsule(self, reference):
        """Digests of a published version and of all that it consists of."""
        out, todo = set(), [reference.split("@")[1]]
        for digest in todo:
            document = json.loads(self.call("GET", f"/v2/team/demo/manifests/{digest}")[1])
            todo += [entry["digest"] for entry in document.get("manifests", [])]
            out |= {digest, document.get("config", {}).get("digest"), *(layer["digest"] for layer in document.get("layers", []))}
        return out


def measure_http(registry, reference, *arguments):
    """Bytes read and written by one capsule-register, headers and all, less the capsule that register verifies."""
    capsule, before = registry.capsule(reference), len(registry.server.log.read_text())
    trace = registry.folder / "trace"
    command = ["strace", "-f", "-y", "-s", "0", "-o", trace, "-e", "trace=network,read,write,readv,writev", BIN / "capsule-register",
               *arguments, "--state", registry.state]
    subprocess.run(list(map(str, command)), env=environment(), stdin=subprocess.DEVNULL, capture_output=True, check=True)
    out = collections.Counter()
    for line in trace.read_text().splitlines():
        found = SOCKET.search(line)
        if found:
            out["read" if found[1] in ("read", "readv", "recvfrom", "recvmsg") else "written"] += int(found[2])
    for digest, size in ANSWER.findall(registry.server.log.read_text()[before:]):
        out["read"] -= int(size) if digest in capsule else 0
    return out


def measure(registry, *arguments, also=()):
    """{(what, read or written): bytes} of one capsule-register; blobs of `also` count like those of the index."""
    before = registry.documents()
    trace = registry.folder / "trace"
    command = ["strace", "-f", "-y", "-s", "0", "-o", trace, "-e",
               "trace=read,pread64,readv,write,pwrite64,writev,copy_file_range", BIN / "capsule-register", *arguments,
               "--state", registry.state]
    subprocess.run(list(map(str, command)), env=environment(), stdin=subprocess.DEVNULL, capture_output=True, check=True)
    documents = before | registry.documents() | set(also)
    written = registry.documents() - before
    out = collections.Counter()
    for line in trace.read_text().splitlines():
        found = CALL.search(line)
        if not found or str(registry.layout) not in found[2]:
            continue
        way = "read" if "read" in found[1] else "written"
        if "/blobs/" not in found[2]:
            out["layout", way] += int(found[3])
        elif way == "read" and Path(found[2]).name in documents:
            out["documents", way] += int(found[3])
    # A new blob has no name while it is written.
    out["documents", "written"] = sum((registry.layout / "blobs/sha256" / name).stat().st_size for name in written)
    return out


def over_http(versions):
    """Prints one table; returns how many goals are missed."""
    missed = 0
    with tempfile.TemporaryDirectory() as folder, DockerRegistry() as server:
        registry = OverHttp(folder, server)
        first = registry.publish("1.0.0")
        registry.step("register", first, "--state", registry.state)
        registry.fill(versions)
        reference = registry.publish("1.3.0")
        print(f"\n| the same {versions} versions in docker-registry, KiB | received | sent | wanted |\n|---|---|---|---|")
        for what, arguments in (("resolve", ("resolve", "capsule://demo:1.0.0", "--registry", registry.place)),
                                ("register", (reference,))):
            seen = measure_http(registry, reference, *arguments)
            missed += max(seen.values()) > GOAL << 10
            print(f"| {what} a version | {seen['read'] / 1024:.1f} | {seen['written'] / 1024:.1f} | ≤ {GOAL} each |")
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", type=int, default=10_000)
    parser.add_argument("--names", type=int, default=100_000)
    parser.add_argument("--folder", help="where the files are made (default: a temporary folder)")
    options = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        registry = Registry(folder)
        first = registry.publish("1.0.0")
        registry.step("register", first, "--state", registry.state)
        registry.step("register", registry.publish("1.1.0"), "--state", registry.state)
        registry.step("register", registry.publish("1.2.0"), "--state", registry.state)
        registry.fill(options.versions, options.names)
        reference = registry.publish("1.3.0")
        print(f"| index of {options.versions} versions among {options.names} names, KiB | of the index | of the layout | "
              "together | wanted |\n|---|---|---|---|---|")
        where = ("--registry", registry.place)
        for what, arguments in (("resolve a version", ("resolve", "capsule://demo:1.0.0", *where)),
                                ("resolve a digest", ("resolve", f"capsule://demo@{first.split('@')[1]}", *where)),
                                ("resolve the latest", ("resolve", "capsule://demo:latest", *where)),
                                ("register a version", (reference,)), ("register it again", (reference,))):
            seen = measure(registry, *arguments, also=[first.rpartition(":")[2]])
            for way in ("read", "written"):
                own, layout = seen["documents", way] / 1024, seen["layout", way] / 1024
                missed += own + layout > GOAL
                print(f"| {what}: {way} | {own:.1f} | {layout:.1f} | {own + layout:.1f} | ≤ {GOAL} |")
    missed += over_http(options.versions)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
