"""Other people's programs: those that `make tools` builds, where Go is there, and those of Debian's packages."""
import os
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from steps import SOURCE

BUILT = SOURCE / "build/tools"
# Loopback needs no proxy; whatever else a tool looks for is not there.
NO_NETWORK = {"HTTP_PROXY": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1"}


def find(name):
    """Its path; the test is skipped, with the reason, where it is not there."""
    path = BUILT / name
    if path.is_file():
        return path
    if path := shutil.which(name):
        return path
    where = "make tools builds it where Go is there" if name in ("cosign", "crane", "oras") else "make test-deps installs it"
    raise unittest.SkipTest(f"{name} is not there: {where}")


class Tool:
    """One program, run with a home of its own and without a network but loopback."""

    def __init__(self, name, home):
        self.path, self.home = find(name), Path(home)

    def call(self, *words, **keywords):
        return subprocess.run([self.path, *map(str, words)], env={**NO_NETWORK, "PATH": os.environ["PATH"], "HOME": str(self.home)}, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=120, check=False, **keywords)

    def must(self, *words, **keywords):
        """Its stdout."""
        done = self.call(*words, **keywords)
        assert done.returncode == 0, done
        return done.stdout


class Containerd:
    """containerd with its content, its state and its socket in a temporary folder, and ctr that speaks to it."""

    def __init__(self):
        self.program, self.ctr = find("containerd"), find("ctr")
        self.temporary = tempfile.TemporaryDirectory(prefix="containerd-")
        self.folder = Path(self.temporary.name)
        self.socket = self.folder / "socket"
        self.mounted = []
        self.process = None

    def __enter__(self):
        config = self.folder / "config.toml"
        config.write_text(f'version = 2\nroot = "{self.folder}/root"\nstate = "{self.folder}/state"\n'
                          f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{self.socket}"\n')
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen([self.program, "--config", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + 30
        while self.call("version").returncode != 0:
            if time.monotonic() > until or self.process.poll() is not None:
                log = (self.folder / "log").read_text()[-2000:]
                self.__exit__()
                raise RuntimeError("containerd does not start:\n" + log)
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        for target in self.mounted:
            self.call("images", "unmount", target)
        self.process.terminate()
        self.process.wait(30)
        self.temporary.cleanup()

    def call(self, *words):
        return subprocess.run([self.ctr, "--address", self.socket, *map(str, words)], text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=120, check=False)

    def must(self, *words):
        done = self.call(*words)
        assert done.returncode == 0, done
        return done.stdout

    def mount(self, image):
        """The image's root file system, as a container runtime mounts it."""
        target = self.folder / f"mounted-{len(self.mounted)}"
        target.mkdir()
        self.must("images", "mount", image, target)
        self.mounted.append(target)
        return target
