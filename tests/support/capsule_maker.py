"""Small capsules for tests: a folder, packed and signed by the binaries under test."""
import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

from steps import run

RUNNER = "#!/usr/bin/env python3\nprint('{}')\n"


def tar_of(files, compression=""):
    """A file system tar: {path: bytes or (type, target)}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{compression}", format=tarfile.GNU_FORMAT) as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            if isinstance(content, tuple):
                entry.type, entry.linkname = content
                tar.addfile(entry)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


class Maker:
    """Makes packages below `folder`, signed with one key."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.key, self.public_key = self.make_key("key")

    def make_key(self, name, kind="ecdsa-p256"):
        made = run("sign", "keygen", "--out", self.folder / name, "--type", kind)
        assert made.code == 0, made
        return self.folder / f"{name}.pem", self.folder / f"{name}.pub.pem"

    def capsule(self, name="demo", version="0.1.0", tarball=None, files=None, **manifest):
        """A capsule folder. A tarball of None is a small file system; False leaves it out."""
        folder = self.folder / f"{name}-{version}"
        content = {"expansion/m/runner.py": RUNNER.encode(), "scripts/install.sh": b"#!/bin/sh\n",
                   "expansion/m/model.pt": bytes(range(256)) * 20_000}
        content.update(files or {})
        if tarball is not False:
            content["capsule.tarball"] = tar_of({"etc/motd": b"hello\n"}) if tarball is None else tarball
        content["capsule.json"] = json.dumps(
            {"name": name, "version": version, "entrypoint": "expansion/m/runner.py", "requirements": [],
             "proof_policy": {"required": False, "types": []}, "prewarm": False, **manifest}).encode()
        for path, data in content.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        return folder

    def package(self, folder, name=None, key=None, compress="store"):
        """The signed canonical package of a capsule folder."""
        path = self.folder / (name or f"{folder.name}.tar.gz")
        packed = run("pack", folder, "--out", path, "--compress", compress)
        assert packed.code == 0, packed
        signed = run("sign", path, "--key", key or self.key)
        assert signed.code == 0, signed
        return path

    def foreign_package(self, folder, name=None):
        """The same made by other tools: sha256sum's list, openssl's signature, Python's tarfile."""
        paths = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        listed = [path for path in paths if path not in ("checksum.sha256", "signature.sig")]
        lines = (f"{hashlib.sha256((folder / path).read_bytes()).hexdigest()}  {path}\n" for path in listed)
        (folder / "checksum.sha256").write_text("".join(lines))
        subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key, "-out", folder / "signature.sig",
                        folder / "checksum.sha256"], check=True)
        out = self.folder / (name or f"{folder.name}.foreign.tar.gz")
        with tarfile.open(out, "w:gz", compresslevel=1) as tar:
            for path in sorted({*listed, "checksum.sha256", "signature.sig"}, reverse=True):
                tar.add(folder / path, path)
        return out

    def make(self, *arguments, **keywords):
        return self.package(self.capsule(*arguments, **keywords))
