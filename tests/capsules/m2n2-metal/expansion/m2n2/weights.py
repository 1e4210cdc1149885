"""Reads model.pt: tensors in PyTorch's zip format, without torch.

A pickle is a program. This reader runs it in an unpickler that knows three names (what `torch.save` writes for a dict of float32
tensors) and refuses every other, so that a model file can describe tensors and do nothing else.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

MAX_PICKLE_BYTES = 1 << 20
MAX_STORAGE_BYTES = 64 << 20
FLOAT_BYTES = 4
# What the pickle machine raises on a damaged program.
_PICKLE_FAULTS = (AttributeError, EOFError, IndexError, KeyError, TypeError, ValueError, struct.error)


class WeightsError(ValueError):
    """A model file that is damaged, or that wants more than to describe tensors."""


class Tensor(NamedTuple):
    """A dense float32 tensor, its values row by row."""

    shape: tuple[int, ...]
    values: tuple[float, ...]

    def rows(self) -> list[tuple[float, ...]]:
        """The rows of a matrix."""
        count, width = self.shape
        return [self.values[row * width : (row + 1) * width] for row in range(count)]


class _FloatStorage:
    """Stands for torch.FloatStorage: a type name in the pickle, never made."""


def _rebuild_tensor(storage: tuple[float, ...], offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    """Stands for torch._utils._rebuild_tensor_v2, for contiguous tensors."""
    shape = tuple(size)
    expected = tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))
    if tuple(stride) != expected:
        raise WeightsError(f"model.pt: strides {tuple(stride)}, only a contiguous tensor is read")
    if offset < 0 or any(extent < 0 for extent in shape) or offset + prod(shape) > len(storage):
        raise WeightsError("model.pt: a tensor reaches beyond its storage")
    return Tensor(shape, storage[offset : offset + prod(shape)])


_ALLOWED = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch", "FloatStorage"): _FloatStorage,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
}


class _TensorUnpickler(pickle.Unpickler):
    """An unpickler for three names, which finds storages in the archive."""

    def __init__(self, data: bytes, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(io.BytesIO(data))
        self._archive = archive
        self._folder = folder

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise WeightsError(f"model.pt: the pickle asks for {module}.{name}") from None

    def persistent_load(self, pid: Any) -> tuple[float, ...]:
        kind, storage_type, key, _device, count = pid
        if kind != "storage" or storage_type is not _FloatStorage or not str(key).isdigit():
            raise WeightsError("model.pt: only storages of float32 are read")
        data = _read(self._archive, f"{self._folder}/data/{key}", MAX_STORAGE_BYTES)
        if len(data) != count * FLOAT_BYTES:
            raise WeightsError(f"model.pt: storage {key} has {len(data)} bytes for {count} numbers")
        return struct.unpack(f"<{count}f", data)


def _read(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    if archive.getinfo(name).file_size > limit:
        raise WeightsError(f"model.pt: {name} is over {limit} bytes")
    return archive.read(name)


def load_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a model file by name. Raises WeightsError."""
    try:
        with zipfile.ZipFile(path) as archive:
            folder = next(name for name in archive.namelist() if name.endswith("/data.pkl")).partition("/")[0]
            if _read(archive, f"{folder}/byteorder", 16) != b"little":
                raise WeightsError("model.pt: not in little-endian byte order")
            pickled = _read(archive, f"{folder}/data.pkl", MAX_PICKLE_BYTES)
            state = _TensorUnpickler(pickled, archive, folder).load()
    except WeightsError:
        raise
    except (OSError, zipfile.BadZipFile, pickle.UnpicklingError, StopIteration, *_PICKLE_FAULTS) as fault:
        raise WeightsError(f"model.pt: cannot be read: {fault or type(fault).__name__}") from fault
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError("model.pt: not a dictionary of tensors")
    return dict(state)
