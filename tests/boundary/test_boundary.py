"""What every program owes its caller where little is to be had: closed streams, a full disk, no memory, no processes."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import small_workflow
from steps import BIN, SOURCE, environment, is_sanitized

STEPS = sorted(path.parent.name for path in (SOURCE / "steps").glob("*/main.cpp"))
TABLE = {0, 2, 10, 11, 12, 13, 14, 15, 16, 40, 41, 42}
WORKFLOW = small_workflow.HEAD + """    - name: main
      steps: [[{name: a, template: version}, {name: b, template: version}]]
    - name: version
      container: {command: [/bin/capsule-run], args: [--version]}
"""


def closing(*streams):
    """For preexec_fn."""
    return lambda: [os.close(number) for number in streams]


class Streams(unittest.TestCase):
    def test_help_and_version_that_cannot_be_written_are_failures(self):
        for step in STEPS:
            for word in ("--help", "--version"):
                with open("/dev/full", "w", encoding="utf-8") as full, self.subTest(step=step, word=word):
                    done = subprocess.run([BIN / f"capsule-{step}", word], stdout=full, stderr=subprocess.PIPE, text=True,
                                          check=False)
                    self.assertEqual((done.returncode, done.stderr.count("\n")), (40, 1), done)
                    done = subprocess.run([BIN / f"capsule-{step}", word], stderr=subprocess.PIPE, text=True, check=False,
                                          preexec_fn=closing(1))
                    self.assertEqual((done.returncode, done.stderr.count("\n")), (40, 1), done)

    def test_no_line_of_ours_lands_in_a_file_when_streams_are_closed(self):
        for streams in ((2,), (1, 2), (0, 1, 2), (0,)):
            with tempfile.TemporaryDirectory() as folder, self.subTest(streams=streams):
                (Path(folder) / "w.yaml").write_text(WORKFLOW)
                done = subprocess.run([BIN / "capsule-run", f"{folder}/w.yaml", "--state", f"{folder}/state"],
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(), check=False,
                                      preexec_fn=closing(*streams))
                self.assertEqual(done.returncode, 40 if 1 in streams else 0)
                locks = list(Path(folder).glob("state/runs/*/.lock"))
                self.assertEqual([lock.read_bytes() for lock in locks], [b""])

    def test_outputs_that_cannot_be_written_are_one_line(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "w.yaml").write_text(WORKFLOW)
            for file, words in (("w.yaml", 1), ("nothing.yaml", 2)):
                done = subprocess.run([BIN / "capsule-run", f"{folder}/{file}", "--state", f"{folder}/state",
                                       "--outputs", "/proc/nothing/outputs"], capture_output=True, text=True,
                                      env=environment(), check=False)
                lines = [line for line in done.stderr.splitlines() if ": error: " in line or ": warning: " in line]
                self.assertEqual((done.returncode, len(lines)), (12, 1), done)
                self.assertEqual(lines[0].count("cannot "), words, lines)


class Limits(unittest.TestCase):
    """A shared library that cannot be loaded is the loader's (127), and one that fails as it is loaded is not ours: it is
    over before our first instruction."""

    @classmethod
    def setUpClass(cls):
        if any(is_sanitized(step) for step in STEPS):
            raise unittest.SkipTest("the address sanitizer needs more memory than there is here")

    def ends_in_order(self, command, done):
        loader = done.returncode == 127 or "terminate called" in done.stderr
        if loader:
            return
        self.assertIn(done.returncode, TABLE, (command, done))
        errors = re.findall(r"^capsule-[a-z-]+: error: ", done.stderr, re.M)
        self.assertEqual(len(errors), int(done.returncode != 0), (command, done))

    def test_little_memory(self):
        for step in STEPS:
            for megabytes in (*range(12, 40, 2), *range(40, 120, 20)):
                for words in (["--version"], ["/nothing"]):
                    command = ["prlimit", f"--as={megabytes << 20}", BIN / f"capsule-{step}", *words]
                    self.ends_in_order(command, subprocess.run(command, capture_output=True, text=True, check=False,
                                                               stdin=subprocess.DEVNULL, env=environment(), timeout=60))

    def test_a_workflow_with_little_memory(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "w.yaml").write_text(WORKFLOW)
            for megabytes in range(12, 60):
                command = ["prlimit", f"--as={megabytes << 20}", BIN / "capsule-run", f"{folder}/w.yaml", "--state",
                           f"{folder}/state", "--new"]
                self.ends_in_order(command, subprocess.run(command, capture_output=True, text=True, check=False,
                                                           env=environment(), timeout=60))

    def test_small_files_only(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "w.yaml").write_text(WORKFLOW)
            for words in (["run", f"{folder}/w.yaml"], ["sign", "keygen"]):
                for size in (0, 10):
                    command = ["prlimit", f"--fsize={size}", BIN / f"capsule-{words[0]}", *words[1:], "--state", f"{folder}/s"]
                    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(), timeout=60)
                    self.ends_in_order(command, done)
                    self.assertEqual(done.returncode, 40, done)
                    self.assertIn("File too large", done.stderr)
                    self.assertEqual(list(Path(folder).rglob(".tmp*")), [])

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root, to be a user without processes")
    def test_few_processes(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            (Path(folder) / "w.yaml").write_text(WORKFLOW)
            (Path(folder) / "state").mkdir()
            os.chown(Path(folder) / "state", 64999, 64999)
            codes = {}
            for count in range(1, 20):
                # The limit counts threads of the user, here one that nobody else is.
                command = ["setpriv", "--reuid=64999", "--regid=64999", "--clear-groups", "prlimit", f"--nproc={count}",
                           BIN / "capsule-run", f"{folder}/w.yaml", "--state", f"{folder}/state", "--new"]
                done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(), timeout=60)
                if re.search("Permission denied", done.stderr):
                    self.skipTest("another user cannot enter the folder of the build")
                self.ends_in_order(command, done)
                codes[count] = done.returncode
            self.assertEqual((codes[1], codes[19]), (40, 0), codes)


if __name__ == "__main__":
    unittest.main()
