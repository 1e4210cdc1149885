"""The control group that holds all of a cluster: its programs, and the pods below it; cgroup v1, v2, or both mixed."""
import os
import signal
import time
from pathlib import Path

TOP = Path("/sys/fs/cgroup")
PROGRAMS = "programs"


def hierarchies():
    """The mounted ones: each controller's of v1, the unified one of v2."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    return [Path(point) for _, point, kind, *_ in mounts if kind in ("cgroup", "cgroup2") and Path(point).is_relative_to(TOP)]


class ControlGroup:
    def __init__(self, name):
        self.name = name

    def folders(self):
        return [top / self.name for top in hierarchies() if (top / self.name).is_dir()]

    def make(self):
        for top in hierarchies():
            group = top / self.name
            group.mkdir(exist_ok=True)
            (group / PROGRAMS).mkdir(exist_ok=True)
            for part in ("cpuset.cpus", "cpuset.mems"):  # of v1: empty in a new group, and then no process may enter
                if (group / part).exists() and not (top / "cgroup.controllers").exists():
                    for folder in (group, group / PROGRAMS):
                        (folder / part).write_text((top / part).read_text(encoding="ascii"), encoding="ascii")
            if (top / "cgroup.controllers").exists():
                for folder in (top, group):
                    for controller in (top / "cgroup.controllers").read_text(encoding="ascii").split():
                        (folder / "cgroup.subtree_control").write_text(f"+{controller}", encoding="ascii")

    def enter(self):
        """For the calling process: what it starts is found by end() however it got away from its parent."""
        for folder in self.folders():
            if folder.parent.name in ("pids", "cgroup", "unified"):
                (folder / PROGRAMS / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")

    def end(self, seconds=20):
        """SIGKILL to all that is in it, until nothing is; then the groups themselves, the innermost first."""
        until = time.monotonic() + seconds
        while (members := self._members()) and time.monotonic() < until:
            for pid in members:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.05)
        for group in self.folders():
            for folder, _, _ in os.walk(group, topdown=False):
                os.rmdir(folder)

    def _members(self):
        members = set()
        for group in self.folders():
            for listed in group.rglob("cgroup.procs"):
                try:
                    members.update(int(line) for line in listed.read_text(encoding="ascii").split())
                except (FileNotFoundError, OSError):
                    pass  # a group that goes while one looks
        return members - {0}
