"""What a cluster is given once, not by each class of tests anew: our images in its containerd, the CRDs. Each has a stamp below the
cluster's folder with what it was made of; the folder goes with the cluster."""
import fcntl
import hashlib
from pathlib import Path

import side_load
from containers import build_images
from steps import BIN, SOURCE


def once(cluster, name, key, work):
    """Calls `work` unless that was done on this cluster with the same key; others who want the same wait for it meanwhile."""
    stamp = _stamp(cluster, name)
    stamp.parent.mkdir(exist_ok=True)
    with stamp.open("a+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        if file.read() != key:
            file.truncate(0)
            work()
            file.write(key)


def forget(cluster, name):
    """It is no longer as it was made."""
    _stamp(cluster, name).unlink(missing_ok=True)


def load_images(cluster, built_by):
    """All of our images, under the names of the shipped files, in a cluster's containerd; they are built in the folder of another one, or of the same."""
    key, layout = _of_images(), built_by.folder / "images"
    once(built_by, "images-built", key, lambda: _build(layout))
    once(cluster, "images-loaded", key, lambda: side_load.side_load(cluster.node.binaries / "ctr", cluster.node.socket, layout=layout / "oci"))


def _build(layout):
    done = build_images(layout)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)


def _stamp(cluster, name):
    return cluster.folder / "once" / name


def _of_images():
    """The digest of all that images are built from: programs, packages, files of the source tree."""
    files = [*BIN.glob("capsule-*"), Path("/var/lib/dpkg/status"), SOURCE / "CMakeLists.txt",
             *(path for folder in ("images", "workflows") for path in (SOURCE / folder).rglob("*"))]
    digest = hashlib.sha256()
    for path in sorted(files):
        if path.is_file():
            digest.update(f"{path}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
