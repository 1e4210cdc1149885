"""containerd, on its own, imports, pulls, unpacks and mounts what publish writes: the image, and the package as a volume."""
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import small_capsule
from capsule_maker import Maker
from oci_layout import CAPSULE, Layout
from other_tools import Containerd
from registry_server import DockerRegistry
from steps import run


@unittest.skipUnless(os.geteuid() == 0, "containerd mounts images as root alone")
class Runtime(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        cls.maker = Maker(cls.folder)
        cls.capsule = cls.maker.capsule()
        cls.package = cls.maker.package(cls.capsule)
        cls.containerd = Containerd()
        cls.containerd.__enter__()
        cls.addClassCleanup(cls.containerd.__exit__)

    def published(self, registry):
        done = run("publish", self.package, "--registry", registry, "--key", self.maker.public_key, "--state", self.folder / "state")
        self.assertEqual(0, done.code, done)
        return done.result

    def assert_capsule(self, root, without=()):
        """The files of the package, byte for byte."""
        for name, content in small_capsule.entries(self.package).items():
            if name in without:
                self.assertFalse((root / name).exists(), name)
            else:
                self.assertEqual(content, (root / name).read_bytes(), name)
        self.assertTrue((root / "expansion/m/runner.py").stat().st_mode & 0o111)

    def test_a_layout_is_imported(self):
        result = self.published(f"oci-layout:{self.folder}/registry")
        archive = self.folder / "layout.tar"
        subprocess.run(["tar", "-C", self.folder / "registry/demo", "-cf", archive, "."], check=True)
        self.containerd.must("images", "import", "--base-name", "imported/demo", archive)
        listed = [line.split() for line in self.containerd.must("images", "ls").splitlines()[1:]]
        self.assertIn(["imported/demo:0.1.0", result["index_digest"]], [[words[0], words[2]] for words in listed])
        root = self.containerd.mount("imported/demo:0.1.0")
        self.assertEqual("hello\n", (root / "etc/motd").read_text())
        self.assert_capsule(root, without=("capsule.tarball",))

    def test_a_version_is_pulled_and_its_package_mounted_as_a_volume_is(self):
        with DockerRegistry() as registry:
            result = self.published(registry.location("team"))
            image = f"{registry.host}/team/demo:0.1.0"
            self.containerd.must("images", "pull", "--plain-http", image)
            self.assert_capsule(self.containerd.mount(image), without=("capsule.tarball",))
            volume = f"{registry.host}/team/demo@{result['package_manifest_digest']}"
            self.containerd.must("images", "pull", "--plain-http", volume)
            root = self.containerd.mount(volume)
            self.assert_capsule(root)
            done = subprocess.run(["sha256sum", "--check", "--quiet", "checksum.sha256"], cwd=root, check=False)
            self.assertEqual(0, done.returncode)

    def test_a_package_in_a_layout_is_one_too(self):
        result = self.published(f"oci-layout:{self.folder}/volumes")
        folder = self.folder / "volumes/demo"
        layout = Layout(folder)
        [package] = [entry for entry in layout.document(layout.tagged("0.1.0"))["manifests"] if entry.get("artifactType") == CAPSULE]
        self.assertEqual(result["package_manifest_digest"], package["digest"])
        package["annotations"] = {"org.opencontainers.image.ref.name": "package"}
        del package["platform"]
        (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [package]}))
        archive = self.folder / "package.tar"
        subprocess.run(["tar", "-C", folder, "-cf", archive, "."], check=True)
        self.containerd.must("images", "import", "--base-name", "volume/demo", archive)
        self.assert_capsule(self.containerd.mount("volume/demo:package"))


if __name__ == "__main__":
    unittest.main()
