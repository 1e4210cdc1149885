"""capsule-agent install: the program puts itself where another image can run it."""
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from steps import BIN, run

PROGRAM = BIN / "capsule-agent"


class Install(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def install(self, target):
        done = run("agent", "install", target)
        self.assertEqual(done.code, 0, done)
        return Path(done.result["file"])

    def test_it_is_whole_executable_and_twice_the_same_file(self):
        target = self.install(self.folder / "here")
        self.assertEqual((target.read_bytes(), target.stat().st_mode & 0o7777), (PROGRAM.read_bytes(), 0o755))
        before = target.stat().st_ino
        self.assertEqual(self.install(target).stat().st_ino, before)
        for spoil in (lambda: target.write_bytes(b"half"), lambda: target.chmod(0o700)):
            spoil()
            self.install(target)
            self.assertEqual((target.read_bytes(), target.stat().st_mode & 0o7777), (PROGRAM.read_bytes(), 0o755))
        self.assertEqual(os.listdir(self.folder), ["here"])

    def test_a_folder_stands_for_its_name_in_it(self):
        self.assertEqual(self.install(self.folder), self.folder / "capsule-agent")

    def test_where_it_cannot_be(self):
        self.assertEqual(run("agent", "install", self.folder / "none/agent").code, 12)
        self.assertEqual(run("agent", "install").code, 2)

    @unittest.skipIf(os.getuid() != 0, "an empty root wants chroot: run the tests as root")
    def test_it_runs_in_an_empty_root(self):
        self.install(self.folder)
        done = subprocess.run(["/capsule-agent", "--version"], capture_output=True, text=True, timeout=60, preexec_fn=lambda: os.chroot(self.folder), cwd="/")
        self.assertEqual((done.returncode, done.stdout), (0, "capsule-agent 0.1.0\n"), done.stderr)


if __name__ == "__main__":
    unittest.main()
