"""A registry and a state folder that may only be read: whoever has nothing to write needs no right to."""
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from capsule_maker import Maker
from steps import BIN, Outcome, environment, run


class ReadOnly(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.state = self.folder / "state"
        self.registry = f"oci-layout:{self.folder}/registry"
        self.assertEqual(run("sign", "keygen", "--state", self.state).code, 0)
        maker = Maker(self.folder)
        maker.key = self.state / "secrets/capsule-key-capsule/key.pem"
        self.package = maker.make()
        published = self.must("publish", self.package, "--registry", self.registry, "--state", self.state)
        self.reference = published["reference"]
        self.must("register", self.reference, "--state", self.state)

    def must(self, step, *arguments):
        done = run(step, *arguments)
        self.assertEqual(done.code, 0, done)
        return done.result

    def by_a_reader(self, step, *arguments):
        """As a user who can read all of it, and write nothing. Keys stay private."""
        subprocess.run(["chmod", "-R", "a+rX,a-w", self.folder], check=True)
        self.addCleanup(subprocess.run, ["chmod", "-R", "u+w", self.folder], check=True)
        other = {"user": 65532, "group": 65532, "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run([BIN / f"capsule-{step}", *map(str, arguments)], env=environment(), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False, **other)
        return Outcome(done.returncode, done.stdout, done.stderr)

    def content(self):
        return {path: path.read_bytes() for path in sorted(self.folder.rglob("*")) if path.is_file()}

    def test_a_complete_publish_is_already_done(self):
        before = self.content()
        done = self.by_a_reader("publish", self.package, "--registry", self.registry, "--state", self.state)
        self.assertEqual(done.code, 0, done)
        self.assertTrue(done.result["already_published"])
        self.assertEqual(done.result["reference"], self.reference)
        self.assertEqual((done.result["blobs_written"], done.stderr), (0, ""))
        self.assertEqual(self.content(), before)

    def test_one_that_has_something_to_write_is_denied_and_says_where(self):
        blob = self.folder / "registry/demo/blobs/sha256" / self.reference.rpartition(":")[2]
        blob.unlink()
        done = self.by_a_reader("publish", self.package, "--registry", self.registry, "--state", self.state)
        self.assertEqual(done.code, 13, done)
        self.assertIn("registry/demo/blobs/sha256", done.stderr)
        self.assertFalse(blob.exists())

    def test_what_is_registered_already_is_found(self):
        done = self.by_a_reader("register", self.reference, "--state", self.state)
        self.assertEqual(done.code, 0, done)
        self.assertFalse(done.result["changed"])

    def test_resolve_and_list(self):
        for arguments in (("resolve", "capsule://demo:0.1.0"), ("resolve", "capsule://demo:latest"), ("list",)):
            with self.subTest(arguments):
                done = self.by_a_reader("register", *arguments, "--registry", self.registry, "--state", self.state)
                self.assertEqual((done.code, done.stderr), (0, ""), done)

    def test_an_index_that_cannot_be_remembered_is_a_warning(self):
        (self.state / "index-seen").rename(self.folder / "elsewhere")
        before = self.content()
        done = self.by_a_reader("register", "resolve", "capsule://demo:0.1.0", "--registry", self.registry, "--state",
                                self.state)
        self.assertEqual(done.code, 0, done)
        self.assertEqual(done.result["reference"], self.reference)
        [line] = done.stderr.strip().splitlines()
        self.assertIn("not remembered", line)
        self.assertIn("index-seen", line)
        self.assertEqual(self.content(), before)

    def test_a_rollback_is_still_noticed_by_what_was_remembered(self):
        [seen] = (self.state / "index-seen").iterdir()
        seen.write_text(seen.read_text().replace('"sequence":1', '"sequence":7'))
        done = self.by_a_reader("register", "resolve", "capsule://demo:0.1.0", "--registry", self.registry, "--state",
                                self.state)
        self.assertEqual(done.code, 11, done)
        self.assertIn("rollback", done.stderr)


if __name__ == "__main__":
    unittest.main()
