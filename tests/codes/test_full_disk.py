"""A disk that fills up under a step: one line, the code that says a retry can help, nothing half-written; with room it goes on."""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from oci_layout import Layout
from small_loop import SmallLoop

PAGE = 4096
STEPS = ("deploy", "generate-proof", "anchor", "register")


class Disk:
    """A small tmpfs of the test's own, and a file on it that takes up all but some room."""

    def __init__(self, folder):
        self.folder = Path(folder)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=755", "capsule-test", folder], capture_output=True, text=True)
        if done.returncode != 0:
            raise unittest.SkipTest(f"no tmpfs can be mounted: {done.stderr.strip()}")
        self.filler = self.folder / "filler"

    def leave(self, room):
        self.filler.unlink(missing_ok=True)
        free = os.statvfs(self.folder)
        with self.filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - room)

    def empty(self):
        self.filler.unlink(missing_ok=True)

    def remove(self):
        subprocess.run(["umount", "--lazy", self.folder], check=True)


@unittest.skipUnless(os.geteuid() == 0, "only root can mount a small file system")
class FullDisk(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        Path(temporary.name).chmod(0o755)
        mount = Path(temporary.name) / "disk"
        mount.mkdir()
        self.disk = Disk(mount)
        self.addCleanup(self.disk.remove)
        self.loop = SmallLoop(mount / "loop")
        self.loop.publish_proved(extra={"expansion/m/model.pt": b"weights"})

    def call(self, step, results):
        bundle = results.get("generate-proof", {}).get("proof_bundle")
        return {"deploy": self.loop.deploy,
                "generate-proof": lambda: self.loop.generate_proof(results["deploy"]["run_record"]),
                "anchor": lambda: self.loop.anchor(bundle),
                "register": lambda: self.loop.register(bundle, results["anchor"]["receipts"])}[step]()

    def assert_nothing_half_written(self, step):
        left = [path for path in self.loop.folder.rglob("*") if path.name.startswith(".tmp-") or path.name.endswith(".tmp")]
        self.assertEqual([], left, step)
        Layout(self.loop.registry / "probe").check_everything()

    def test_every_step_with_ever_more_room(self):
        results = {}
        for step in STEPS:
            refused = 0
            room = 0
            while True:
                self.disk.leave(room)
                done = self.call(step, results)
                self.disk.empty()
                if done.code == 0:
                    break
                with self.subTest(step=step, room=room):
                    self.assertEqual(40, done.code, done)
                    errors = [line for line in done.stderr.splitlines() if line.startswith(f"capsule-{step}: error: ")]
                    self.assertEqual(1, len(errors), done)
                    self.assertRegex(errors[0], "space|full|too large|disk")
                    self.assertEqual("", done.stdout)
                    self.assert_nothing_half_written(step)
                refused += 1
                room += max(PAGE, room // 2)
            self.assertGreater(refused, 0, step)
            self.assert_nothing_half_written(step)
            # What was tried on the full disk has left nothing that a run with room would stumble over.
            again = self.call(step, results)
            self.assertEqual(0, again.code, again)
            results[step] = again.result
        self.assertEqual(1, len(self.loop.bundles()))
        self.assertEqual(0, self.loop.resolve("capsule://probe:1.0.0?proof=true").code)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
