"""What a registry holds (distribution-spec 1.1), without HTTP: blobs, manifests, tags, uploads. Blobs are files."""
import dataclasses
import hashlib
import json
import re
import shutil
import uuid
from pathlib import Path

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Refusal(Exception):
    """An error as distribution-spec has it: status, code, message, further headers."""

    def __init__(self, status, code, message="", **headers):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    @property
    def body(self):
        return json.dumps({"errors": [{"code": self.code, "message": self.message or self.code.lower()}]}).encode()


@dataclasses.dataclass
class Seen:
    method: str
    path: str
    query: str
    headers: dict
    status: int = 0
    received: int = 0               # bytes of the request's body
    sent: int = 0                   # bytes of the answer's body


@dataclasses.dataclass
class Upload:
    repository: str
    path: Path
    size: int = 0
    step: int = 0               # how often the Location moved on
    hasher: object = dataclasses.field(default_factory=hashlib.sha256)

    def append(self, data):
        with self.path.open("ab") as file:
            file.write(data)
        self.hasher.update(data)
        self.size += len(data)


@dataclasses.dataclass
class Repository:
    blobs: set = dataclasses.field(default_factory=set)
    manifests: dict = dataclasses.field(default_factory=dict)    # digest: (media type, bytes), in the order of their coming
    tags: dict = dataclasses.field(default_factory=dict)         # tag: digest


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Content:
    def __init__(self, folder):
        self.folder = Path(folder)
        (self.folder / "blobs").mkdir(parents=True)
        (self.folder / "uploads").mkdir()
        self.repositories = {}
        self.uploads = {}

    def repository(self, name):
        return self.repositories.setdefault(name, Repository())

    # Blobs

    def blob_path(self, digest):
        return self.folder / "blobs" / digest.replace(":", "-")

    def find_blob(self, repository, digest):
        if digest not in self.repository(repository).blobs:
            raise Refusal(404, "BLOB_UNKNOWN")
        return self.blob_path(digest)

    def add_blob(self, repository, data):
        digest = digest_of(data)
        self.blob_path(digest).write_bytes(data)
        self.repository(repository).blobs.add(digest)
        return digest

    def mount(self, repository, digest, source):
        if source not in self.repositories or digest not in self.repositories[source].blobs:
            return False
        self.repository(repository).blobs.add(digest)
        return True

    def load_layout(self, repository, folder):
        """In the place of what the repository held: all that an OCI layout holds, its blobs as they are."""
        there = self.repositories[repository] = Repository()
        folder = Path(folder)
        for path in (folder / "blobs/sha256").iterdir():
            there.blobs.add(f"sha256:{path.name}")
            shutil.copyfile(path, self.blob_path(f"sha256:{path.name}"))

        def put(entry):
            data = self.blob_path(entry["digest"]).read_bytes()
            for child in json.loads(data).get("manifests", []):
                put(child)
            there.manifests[entry["digest"]] = (entry["mediaType"], data)

        for entry in json.loads((folder / "index.json").read_text())["manifests"]:
            put(entry)
            if tag := entry.get("annotations", {}).get("org.opencontainers.image.ref.name"):
                there.tags[tag] = entry["digest"]

    # Uploads

    def begin_upload(self, repository):
        identity = str(uuid.uuid4())
        upload = Upload(repository, self.folder / "uploads" / identity)
        upload.path.touch()
        self.uploads[identity] = upload
        return identity

    def find_upload(self, identity):
        if identity not in self.uploads:
            raise Refusal(404, "BLOB_UPLOAD_UNKNOWN")
        return self.uploads[identity]

    def drop_upload(self, identity):
        self.uploads.pop(identity).path.unlink()

    def finish_upload(self, identity, digest):
        upload = self.find_upload(identity)
        got = upload.hasher.hexdigest()
        if digest.startswith("sha512:"):
            got = hashlib.sha512(upload.path.read_bytes()).hexdigest()
        if not re.fullmatch(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", digest) or digest[7:] != got:
            self.drop_upload(identity)
            raise Refusal(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        del self.uploads[identity]
        upload.path.rename(self.blob_path(digest))
        self.repository(upload.repository).blobs.add(digest)

    # Manifests

    def find_manifest(self, repository, reference):
        """(digest, media type, bytes)"""
        there = self.repository(repository)
        digest = reference if ":" in reference else there.tags.get(reference)
        if digest not in there.manifests:
            raise Refusal(404, "MANIFEST_UNKNOWN")
        return (digest, *there.manifests[digest])

    def put_manifest(self, repository, reference, media_type, data):
        """(digest, digest of the subject or None)"""
        try:
            document = json.loads(data)
            children = [*document.get("layers", []), *([document["config"]] if "config" in document else [])]
            manifests = document.get("manifests", [])
            subject = document.get("subject", {}).get("digest")
        except (ValueError, AttributeError, TypeError) as error:
            raise Refusal(400, "MANIFEST_INVALID") from error
        if document.get("mediaType", media_type) != media_type:
            raise Refusal(400, "MANIFEST_INVALID", "media type")
        there = self.repository(repository)
        for child in children:
            if child["digest"] not in there.blobs:
                raise Refusal(400, "MANIFEST_BLOB_UNKNOWN", child["digest"])
        for child in manifests:
            if child["digest"] not in there.manifests:
                raise Refusal(400, "MANIFEST_BLOB_UNKNOWN", child["digest"])
        digest = digest_of(data)
        if ":" in reference and reference != digest:
            raise Refusal(400, "DIGEST_INVALID")
        there.manifests[digest] = (media_type, data)
        if ":" not in reference:
            there.tags[reference] = digest
        return digest, subject

    def delete_manifest(self, repository, reference):
        there = self.repository(repository)
        if ":" not in reference:
            if there.tags.pop(reference, None) is None:
                raise Refusal(404, "MANIFEST_UNKNOWN")
        elif there.manifests.pop(reference, None) is None:
            raise Refusal(404, "MANIFEST_UNKNOWN")

    def referrers(self, repository, subject, artifact_type=None):
        found = []
        for digest, (media_type, data) in self.repository(repository).manifests.items():
            document = json.loads(data)
            if document.get("subject", {}).get("digest") != subject:
                continue
            kind = document.get("artifactType") or document.get("config", {}).get("mediaType", "")
            if artifact_type in (None, kind):
                entry = {"mediaType": media_type, "digest": digest, "size": len(data), "artifactType": kind}
                if document.get("annotations"):
                    entry["annotations"] = document["annotations"]
                found.append(entry)
        return found
