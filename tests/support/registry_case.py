"""One registry for all tests of a class, and small loops that publish into it."""
import tempfile
import unittest
from pathlib import Path

from registry_server import DockerRegistry
from small_loop import SmallLoop

UNPROVED = {"text": None, "claims": None, "proof_policy": {"required": False, "types": []}}


class RegistryCase(unittest.TestCase):
    server = DockerRegistry

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        cls.folder.chmod(0o755)
        cls.registry = cls.server()
        cls.registry.__enter__()
        cls.addClassCleanup(cls.registry.__exit__)

    @classmethod
    def make_loop(cls, name, base):
        loop = SmallLoop(cls.folder / name)
        loop.place = cls.registry.location(base)
        return loop

    def ok(self, done):
        self.assertEqual(0, done.code, done)
        return done.result
