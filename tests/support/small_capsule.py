"""A small capsule, and packages of it as other tools would write them."""
import gzip
import io
import json
import os
import tarfile
from pathlib import Path

MANIFEST = {
    "name": "small", "version": "1.0.0", "entrypoint": "expansion/runner.py", "requirements": [],
    "proof_policy": {"required": False, "types": [], "anchors": []}, "prewarm": False,
    "billing": {"unit": "run", "price": "0.10"},
}


def write(folder, weights=b"", **manifest):
    """Writes the capsule into FOLDER; `weights` becomes expansion/model.pt."""
    folder = Path(folder)
    tarball = io.BytesIO()
    with tarfile.open(fileobj=tarball, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo("etc/motd")
        info.size = 6
        tar.addfile(info, io.BytesIO(b"hello\n"))
    files = {
        "capsule.json": json.dumps({**MANIFEST, **manifest}, indent=2).encode(),
        "capsule.tarball": tarball.getvalue(),
        "expansion/runner.py": b"#!/usr/bin/python3\nprint('{}')\n",
        "expansion/model.pt": weights,
        "scripts/install.sh": b"#!/bin/sh\nexit 0\n",
        "scripts/healthcheck.sh": b"#!/bin/sh\nexit 0\n",
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def entries(package):
    """{name: content} of a package, in its order, as Python's tarfile reads it."""
    with tarfile.open(package, mode="r:gz") as tar:
        return {info.name: tar.extractfile(info).read() for info in tar if info.isreg()}


def write_foreign(package, content, mtime=1_700_000_000):
    """A package of the same layout from another tool: one gzip member, folders, modes, times, owners."""
    with open(package, "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=mtime) as stream, \
            tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
        folders = set()
        for name, data in content.items():
            folder = os.path.dirname(name)
            if folder and folder not in folders:
                folders.add(folder)
                info = tarfile.TarInfo(f"./{folder}")
                info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, mtime
                tar.addfile(info)
            info = tarfile.TarInfo(f"./{name}")
            info.size, info.mode, info.mtime, info.uname = len(data), 0o664, mtime, "somebody"
            tar.addfile(info, io.BytesIO(data))
