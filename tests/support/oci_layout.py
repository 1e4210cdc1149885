"""Reads an OCI image layout (image-spec 1.1) with nothing but the standard library, and believes nothing."""
import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
TAR = "application/vnd.oci.image.layer.v1.tar"
RECEIPT = "application/vnd.industriverse.capsule.anchor-receipt.v1+json"
CAPSULE = "application/vnd.industriverse.capsule.v1"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layout:
    def __init__(self, folder):
        self.folder = Path(folder)
        assert json.loads((self.folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
        self.index = json.loads((self.folder / "index.json").read_text())
        assert self.index["schemaVersion"] == 2

    def blob(self, descriptor):
        algorithm, value = descriptor["digest"].split(":")
        data = (self.folder / "blobs" / algorithm / value).read_bytes()
        assert sha256(data) == descriptor["digest"], descriptor
        assert len(data) == descriptor["size"], descriptor
        return data

    def document(self, descriptor):
        document = json.loads(self.blob(descriptor))
        assert document.get("mediaType", descriptor["mediaType"]) == descriptor["mediaType"], descriptor
        return document

    def tags(self):
        name = "org.opencontainers.image.ref.name"
        found = [entry["annotations"][name] for entry in self.index["manifests"] if name in entry.get("annotations", {})]
        assert len(found) == len(set(found)), found
        return found

    def tagged(self, tag):
        for entry in self.index["manifests"]:
            if entry.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag:
                return entry
        raise KeyError(tag)

    def referrers(self, digest):
        """By reading every manifest of index.json, as a tool that does not know our annotation must."""
        found = []
        for entry in self.index["manifests"]:
            document = self.document(entry)
            if document.get("subject", {}).get("digest") == digest:
                found.append((entry, document))
        return found

    def crowd(self, digest, count, kind=BUNDLE):
        """As many others of a kind, which say nothing, before and after those that are attached to a manifest."""
        entries = self.index["manifests"]
        ours = [entry for entry in entries if self.document(entry).get("subject", {}).get("digest") == digest]
        like = self.document(ours[0])
        crowd = []
        for number in range(count):
            annotations = {"dev.sigstore.bundle.predicateType": "https://industriverse.ai/capsule-proof/v1", "number": str(number)}
            data = json.dumps({**like, "artifactType": kind, "layers": [like["config"]], "annotations": annotations}).encode()
            (self.folder / "blobs/sha256" / sha256(data)[7:]).write_bytes(data)
            crowd.append({**ours[0], "artifactType": kind, "digest": sha256(data), "size": len(data)})
        rest = [entry for entry in entries if entry not in ours]
        self.index["manifests"] = [*rest, *crowd[:count // 2], *ours, *crowd[count // 2:]]
        (self.folder / "index.json").write_text(json.dumps(self.index))

    def check_everything(self):
        """Every blob is what its name says, and all that index.json reaches is there; returns what is not reached."""
        blobs = {f"sha256:{path.name}" for path in (self.folder / "blobs/sha256").iterdir()}
        for digest in blobs:
            path = self.folder / "blobs/sha256" / digest[7:]
            with path.open("rb") as file:
                assert hashlib.file_digest(file, "sha256").hexdigest() == path.name, path
        reached = set()

        def visit(descriptor):
            reached.add(descriptor["digest"])
            if descriptor["mediaType"] in (INDEX, MANIFEST):
                document = self.document(descriptor)
                for child in [*document.get("manifests", []), *document.get("layers", []),
                              *([document["config"]] if "config" in document else [])]:
                    visit(child)
            else:
                self.blob(descriptor)

        for entry in self.index["manifests"]:
            visit(entry)
        return blobs - reached


def names_in_layer(data, media_type):
    """The files of a layer; a fragment without an end is fine, as it is for a container runtime."""
    plain = gzip.decompress(data) if media_type == GZIP else data
    with tarfile.open(fileobj=io.BytesIO(plain + bytes(1024))) as tar:
        return sha256(plain), tar.getnames()
