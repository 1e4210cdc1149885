"""capsule-download from paths: what is taken, what is refused, what is left behind."""
import gzip
import hashlib
import os
import tempfile
import unittest
from pathlib import Path

from steps import environment, is_sanitized, peak_memory, run, start


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if not path.is_dir())


class Sources(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.store = self.folder / "store"
        self.data = gzip.compress(os.urandom(200_000), mtime=0)
        self.hex = hashlib.sha256(self.data).hexdigest()
        self.package = self.folder / "p.tar.gz"
        self.package.write_bytes(self.data)

    def download(self, *arguments, **kwargs):
        return run("download", "--store", self.store, *arguments, **kwargs)

    def test_a_path_comes_into_the_store_by_its_digest(self):
        for suffix in (".sigstore.json", ".oci.sigstore.json", ".oci.json"):
            Path(f"{self.package}{suffix}").write_text(f"{{}} {suffix}")
        outputs = self.folder / "outputs"
        done = self.download("--outputs", outputs, "--", self.package)
        self.assertEqual(done.code, 0, done)
        target = self.store / "sha256" / self.hex / "package.tar.gz"
        self.assertEqual(done.result, {"capsule": "sha256:" + self.hex, "package_digest": "sha256:" + self.hex,
                                       "path": str(target), "index_head": "", "already_there": False, "bytes_written": 0})
        self.assertEqual(target.read_bytes(), self.data)
        self.assertEqual((outputs / "capsule").read_text(), "sha256:" + self.hex)
        self.assertEqual((outputs / "path").read_text(), str(target))
        self.assertEqual(files_below(self.store), [f"sha256/{self.hex}/package.tar.gz{suffix}" for suffix in
                                                   ("", ".oci.json", ".oci.sigstore.json", ".sigstore.json")])
        self.assertEqual(target.stat().st_mode & 0o777, 0o644)

    def test_the_second_time_it_is_found_and_new_siblings_follow(self):
        self.download(self.package)
        target = self.store / "sha256" / self.hex / "package.tar.gz"
        before = target.stat()
        Path(f"{self.package}.oci.json").write_text("{}")
        again = self.download(self.package)
        self.assertEqual(again.code, 0, again)
        self.assertTrue(again.result["already_there"])
        after = target.stat()
        self.assertEqual((before.st_ino, before.st_mtime_ns), (after.st_ino, after.st_mtime_ns))
        self.assertTrue(Path(f"{target}.oci.json").exists())

    def test_a_link_may_be_the_input(self):
        link = self.folder / "link"
        link.symlink_to(self.package)
        done = self.download(link)
        self.assertEqual(done.result["capsule"], "sha256:" + self.hex, done)
        self.assertFalse(Path(done.result["path"]).is_symlink())

    def test_another_digest_is_refused_and_nothing_kept(self):
        done = self.download("--digest", "sha256:" + "0" * 64, self.package)
        self.assertEqual(done.code, 11, done)
        self.assertEqual(files_below(self.store), [])

    def test_what_is_no_package_is_refused(self):
        cases = {"text": b"hello", "empty": b"", "zip": b"PK\x03\x04", "one": b"\x1f\x8c\x08"}
        for name, data in cases.items():
            with self.subTest(name):
                path = self.folder / name
                path.write_bytes(data)
                self.assertEqual(self.download(path).code, 10)
        self.assertEqual(self.download("--max-bytes", "1000", self.package).code, 10)
        self.assertEqual(self.download(self.folder).code, 10)
        self.assertEqual(self.download(self.folder / "nowhere").code, 12)
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        self.assertEqual(self.download(fifo).code, 10)
        self.assertEqual(files_below(self.store), [])

    def test_sources_that_cannot_be(self):
        for source in ("ftp://h/p", "s3://b/k", "http://example.com/p", "https://u:s3cret@example.com/p",
                       "https://example.com/../p", "https://example.com/p#f"):
            with self.subTest(source):
                done = self.download(source)
                self.assertEqual(done.code, 2, done)
                self.assertNotIn("s3cret", done.stderr)
        self.assertEqual(self.download("--digest", "md5:00", self.package).code, 2)
        self.assertEqual(self.download("--digest", "sha512:" + "0" * 128, self.package).code, 2)
        self.assertEqual(run("download").code, 2)

    def test_an_oversized_sibling_is_refused(self):
        Path(f"{self.package}.oci.json").write_bytes(b" " * (4 * 1024 * 1024 + 1))
        self.assertEqual(self.download(self.package).code, 10)
        self.assertEqual(files_below(self.store), [])

    def test_the_store_is_below_the_state_folder(self):
        state = self.folder / "state"
        done = run("download", self.package, env=environment(CAPSULE_STATE=str(state)))
        self.assertEqual(done.code, 0, done)
        self.assertTrue(done.result["path"].startswith(f"{state}/store/sha256/"))

    def test_a_store_that_cannot_be_written(self):
        blocked = self.folder / "blocked"
        blocked.write_text("a file")
        self.assertNotIn(run("download", "--store", blocked, self.package).code, (0, 1))

    def test_memory_does_not_grow_with_the_package(self):
        big = self.folder / "big.tar.gz"
        with open(big, "wb") as file:
            file.write(self.data[:10])
            file.truncate(1 << 30)
        code, peak = peak_memory("download", "--store", self.store, big)
        self.assertEqual(code, 0)
        if not is_sanitized("download"):
            self.assertLessEqual(peak, 24 << 20)

    def test_killed_while_copying_leaves_no_half_package(self):
        big = self.folder / "big.tar.gz"
        with open(big, "wb") as file:
            file.write(self.data[:10])
            file.truncate(256 << 20)
        for delay in (0.02, 0.1, 0.2, 0.3):
            process = start("download", "--store", self.store, big)
            try:
                process.communicate(timeout=delay)
            except Exception:  # pylint: disable=broad-except
                process.kill()
                process.communicate()
            for path in self.store.rglob("package.tar.gz"):
                self.assertEqual(path.stat().st_size, 256 << 20)
        self.assertEqual(self.download(big).code, 0)
        self.assertEqual(len(files_below(self.store)), 1)


if __name__ == "__main__":
    unittest.main()
