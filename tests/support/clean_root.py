"""A Debian system in a folder, with nothing in it but what a package needs, to install something into."""
import hashlib
import os
import subprocess
from pathlib import Path

from steps import BIN

SUITE = "bookworm"
CACHE = BIN.parent / "debian-roots"


def mirror():
    """The one that this machine's apt takes Debian from."""
    lines = subprocess.run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)",
                            "Identifier: Packages"], capture_output=True, text=True, check=True).stdout
    found = [line.split()[3] for line in lines.splitlines() if line.startswith(f"Debian {SUITE} main ")]
    return found[:1] or ["http://deb.debian.org/debian"]


def archive(packages):
    """A tar of such a system, made once per list of PACKAGES; apt's own network is needed for that."""
    names = ",".join(sorted(set(packages)))
    target = CACHE / f"{hashlib.sha256(names.encode()).hexdigest()[:16]}.tar"
    if not target.exists():
        CACHE.mkdir(exist_ok=True)
        partial = target.with_name(f"{os.getpid()}.tar")
        done = subprocess.run(["mmdebstrap", "--variant=minbase", f"--include={names}", "--quiet",
                               "--aptopt=Acquire::Check-Valid-Until false", SUITE, partial, *mirror()],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            partial.unlink(missing_ok=True)
            raise OSError(f"mmdebstrap: {done.stderr[-2000:]}")
        partial.rename(target)
    return target


class CleanRoot:
    """Unpacked in FOLDER. Needs root."""

    def __init__(self, folder, packages):
        self.folder = Path(folder)
        subprocess.run(["tar", "-x", "--numeric-owner", "-f", archive(packages), "-C", folder, "--exclude=./dev/*"], check=True)

    def run(self, *argv, timeout=300):
        """Runs ARGV inside, with /proc and /dev, in namespaces of its own that end with it."""
        script = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"'
        return subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, self.folder, *map(str, argv)],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}, capture_output=True,
            stdin=subprocess.DEVNULL, text=True, timeout=timeout, check=False)

    def files(self):
        """All paths, but for what dpkg itself notes."""
        out = set()
        for place, folders, names in os.walk(self.folder):
            below = os.path.relpath(place, self.folder)
            if below in ("var/lib/dpkg", "dev", "proc"):
                folders.clear()
                continue
            out.update(os.path.join(below, name) for name in [*folders, *names])
        return out
