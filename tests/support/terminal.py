"""A pseudo-terminal that a program believes in."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time


class Terminal:
    """Runs ARGV with a terminal of its own as stdin and stderr, and as stdout unless that is given."""

    def __init__(self, argv, env, rows=50, columns=200, stdout=None, **kwargs):
        self.output = ""
        self._end, program_end = pty.openpty()
        self.resize(rows, columns)
        try:
            self.process = subprocess.Popen(
                [str(word) for word in argv], env=env, stdin=program_end, stdout=stdout or program_end, stderr=program_end,
                start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), **kwargs)
        finally:
            os.close(program_end)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._end)

    def resize(self, rows, columns):
        """As a user who drags the window: the program gets SIGWINCH."""
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self._end, text.encode())

    def read(self, seconds):
        """What comes within SECONDS, maybe nothing; None at the end."""
        if not select.select([self._end], [], [], seconds)[0]:
            return ""
        try:
            data = os.read(self._end, 65536)
        except OSError:  # EIO: the program has closed its end
            return None
        self.output += data.decode(errors="replace")
        return data.decode(errors="replace") if data else None

    def wait_for(self, *patterns, timeout=60):
        """Reads until each of PATTERNS is found in what is new; returns that text, or fails with it."""
        start = len(self.output)
        limit = time.monotonic() + timeout
        while missing := [pattern for pattern in patterns if not re.search(pattern, self.output[start:])]:
            if time.monotonic() > limit or self.read(0.2) is None:
                raise AssertionError(f"no {missing} in {self.output[start:]!r}")
        return self.output[start:]

    def finish(self, timeout=120):
        """Reads to the end; returns the exit code."""
        limit = time.monotonic() + timeout
        while self.read(0.2) is not None:
            if time.monotonic() > limit:
                raise AssertionError(f"does not end: {self.output[-2000:]!r}")
        return self.process.wait(timeout)
