"""Images as other tools read them: an OCI image layout (image-spec 1.1) and docker archives. Nothing in them holds a time."""
import io
import json
import os
import shutil
import tarfile
from pathlib import Path

from contents import USER, WORK
from layer import Blob

CONFIG = "application/vnd.oci.image.config.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def document(value):
    return Blob(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def descriptor(media_type, blob, **more):
    return {"mediaType": media_type, "digest": blob.digest, "size": len(blob.content), **more}


class BuiltImage:
    """One image for one architecture: config, manifest and the layers that they name."""

    def __init__(self, name, version, architecture, layers, entrypoint):
        self.name, self.version, self.architecture, self.layers = name, version, architecture, layers
        self.tag = f"capsule-loop/{name}:{version}"
        self.config = document({
            "architecture": architecture,
            "os": "linux",
            "config": {
                "User": f"{USER}:{USER}",
                "WorkingDir": f"/{WORK}",
                "Entrypoint": [entrypoint],
                # A read-only root is enough: the one place to write is /work.
                "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", f"CAPSULE_STATE=/{WORK}/state", f"TMPDIR=/{WORK}"],
                "Labels": {"org.opencontainers.image.title": f"capsule-loop/{name}", "org.opencontainers.image.version": version},
            },
            "rootfs": {"type": "layers", "diff_ids": [layer.tar.digest for layer in layers]},
            "history": [{"created_by": f"layer {layer.name}"} for layer in layers],
        })
        self.manifest = document({"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, self.config),
                                  "layers": [descriptor(LAYER, layer.gzip) for layer in layers]})

    def blobs(self):
        return [self.config, self.manifest, *(layer.gzip for layer in self.layers)]


def write_layout(folder, images):
    """All images as one layout, a tag each. A tag is an image, or an index of one per architecture where there are several."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "blobs/sha256").mkdir(parents=True)
    blobs, entries = [blob for image in images for blob in image.blobs()], []
    for tag in sorted({image.tag for image in images}):
        manifests = [descriptor(MANIFEST, image.manifest, platform={"architecture": image.architecture, "os": "linux"})
                     for image in images if image.tag == tag]
        if len(manifests) > 1:
            index = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})
            blobs.append(index)
            manifests = [descriptor(INDEX, index)]
        entries.append({**manifests[0], "annotations": {"org.opencontainers.image.ref.name": tag}})
    for blob in blobs:
        (folder / "blobs/sha256" / blob.digest.removeprefix("sha256:")).write_bytes(blob.content)
    (folder / "index.json").write_bytes(document({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).content)
    (folder / "oci-layout").write_bytes(document({"imageLayoutVersion": "1.0.0"}).content)


def write_docker_archive(path, image):
    """What `docker load` reads (and podman, and skopeo): layers, config, and the list of both."""
    config = image.config.digest.removeprefix("sha256:") + ".json"
    layers = {layer.gzip.digest.removeprefix("sha256:") + ".tar.gz": layer.gzip.content for layer in image.layers}
    manifest = document([{"Config": config, "RepoTags": [image.tag], "Layers": list(layers)}])
    files = {**layers, config: image.config.content, "manifest.json": manifest.content}
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(files):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(files[name]), 0o644
            tar.addfile(info, io.BytesIO(files[name]))
