"""Runs the binaries under test as a user does."""
import json
import os
import subprocess
from pathlib import Path

SOURCE = Path(os.environ.get("CAPSULE_SOURCE", Path(__file__).resolve().parents[2]))
BIN = Path(os.environ.get("CAPSULE_BIN", SOURCE / "build/bin"))


def is_sanitized(step):
    """Whether the binary was built with the address sanitizer: then its memory and time say nothing."""
    return b"__asan_init" in (BIN / f"capsule-{step}").read_bytes()


class Outcome:
    """How a step ended: code, stdout's JSON object as `result`, stderr as text."""

    def __init__(self, code, stdout, stderr):
        self.code = code
        self.stdout = stdout
        self.stderr = stderr

    @property
    def result(self):
        return json.loads(self.stdout)

    def __repr__(self):
        return f"exit {self.code}\nstdout: {self.stdout}\nstderr: {self.stderr}"


def environment(**more):
    """A clean one: nothing of the caller's CAPSULE_* or proxies."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS")
            if name in os.environ}
    return {**keep, "LC_ALL": "C.UTF-8", **more}


def run(step, *arguments, timeout=120, env=None, **kwargs):
    done = subprocess.run([BIN / f"capsule-{step}", *map(str, arguments)], env=env or environment(), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False, **kwargs)
    return Outcome(done.returncode, done.stdout, done.stderr)


def start(step, *arguments, env=None, **kwargs):
    kwargs.setdefault("stdout", subprocess.PIPE)
    kwargs.setdefault("stderr", subprocess.PIPE)
    return subprocess.Popen([BIN / f"capsule-{step}", *map(str, arguments)], env=env or environment(), text=True,
                            stdin=subprocess.DEVNULL, **kwargs)


# A child's peak counts what it had before exec, which is its parent's memory: so the parent must be a small one.
MEASURE = """
import os, sys
null = os.open(os.devnull, os.O_RDWR)
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ,
                     file_actions=[(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)])
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024)
"""


def peak_memory(step, *arguments, env=None):
    """(exit code, peak resident set in bytes) of one run; the floor is about 8 MiB."""
    done = subprocess.run(["/usr/bin/python3", "-S", "-E", "-c", MEASURE, BIN / f"capsule-{step}", *map(str, arguments)],
                          env=env or environment(), text=True, capture_output=True, check=True)
    code, peak = done.stdout.split()
    return int(code), int(peak)
