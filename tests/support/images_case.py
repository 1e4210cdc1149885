"""The images, built and loaded into a podman of the test's own."""
import os
import tempfile
import unittest
from pathlib import Path

from containers import Podman, build_images


@unittest.skipIf(os.getuid() != 0, "podman without root needs user namespaces with ranges of ids: run the tests as root")
class ImagesCase(unittest.TestCase):
    images = None  # the names of those that are loaded: all

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.folder.chmod(0o755)
        built = build_images(cls.folder / "images")
        assert built.returncode == 0, built.stderr
        cls.podman = Podman(cls.folder / "podman")
        cls.addClassCleanup(cls.podman.call, "rm", "--all", "--force", "--time", "0")
        for archive in sorted((cls.folder / "images/docker/amd64").iterdir()):
            if cls.images is None or archive.stem in cls.images:
                cls.podman.must("load", "--quiet", "--input", archive)

    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir=self.folder)
        self.addCleanup(folder.cleanup)
        self.work = Path(folder.name)
