"""Writes a dict of float32 tensors as `torch.save` does, byte for byte the same on every machine.

The file is a zip archive of stored entries: `archive/data.pkl` describes the tensors, `archive/data/<n>` holds each one's numbers.
Only opcodes and names are used that `torch.load(..., weights_only=True)` accepts.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from math import prod
from typing import NamedTuple

FOLDER = "archive"
ALIGNMENT = 64  # Of each entry's data, as torch aligns it for mapping.
LOCAL_HEADER_BYTES = 30
EXTRA_HEADER_BYTES = 4
EPOCH = (1980, 1, 1, 0, 0, 0)  # The first moment a zip archive can name.


class FloatTensor(NamedTuple):
    """A dense tensor, its values row by row."""

    shape: tuple[int, ...]
    values: Sequence[float]


def _text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data  # BINUNICODE


def _number(value: int) -> bytes:
    if value < 256:
        return b"K" + bytes([value])  # BININT1
    return b"J" + struct.pack("<i", value)  # BININT


def _tuple(items: Sequence[bytes]) -> bytes:
    return b"(" + b"".join(items) + b"t"  # MARK ... TUPLE


def _name(module: str, name: str) -> bytes:
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"  # GLOBAL


def _tensor(key: str, tensor: FloatTensor) -> bytes:
    """The call _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)."""
    count = prod(tensor.shape)
    storage = _tuple([_text("storage"), _name("torch", "FloatStorage"), _text(key), _text("cpu"), _number(count)]) + b"Q"
    size = _tuple([_number(extent) for extent in tensor.shape])
    stride = _tuple([_number(prod(tensor.shape[axis + 1 :])) for axis in range(len(tensor.shape))])
    hooks = _name("collections", "OrderedDict") + b")R"
    arguments = _tuple([storage, _number(0), size, stride, b"\x89", hooks])  # \x89: NEWFALSE
    return _name("torch._utils", "_rebuild_tensor_v2") + arguments + b"R"


def _pickle(tensors: Mapping[str, FloatTensor]) -> bytes:
    items = [_text(name) + _tensor(str(key), tensor) for key, (name, tensor) in enumerate(tensors.items())]
    return b"\x80\x02}(" + b"".join(items) + b"u."  # PROTO 2, EMPTY_DICT, MARK ... SETITEMS, STOP


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(f"{FOLDER}/{name}", EPOCH)
    entry.create_system = 0
    start = archive.fp.tell() + LOCAL_HEADER_BYTES + len(entry.filename) + EXTRA_HEADER_BYTES
    padding = -start % ALIGNMENT
    entry.extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
    archive.writestr(entry, data, zipfile.ZIP_STORED)


def torch_file(tensors: Mapping[str, FloatTensor]) -> bytes:
    """The whole file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "data.pkl", _pickle(tensors))
        _add(archive, "byteorder", b"little")
        for key, tensor in enumerate(tensors.values()):
            _add(archive, f"data/{key}", struct.pack(f"<{prod(tensor.shape)}f", *tensor.values))
        _add(archive, "version", b"3\n")
    return buffer.getvalue()
