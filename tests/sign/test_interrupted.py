"""capsule-sign that is killed, told to stop, or run twice at once leaves a package that is whole (attacks 32)."""
import os
import random
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import openssl
import small_capsule
from steps import run, start

SIBLINGS = (".sigstore.json", ".oci.sigstore.json", ".oci.json")


class Interrupted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.base = Path(temporary.name)
        cls.key, cls.public = openssl.key_pair(cls.base, "key")
        capsule = small_capsule.write(cls.base / "capsule", os.urandom(80_000_000))  # large enough for DirectSink
        cls.unsigned = cls.base / "unsigned.tar.gz"
        done = run("pack", capsule, "--out", cls.unsigned)
        assert done.code == 0, done
        cls.capsule_digest = done.result["capsule_digest"]

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(dir=self.base)
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.package = self.folder / "p.tar.gz"
        self.restore()

    def restore(self):
        for path in self.folder.iterdir():
            path.unlink()
        self.package.write_bytes(self.unsigned.read_bytes())

    def start(self):
        return start("sign", self.package, "--key", self.key, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def duration(self):
        before = time.monotonic()
        process = self.start()
        self.assertEqual(0, process.wait(60))
        taken = time.monotonic() - before
        self.restore()
        return taken

    def assert_whole_then_complete(self):
        """The package is the unsigned or a signed one, and the next call completes it."""
        data = self.package.read_bytes()
        if data != self.unsigned.read_bytes():
            done = run("verify", self.package, "--key", self.public)
            self.assertEqual(0, done.code, done)
            self.assertEqual(self.capsule_digest, done.result["capsule_digest"])
        done = run("sign", self.package, "--key", self.key)
        self.assertEqual(0, done.code, done)
        self.assert_complete()

    def assert_complete(self):
        done = run("sign", self.package, "--key", self.key)
        self.assertEqual(0, done.code, done)
        self.assertFalse(done.result["changed"])
        self.assertEqual({self.package.name, *(self.package.name + suffix for suffix in SIBLINGS)},
                         {path.name for path in self.folder.iterdir()})

    def test_kill_9_at_random_moments(self):
        taken = self.duration()
        dice = random.Random(32)
        for _ in range(20):
            moment = dice.uniform(0, taken * 1.1)
            with self.subTest(moment):
                process = self.start()
                time.sleep(moment)
                process.kill()
                process.wait(60)
                self.assert_whole_then_complete()
                self.restore()

    def test_sigterm_stops_within_a_second_and_leaves_nothing_half_written(self):
        taken = self.duration()
        for part in (0.1, 0.5, 0.8):
            process = self.start()
            time.sleep(taken * part)
            process.send_signal(signal.SIGTERM)
            before = time.monotonic()
            self.assertIn(process.wait(60), (-signal.SIGTERM, 0))
            self.assertLess(time.monotonic() - before, 1)
            self.assert_whole_then_complete()
            self.restore()

    def test_two_at_once_end_with_one_package_and_its_bundles(self):
        processes = [self.start() for _ in range(3)]
        self.assertEqual([0, 0, 0], [process.wait(120) for process in processes])
        self.assert_complete()


if __name__ == "__main__":
    unittest.main()
