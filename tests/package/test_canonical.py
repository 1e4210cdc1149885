"""The canonical package: the same bytes everywhere, as the format's description says, and any tool opens it."""
import gzip
import hashlib
import io
import os
import random
import shutil
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path

from package_builder import MANIFEST, canonical, checksums, sample_files, segments, write_files
from steps import BIN, environment, run


class Folder(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.path = Path(temporary.name)
        self.files = sample_files()
        self.folder = self.path / "capsule"
        write_files(self.folder, self.files)

    def pack(self, *arguments, folder=None, out=None, **kwargs):
        out = out or self.path / "out.tar.gz"
        done = run("pack", folder or self.folder, "--out", out, *arguments, **kwargs)
        self.assertEqual(done.code, 0, done)
        return Path(done.result["package"]), done.result


class Bytes(Folder):
    def test_the_package_is_what_the_description_says(self):
        package, result = self.pack()
        data = package.read_bytes()
        self.assertTrue(data == canonical(self.files))
        self.assertNotIn("package_digest", result)  # would cost a second read
        self.assertEqual(result["capsule_digest"], "sha256:" + hashlib.sha256(checksums(self.files)).hexdigest())
        self.assertEqual((result["name"], result["version"], result["size"]), ("sample", "1.2.3", len(data)))
        self.assertEqual(package.stat().st_mode & 0o777, 0o644)

    def test_sizes_around_the_borders_of_blocks_and_members(self):
        for size in (1, 511, 512, 513, 65535 - 512, 65535, (1 << 20) - 1536, (1 << 20) - 1024, (1 << 20) - 512, 1 << 20,
                     (4 << 20) - 1, 4 << 20, (5 << 20) - 512):
            files = {**self.files, "expansion/x": random.Random(size).randbytes(size)}
            write_files(self.folder, files)
            package, _ = self.pack(out=self.path / f"{size}.tar.gz")
            self.assertTrue(package.read_bytes() == canonical(files), size)

    def test_more_than_96_segments_double_the_threshold(self):
        folder = self.path / "many"
        write_files(folder, {"capsule.json": MANIFEST, "expansion/run.sh": b"#!/bin/sh\n"})
        (folder / "w").mkdir()
        for i in range(100):
            with (folder / f"w/{i:03}").open("wb") as hole:
                hole.truncate(4 << 20)
        package, _ = self.pack(folder=folder)
        sizes = []
        with package.open("rb") as stream:
            while head := stream.read(32):
                size, length = (int.from_bytes(head[i:i + 8], "little") for i in (16, 24))
                sizes.append(length)
                stream.seek(size - 32, os.SEEK_CUR)
        # Head and end apart, all is one run: every member but the last is whole.
        run_size = 100 * ((4 << 20) + 512) + 1024
        self.assertEqual(sizes[1:-2], [1 << 20] * (run_size >> 20))
        self.assertEqual(sizes[-2:], [run_size & ((1 << 20) - 1), 1024])


class SameEverywhere(Folder):
    def setUp(self):
        super().setUp()
        self.package, _ = self.pack()
        self.wanted = self.package.read_bytes()

    def assert_same(self, out="again.tar.gz", **kwargs):
        package, _ = self.pack(out=self.path / out, **kwargs)
        self.assertTrue(package.read_bytes() == self.wanted)
        package.unlink()

    def test_clock_and_source_date_epoch(self):
        for path in self.folder.rglob("*"):
            os.utime(path, (random.randrange(2 ** 31), random.randrange(2 ** 31)))
        self.assert_same()
        for value in ("0", "1700000000", "garbage", "-1"):
            self.assert_same(env=environment(SOURCE_DATE_EPOCH=value))
        if shutil.which("faketime"):
            self.assert_same(env=environment(FAKETIME="@2001-01-01 00:00:00"))

    def test_umask(self):
        for mask in (0o000, 0o077, 0o777):
            old = os.umask(mask)
            try:
                self.assert_same()
            finally:
                os.umask(old)

    def test_locale_and_time_zone(self):
        for locale in ("C", "C.UTF-8", "de_DE.UTF-8", "tr_TR.UTF-8", "nonsense"):
            self.assert_same(env=environment(LC_ALL=locale, LANG=locale, TZ="Pacific/Kiritimati"))

    def test_file_modes(self):
        for path in self.folder.rglob("*"):
            if path.is_file():
                path.chmod(random.choice((0o400, 0o644, 0o755, 0o4755, 0o666)))
        self.assert_same()

    def test_order_of_creation(self):
        for seed in range(3):
            folder = self.path / f"shuffled{seed}"
            names = list(self.files)
            random.Random(seed).shuffle(names)
            write_files(folder, {name: self.files[name] for name in names})
            self.assert_same(folder=folder)

    def test_another_file_system_and_another_working_folder(self):
        shm = Path("/dev/shm")
        if not shm.is_dir() or not os.access(shm, os.W_OK):
            self.skipTest("/dev/shm is not to be written: no second file system")
        with tempfile.TemporaryDirectory(dir=shm) as other:
            write_files(Path(other) / "capsule", self.files)
            self.assertNotEqual(os.stat(other).st_dev, os.stat(self.path).st_dev if str(self.path)[:8] != "/dev/shm" else -1)
            self.assert_same(folder=Path(other) / "capsule")
            package, _ = self.pack(folder=Path(other) / "capsule", out=Path(other) / "p")
            self.assertTrue(package.read_bytes() == self.wanted)
            self.assert_same(folder=".", cwd=self.folder)
            self.assert_same(folder="../capsule/", cwd=self.folder)

    def test_another_user(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, to become another user")
        os.chmod(self.path, 0o755)
        home = self.path / "home"
        home.mkdir()
        os.chown(home, 65532, 65532)
        binary = shutil.copy(BIN / "capsule-pack", self.path)
        done = subprocess.run([binary, self.folder, "--out", home / "p.tar.gz"], user=65532, group=65532, extra_groups=[],
                              env=environment(HOME=str(home)), capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue((home / "p.tar.gz").read_bytes() == self.wanted)

    def test_holes_and_hard_links_do_not_show(self):
        target = self.folder / "expansion/large.bin"
        os.link(target, self.path / "link")
        zeros = self.folder / "expansion/zeros"
        zeros.write_bytes(bytes(3 << 20))
        package, _ = self.pack(out=self.path / "zeros1.tar.gz")
        zeros.unlink()
        with zeros.open("wb") as hole:
            hole.truncate(3 << 20)
        sparse, _ = self.pack(out=self.path / "zeros2.tar.gz")
        self.assertTrue(sparse.read_bytes() == package.read_bytes())

    def test_one_core_and_two(self):
        if shutil.which("taskset") is None:
            self.skipTest("taskset is missing")
        done = subprocess.run(["taskset", "-c", "0", BIN / "capsule-pack", self.folder, "--out", self.path / "one"],
                              env=environment(), capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue((self.path / "one").read_bytes() == self.wanted)

    def test_skipped_folders_do_not_count(self):
        write_files(self.folder, {"expansion/__pycache__/a.pyc": b"x", ".git/HEAD": b"x", "scripts/.DS_Store": b"x",
                                  "signature.sig": b"stale", "checksum.sha256": b"stale"})
        done = run("pack", self.folder, "--out", self.path / "again.tar.gz")
        self.assertEqual(done.code, 0, done)
        self.assertTrue((self.path / "again.tar.gz").read_bytes() == self.wanted)
        for name in ("expansion/__pycache__", ".git", "scripts/.DS_Store", "signature.sig", "checksum.sha256"):
            self.assertIn(f"left out: {name}", done.stderr)


class OtherToolsRead(Folder):
    def setUp(self):
        super().setUp()
        self.contents = {**self.files, "checksum.sha256": checksums(self.files)}

    def assert_unpacked(self, folder):
        found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        self.assertTrue(found == self.contents, sorted(found))
        self.assertTrue(os.access(folder / "expansion/run.sh", os.X_OK))
        self.assertEqual((folder / "expansion/data.bin").stat().st_mode & 0o111, 0)

    def test_tar_and_bsdtar(self):
        for compress in ("store", "auto"):
            package, _ = self.pack(f"--compress={compress}", out=self.path / f"{compress}.tar.gz")
            for command in (["tar"], ["bsdtar"]):
                for locale in ("C", "C.UTF-8"):
                    target = self.path / f"{compress}-{command[0]}-{locale}"
                    target.mkdir()
                    subprocess.run([*command, "xzf", package, "-C", target], check=True, env=environment(LC_ALL=locale))
                    self.assert_unpacked(target)

    def test_python(self):
        package, _ = self.pack()
        self.assertTrue(gzip.decompress(package.read_bytes()) == b"".join(segments(self.files)))
        with tarfile.open(package) as tar:
            self.assertEqual([m.name for m in tar.getmembers()][:2], ["checksum.sha256", "capsule.json"])
            for member in tar.getmembers():
                self.assertTrue(tar.extractfile(member).read() == self.contents[member.name], member.name)
                self.assertEqual((member.uid, member.gid, member.uname, member.gname, member.mtime), (0, 0, "", "", 0))

    def test_gunzip_and_sha256sum(self):
        package, _ = self.pack()
        self.assertEqual(subprocess.run(["gzip", "-t", package]).returncode, 0)
        target = self.path / "x"
        target.mkdir()
        subprocess.run(["tar", "xzf", package, "-C", target], check=True)
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "checksum.sha256"], cwd=target, check=True)

    def test_each_segment_is_a_gzip_of_a_tar_fragment(self):
        package, _ = self.pack()
        data = package.read_bytes()
        for fragment in segments(self.files):
            members = []
            while sum(len(part) for part in members) < len(fragment):
                size = int.from_bytes(data[16:24], "little")
                members.append(gzip.decompress(data[:size]))
                data = data[size:]
            self.assertTrue(b"".join(members) == fragment)
            with tarfile.open(fileobj=io.BytesIO(fragment)) as tar:
                tar.getmembers()
        self.assertEqual(len(data), 0)


class Compression(Folder):
    def test_auto_shrinks_what_shrinks_and_keeps_the_digest_of_the_capsule(self):
        self.files["expansion/noise.bin"] = random.Random(1).randbytes(6 << 20)
        write_files(self.folder, self.files)
        plain, stored = self.pack(out=self.path / "a")
        packed, deflated = self.pack("--compress", "auto", out=self.path / "b")
        self.assertEqual(stored["capsule_digest"], deflated["capsule_digest"])
        self.assertLess(deflated["size"], stored["size"] - (5 << 20))
        self.assertTrue(gzip.decompress(plain.read_bytes()) == gzip.decompress(packed.read_bytes()))
        again, _ = self.pack("--compress", "auto", out=self.path / "c")
        self.assertTrue(again.read_bytes() == packed.read_bytes())
        # The head is stored, the noise too.
        data = packed.read_bytes()
        self.assertEqual(data[32] & 6, 0)
        self.assertTrue(self.files["expansion/noise.bin"][:60000] in data)

    def test_a_package_that_is_there_is_left_alone_whatever_the_compression(self):
        package, first = self.pack()
        before = package.stat()
        _, second = self.pack("--compress=auto")
        self.assertTrue(second["already_there"])
        self.assertEqual(first["capsule_digest"], second["capsule_digest"])
        self.assertEqual((before.st_ino, before.st_mtime_ns), (package.stat().st_ino, package.stat().st_mtime_ns))


if __name__ == "__main__":
    unittest.main()
