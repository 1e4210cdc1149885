"""capsule-verify --unpack: in the pass that verifies, whole or not at all."""
import tempfile
import unittest
from pathlib import Path

from capsule_maker import Maker
from registry_server import DockerRegistry
from steps import run


class Unpack(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.out = self.folder / "out"
        self.maker = Maker(self.folder)
        self.source = self.maker.capsule()
        self.package = self.maker.package(self.source)

    def verify(self, capsule, key=None):
        return run("verify", capsule, "--key", key or self.maker.public_key, "--unpack", self.out, "--state", self.folder / "state")

    def assert_unpacked(self, done):
        self.assertEqual(done.code, 0, done)
        root = Path(done.result["unpacked"])
        self.assertEqual(root, self.out / done.result["capsule_digest"][7:])
        self.assertEqual(list(self.out.iterdir()), [root])
        for path in (path for path in self.source.rglob("*") if path.is_file()):
            self.assertEqual((root / path.relative_to(self.source)).read_bytes(), path.read_bytes())
        return root

    def test_a_file_twice_and_what_was_changed_is_replaced(self):
        root = self.assert_unpacked(self.verify(self.package))
        (root / "capsule.json").write_text("{}")
        (root / "more").write_text("")
        self.assertFalse((self.assert_unpacked(self.verify(self.package)) / "more").exists())

    def test_from_a_registry(self):
        with DockerRegistry() as registry:
            done = run("publish", self.package, "--registry", registry.location("team"), "--key", self.maker.public_key,
                       "--state", self.folder / "state")
            self.assertEqual(done.code, 0, done)
            self.assert_unpacked(self.verify(done.result["reference"]))

    def test_nothing_of_what_does_not_hold(self):
        _, stranger = self.maker.make_key("stranger")
        self.assertEqual(self.verify(self.package, stranger).code, 11)
        content = bytearray(self.package.read_bytes())
        content[len(content) // 2] ^= 1
        self.package.write_bytes(content)
        self.assertIn(self.verify(self.package).code, (10, 11))
        self.assertEqual(list(self.out.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
