"""What the tools share: where the sample capsule is, and a whole file or none."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

CAPSULE = Path(__file__).resolve().parents[1] / "m2n2-metal"
sys.dont_write_bytecode = True
sys.path[:0] = [str(CAPSULE / "expansion" / "m2n2"), str(CAPSULE / "simulation")]


def out_option(description: str) -> Path:
    """The value of --out."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write; left alone if it is already right")
    return parser.parse_args().out


def write_file(path: Path, data: bytes) -> None:
    """Replace the file at once, unless it holds these bytes already."""
    if path.is_file() and path.read_bytes() == data:
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)
