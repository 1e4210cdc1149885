"""A small and a large capsule, a registry that misbehaves, and what publish and download leave behind with it."""
import os
import tempfile
import unittest
from pathlib import Path

from capsule_maker import Maker
from fault_registry import Fault, FaultRegistry
from steps import environment, run

MIB = 1 << 20
LARGE = "expansion/m/large.bin"


class FaultCase(unittest.TestCase):
    """A small capsule, and one with a blob that goes in three parts."""

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.maker = Maker(Path(cls.temporary.name))
        cls.small = cls.maker.package(cls.maker.capsule())
        cls.large = cls.maker.package(cls.maker.capsule("large", files={LARGE: os.urandom(70 * MIB)}))

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.state, self.scratch = self.folder / "state", self.folder / "tmp"
        self.scratch.mkdir()
        self.registry = FaultRegistry()
        self.registry.__enter__()
        self.addCleanup(self.registry.__exit__)

    def step(self, name, *arguments, **keywords):
        return run(name, *arguments, "--state", self.state, "--registry-timeout", "5s",
                   env=environment(TMPDIR=str(self.scratch), HOME=str(self.folder)), **keywords)

    def publish(self, package=None, registry=None):
        return self.step("publish", package or self.small, "--registry", (registry or self.registry).location("team"),
                         "--key", self.maker.public_key)

    def download(self, name="demo", registry=None):
        return self.step("download", (registry or self.registry).location("team") + f"/{name}:0.1.0")

    def fault(self, *arguments, **keywords):
        self.registry.faults.append(Fault(*arguments, **keywords))

    def repository(self, name="demo"):
        return self.registry.content.repository(f"team/{name}")

    def files(self):
        """What the steps left in the state folder and in the folder for temporary files, but for what they keep on
        purpose: which repository holds which blob."""
        return sorted(str(path.relative_to(self.folder)) for folder in (self.state, self.scratch)
                      for path in folder.rglob("*") if path.is_file() and path.suffix != ".holders")

    def assert_published(self, done, name="demo", package=None):
        self.assertEqual(done.code, 0, done)
        self.assertEqual(self.repository(name).tags, {"0.1.0": done.result["index_digest"]})
        self.assertEqual((self.registry.content.uploads, self.files()), ({}, []))
        layers = self.registry.content.repositories[f"team/{name}"].blobs
        self.registry.faults.clear()
        self.assertEqual(self.download(name).result["capsule"], done.result["package_digest"])
        self.assertTrue(layers)

    def assert_refused(self, done, code, word=""):
        """That exit code, no tag, no upload session, no file."""
        self.assertEqual(done.code, code, done)
        self.assertIn(word, done.stderr)
        self.assertEqual(len([line for line in done.stderr.splitlines() if "error:" in line]), 1, done)
        self.assertEqual(self.repository().tags, {})
        self.assertEqual((self.registry.content.uploads, self.files()), ({}, []))
