"""Memory that does not grow with the package, a quick start, many files."""
import os
import tempfile
import time
import unittest
from pathlib import Path

from package_builder import MANIFEST, Key, checksums, head_entries, entry, members, write_files
from steps import BIN, environment, peak_memory, run

CEILING = 24 << 20
SANITIZED = "debug" in str(BIN)


class Limits(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.path = Path(temporary.name)
        self.key = Key(self.path)

    def sign(self, package, folder):
        """Puts another head in front of an unsigned package."""
        import subprocess
        signed = package.with_name("signed.tar.gz")
        head = subprocess.run(["tar", "xzOf", package, "checksum.sha256"], capture_output=True, check=True).stdout
        tar = entry("signature.sig", self.key.sign(head)) + entry("checksum.sha256", head) + entry(
            "capsule.json", (folder / "capsule.json").read_bytes())
        with package.open("rb") as source, signed.open("wb") as target:
            source.seek(int.from_bytes(source.read(24)[16:24], "little"))
            target.write(members(tar))
            while piece := source.read(1 << 20):
                target.write(piece)
        return signed

    @unittest.skipIf(SANITIZED, "sanitizers have their own memory")
    def test_memory_does_not_grow_with_the_package(self):
        for size in (10 << 20, 1 << 30):
            folder = self.path / str(size)
            write_files(folder, {"capsule.json": MANIFEST, "expansion/run.sh": b"#!/bin/sh\n"})
            with (folder / "expansion/weights").open("wb") as weights:
                weights.write(os.urandom(1 << 20))
                weights.truncate(size)
            package = self.path / f"{size}.tar.gz"
            for compress in ("auto", "store"):
                package.unlink(missing_ok=True)
                code, peak = peak_memory("pack", folder, "--out", package, "--compress", compress)
                self.assertEqual(code, 0)
                self.assertLess(peak, CEILING, (size, compress, peak))
                signed = self.sign(package, folder)
                code, peak = peak_memory("verify", signed, "--key", self.key.public)
                self.assertEqual(code, 0)
                self.assertLess(peak, CEILING, (size, compress, peak))
            foreign = self.path / "foreign.tar.gz"
            os.system(f"mkdir -p {self.path}/x && tar xzf {signed} -C {self.path}/x && tar -cf - -C {self.path}/x . | gzip -1 > {foreign}")
            code, peak = peak_memory("verify", foreign, "--key", self.key.public)
            self.assertEqual(code, 0)
            self.assertLess(peak, CEILING, (size, "foreign", peak))

    @unittest.skipIf(SANITIZED, "sanitizers have their own memory")
    def test_a_start_is_small(self):
        for step, most in (("pack", 9), ("verify", 14)):  # verify speaks to registries, with libcurl and what that loads
            code, peak = peak_memory(step, "--version")
            self.assertEqual(code, 0)
            self.assertLess(peak, most << 20, step)

    def test_many_small_files(self):
        folder = self.path / "many"
        write_files(folder, {"capsule.json": MANIFEST, "expansion/run.sh": b"#!/bin/sh\n"})
        for i in range(20_000):
            if i % 1000 == 0:
                (folder / f"d{i // 1000}").mkdir()
            (folder / f"d{i // 1000}/{i}").write_bytes(b"%d" % i)
        if not SANITIZED:
            code, peak = peak_memory("pack", folder, "--out", self.path / "measured.tar.gz")
            self.assertEqual(code, 0)
            self.assertLess(peak, (16 << 20) + 20_000 * 640)  # README: path and digest of each file are kept, 80 MiB at 100,000
        began = time.monotonic()
        done = run("pack", folder, "--out", self.path / "many.tar.gz")
        self.assertEqual(done.code, 0, done)
        signed = self.sign_large(self.path / "many.tar.gz", folder)
        done = run("verify", signed, "--key", self.key.public)
        self.assertEqual(done.code, 0, done)
        self.assertTrue(done.result["canonical"])
        self.assertLess(time.monotonic() - began, 60)

    def sign_large(self, package, folder):
        """A head of several members: built anew."""
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        head = head_entries(files, self.key)
        signed = package.with_name("signed-many.tar.gz")
        with package.open("rb") as source, signed.open("wb") as target:
            unsigned = len(entry("checksum.sha256", checksums(files))) + len(entry("capsule.json", files["capsule.json"]))
            while unsigned > 0:
                header = source.read(32)
                source.seek(int.from_bytes(header[16:24], "little") - 32, os.SEEK_CUR)
                unsigned -= int.from_bytes(header[24:32], "little")
            target.write(members(head) + source.read())
        return signed


if __name__ == "__main__":
    unittest.main()
