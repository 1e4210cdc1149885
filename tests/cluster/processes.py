"""Programs that go on when the one that started them has ended, and are ended by nobody else's number."""
import os
import signal
import subprocess
import time
from pathlib import Path


def started_at(pid):
    """When a process was started, in clock ticks since boot (proc(5), stat, field 22); None where it is gone or a zombie.

    A zombie with threads that have not ended yet still holds what the process had open, its listening sockets too."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        ended = fields[0] == "Z" and len(os.listdir(f"/proc/{pid}/task")) <= 1
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if ended else fields[19]


class Processes:
    """Each program has a file `<name>.pid` (number and start time) and a file `<name>.log` in one folder."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def log(self, name):
        return self.folder / f"{name}.log"

    def last_lines(self, name, number=3):
        return self.log(name).read_text(encoding="utf-8", errors="replace").splitlines()[-number:]

    def start(self, name, *words, environment=None, first=None):
        """`first` is called in the new process before the program."""
        assert not self.alive(name), f"{name} runs already"
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab") as log:
            child = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                     start_new_session=True, env={**os.environ, **(environment or {})}, preexec_fn=first)
        child.returncode = 0  # it goes on without us: subprocess need not wait for it
        # At once as a whole: others look at it meanwhile.
        new = self.folder / f"{name}.pid.new"
        new.write_text(f"{child.pid} {started_at(child.pid)}\n", encoding="ascii")
        new.rename(self.folder / f"{name}.pid")

    def pid(self, name):
        """The number of a program that still runs; None otherwise."""
        try:
            pid, since = (self.folder / f"{name}.pid").read_text(encoding="ascii").split()
        except FileNotFoundError:
            return None
        return int(pid) if started_at(int(pid)) == since else None

    def alive(self, name):
        return self.pid(name) is not None

    def stop(self, name, seconds=15):
        """SIGTERM, and SIGKILL after the given time."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            end = time.monotonic() + seconds
            while (pid := self.pid(name)) and time.monotonic() < end:
                os.kill(pid, number)
                time.sleep(0.1)
        (self.folder / f"{name}.pid").unlink(missing_ok=True)

    def names(self):
        return sorted(path.stem for path in self.folder.glob("*.pid"))
