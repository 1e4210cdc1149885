"""The images of the steps: built as `make images` does, and run by podman in a storage of the test's own."""
import resource
import subprocess
import sys
from pathlib import Path

from steps import BIN, SOURCE, Outcome

USER = 65532


def build_images(out, *builds, **how):
    """Builds all images into a folder; `builds` are (architecture, root, programs), by default this machine's; `how` is for subprocess.run."""
    words = [word for build in builds or (("amd64", "/", BIN),) for word in ("--build", *build)]
    return subprocess.run([sys.executable, "-B", SOURCE / "images/build.py", "--out", out, *words], capture_output=True, text=True, timeout=300, **how)


def limits():
    """podman asks for a million open files and processes, which a machine may not grant: a step needs far less."""
    for name, kind, enough in (("nofile", resource.RLIMIT_NOFILE, 1024), ("nproc", resource.RLIMIT_NPROC, 4096)):
        _, hard = resource.getrlimit(kind)
        most = enough if hard == resource.RLIM_INFINITY else min(hard, enough)
        yield f"--ulimit={name}={most}:{most}"


class Podman:
    """runc under podman, without a daemon, as root."""

    def __init__(self, folder):
        for driver in ("overlay", "vfs"):  # vfs copies every layer, but works where overlay does not: on an overlay
            place = Path(folder) / driver
            self.words = ["podman", "--root", place / "root", "--runroot", place / "runroot", "--tmpdir", place / "tmp",
                          "--storage-driver", driver, "--cgroup-manager", "cgroupfs", "--runtime", "runc"]
            if self.call("info").code == 0:
                break

    def call(self, *words, timeout=300):
        done = subprocess.run([*self.words, *map(str, words)], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout)
        return Outcome(done.returncode, done.stdout, done.stderr)

    def must(self, *words):
        done = self.call(*words)
        assert done.code == 0, done
        return done.stdout

    def run(self, image, *arguments, volumes=(), network="none", more=()):
        """A container as a cluster runs it: not root, read-only root file system, no capabilities. `volumes`: host:inside[:ro]."""
        return self.call("run", "--rm", *self.confined(network, volumes), *more, image, *arguments)

    def start(self, image, *arguments, volumes=(), network="none", more=()):
        return self.must("run", "--detach", *self.confined(network, volumes), *more, image, *arguments).strip()

    @staticmethod
    def confined(network, volumes):
        return [*limits(), f"--network={network}", "--read-only", f"--user={USER}", "--cap-drop=all", "--security-opt=no-new-privileges",
                *(f"--volume={volume}" for volume in volumes)]
