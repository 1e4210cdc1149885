"""A whole sample capsule in a temporary folder, and its programs run as the loader runs them. For the tests in this folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "m2n2-metal"
TOOLS = HERE / "tools"
CLEAN = {"PATH": "/usr/local/bin:/usr/bin:/bin"}

sys.dont_write_bytecode = True
sys.path[:0] = [str(SOURCE / folder) for folder in ("expansion/m2n2", "proof-hooks", "simulation")]


def make(tool: str, out: Path) -> None:
    """Run tools/<tool> --out <out>."""
    subprocess.run([sys.executable, "-B", TOOLS / tool, "--out", out], check=True, timeout=120)


def copied_capsule(test_class: Any) -> Path:
    """A copy of the capsule with model.pt and capsule.tarball made; it is gone after the class's tests."""
    folder = tempfile.TemporaryDirectory()
    test_class.addClassCleanup(folder.cleanup)
    root = Path(folder.name) / "capsule"
    shutil.copytree(SOURCE, root, ignore=shutil.ignore_patterns("__pycache__", "model.pt", "capsule.tarball"))
    make("make_model.py", root / "expansion/m2n2/model.pt")
    make("make_tarball.py", root / "capsule.tarball")
    return root


def execute(root: Path, program: list[str], stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one of the capsule's programs by its `#!` line, in the capsule's root, with a clean environment."""
    command = [str(root / program[0]), *program[1:]]
    return subprocess.run(command, input=stdin, cwd=root, env=CLEAN | environment, capture_output=True, text=True, timeout=120)


def run_capsule(root: Path, request: dict[str, Any]) -> dict[str, Any]:
    """The runner's result for one request."""
    done = execute(root, ["expansion/m2n2/runner.py"], json.dumps(request) + "\n")
    if done.returncode != 0:
        raise AssertionError(f"runner.py: exit {done.returncode}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def without_measured(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name != "measured"}
