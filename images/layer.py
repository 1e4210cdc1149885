"""A layer of an image: files by their paths, written as the same tar and gzip bytes whoever builds it, and when."""
import functools
import hashlib
import io
import os
import tarfile
import zlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One file, link or folder. `content` holds a file's bytes, `target` a link's; a folder has neither."""
    mode: int
    content: bytes | None = None
    target: str | None = None
    owner: int = 0


class Layer:
    def __init__(self, below=None):
        self._entries = {}
        self._below = below

    def holds(self, path):
        return path in self._entries or (self._below is not None and self._below.holds(path))

    def paths(self):
        return sorted(self._entries)

    def elf_files(self):
        return [path for path, entry in sorted(self._entries.items()) if (entry.content or b"").startswith(b"\x7fELF")]

    def folder(self, path, mode=0o755, owner=0):
        self._add(path, Entry(mode, owner=owner))

    def file(self, path, content, mode=0o644):
        self._add(path, Entry(mode, content=content))

    def link(self, path, target):
        self._add(path, Entry(0o777, target=target))

    def copy(self, source, path):
        """A file or link of this machine; of its mode only whether it may be executed."""
        if source.is_symlink():
            self.link(path, os.readlink(source))
        else:
            self.file(path, source.read_bytes(), 0o755 if source.stat().st_mode & 0o100 else 0o644)

    def _add(self, path, entry):
        parent = os.path.dirname(path)
        if parent and not self.holds(parent):
            self.folder(parent)
        self._entries[path] = entry

    def tar(self):
        """ustar, sorted, owned by root unless said otherwise, without times."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for path in self.paths():
                entry = self._entries[path]
                info = tarfile.TarInfo(path)
                info.mode, info.mtime, info.uid, info.gid = entry.mode, 0, entry.owner, entry.owner
                if entry.content is not None:
                    info.size = len(entry.content)
                elif entry.target is not None:
                    info.type, info.linkname = tarfile.SYMTYPE, entry.target
                else:
                    info.type = tarfile.DIRTYPE
                tar.addfile(info, io.BytesIO(entry.content or b""))
        return out.getvalue()


@dataclass(frozen=True)
class Blob:
    """Bytes with their digest."""
    content: bytes

    @functools.cached_property
    def digest(self):
        return "sha256:" + hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class PackedLayer:
    name: str
    tar: Blob
    gzip: Blob


def pack(name, layer):
    tar = layer.tar()
    deflate = zlib.compressobj(6, zlib.DEFLATED, 31)  # 31: a gzip header without name and time
    return PackedLayer(name, Blob(tar), Blob(deflate.compress(tar) + deflate.flush()))
