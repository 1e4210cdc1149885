#!/usr/bin/env python3
"""Puts our images into a node's containerd under the names that shipped files use, without a registry: built from the build tree, or
taken from what `make images` wrote. By hand:

    CAPSULE_BIN=build/bin PYTHONPATH=tests/support python3 -B tests/support/side_load.py CTR SOCKET [IMAGE…]"""
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from containers import build_images
from steps import SOURCE

PLACE = "capsule-loop.invalid"
IMAGES = os.environ.get("CAPSULE_E2E_IMAGES", "")
VERSION = re.search(r"^project\(\S+ VERSION (\S+)", (SOURCE / "CMakeLists.txt").read_text(encoding="utf-8"), re.M)[1]


def named(image):
    """The reference of an image for the cluster that tests run on."""
    return placed(f"{PLACE}/{image}:{VERSION}")


def placed(text):
    """Shipped text, with images of the place from which somebody's cluster takes them."""
    return text.replace(f"{PLACE}/", f"{IMAGES}/") if IMAGES else text


def archive(layout, names=()):
    """An OCI layout as one tar for `ctr images import`: its images, or those of `names`, as capsule-loop.invalid/<name>:<version>."""
    layout, entries = Path(layout), []
    index = json.loads((layout / "index.json").read_text())
    for entry in index["manifests"]:
        name, version = re.fullmatch("capsule-loop/(.+):(.+)", entry["annotations"]["org.opencontainers.image.ref.name"]).groups()
        if not names or name in names:
            entries.append({**entry, "annotations": {"io.containerd.image.name": f"{PLACE}/{name}:{version}", "org.opencontainers.image.ref.name": version}})
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        def add(name, content):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        add("oci-layout", (layout / "oci-layout").read_bytes())
        add("index.json", json.dumps({**index, "manifests": entries}).encode())
        for digest in sorted(_blobs(layout, entries)):
            add(f"blobs/{digest.replace(':', '/')}", _blob(layout, digest))
    return out.getvalue(), [entry["annotations"]["io.containerd.image.name"] for entry in entries]


def _blob(layout, digest):
    return (layout / "blobs" / digest.replace(":", "/")).read_bytes()


def _blobs(layout, descriptors):
    """Digests of all that these lead to."""
    found = set()
    for descriptor in descriptors:
        found.add(descriptor["digest"])
        if descriptor["mediaType"].endswith(("manifest.v1+json", "index.v1+json")):
            document = json.loads(_blob(layout, descriptor["digest"]))
            found |= _blobs(layout, [*document.get("manifests", []), *document.get("layers", []), *([document["config"]] if "config" in document else [])])
    return found


def side_load(ctr, socket, names=(), layout=None):
    """References of the images that the containerd at `socket` now has; `layout` None: built from the build tree first."""
    if layout is None:
        with tempfile.TemporaryDirectory() as folder:
            done = build_images(Path(folder))
            if done.returncode != 0:
                raise RuntimeError(done.stderr)
            return side_load(ctr, socket, names, Path(folder) / "oci")
    tar, references = archive(layout, names)
    done = subprocess.run([str(ctr), "--address", str(socket), "--namespace", "k8s.io", "images", "import", "-"], input=tar, capture_output=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode())
    return references


if __name__ == "__main__":
    print("\n".join(side_load(sys.argv[1], sys.argv[2], sys.argv[3:])))
