"""A published capsule as a node mounts it: the package's manifest, by digest, as an image volume of a restricted pod."""
import hashlib
import json
import tempfile
import unittest
from pathlib import Path

import side_load
import small_capsule
from capsule_maker import Maker
from cluster_case import ClusterCase
from cluster_pods import pod
from node import REGISTRY

# In the pod: what is in /capsule, and whether one can write there.
LOOK = """
import hashlib, json, os, stat
found = {}
for folder, _, names in os.walk("/capsule"):
    for name in names:
        path = os.path.join(folder, name)
        with open(path, "rb") as file:
            found[os.path.relpath(path, "/capsule")] = hashlib.sha256(file.read()).hexdigest(), bool(os.stat(path).st_mode & stat.S_IXOTH)
try:
    open("/capsule/new", "w")
    written = "yes"
except OSError as error:
    written = error.strerror
print(json.dumps({"files": found, "written": written, "user": os.getuid()}))
"""


class ImageVolume(ClusterCase):
    on_node = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        cls.maker = Maker(cls.folder)
        cls.load_images()

    def published(self, version):
        """(package, its manifest's digest, the repository) of a capsule in the registry beside the node; no other has its model."""
        package = self.maker.package(self.maker.capsule(version=version, files={"expansion/m/model.pt": version.encode() * 500_000}))
        done = self.inside("publish", package, "--registry", f"oci://{REGISTRY}/{self.namespace}", "--insecure-registry", REGISTRY,
                           "--key", self.maker.public_key, "--state", self.folder / "state")
        self.assertEqual(0, done.code, done)
        return package, done.result["package_manifest_digest"], f"{REGISTRY}/{self.namespace}/demo"

    def start(self, name, reference, *command):
        self.create(pod(name, side_load.named("runtime-python"), *command, volumes=[{"name": "capsule", "image": {"reference": reference, "pullPolicy": "IfNotPresent"}}],
                        mounts=[{"name": "capsule", "mountPath": "/capsule", "readOnly": True}]))

    def test_its_files_are_those_of_the_package(self):
        package, digest, repository = self.published("0.1.0")
        self.start("look", f"{repository}@{digest}", "/usr/bin/python3", "-c", LOOK)
        self.assertEqual("Succeeded", self.wait_until_ended("look"), self.kubectl("logs", "look"))
        said = json.loads(self.must("logs", "look"))
        wanted = {name: hashlib.sha256(content).hexdigest() for name, content in small_capsule.entries(package).items()}
        self.assertEqual(wanted, {name: digest for name, (digest, _) in said["files"].items()})
        self.assertTrue(said["files"]["expansion/m/runner.py"][1])
        self.assertEqual(("Read-only file system", 65532), (said["written"], said["user"]))

    def test_the_capsule_s_own_list_holds_there(self):
        """By what every machine has: sha256sum."""
        _, digest, repository = self.published("0.2.0")
        self.start("check", f"{repository}@{digest}", "/bin/sh", "-c", "cd /capsule && exec sha256sum --check --quiet checksum.sha256")
        self.assertEqual("Succeeded", self.wait_until_ended("check"), self.kubectl("logs", "check"))

    def test_one_bit_changed_in_the_registry_is_never_mounted(self):
        _, digest, repository = self.published("0.3.0")
        blobs = self.cluster.node.folder / "registry/docker/registry/v2/blobs/sha256"
        manifest = json.loads((blobs / digest[7:9] / digest[7:] / "data").read_bytes())
        layer = max(manifest["layers"], key=lambda layer: layer["size"])["digest"][7:]
        path = blobs / layer[:2] / layer / "data"
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        self.addCleanup(path.write_bytes, path.read_bytes())
        path.write_bytes(content)
        self.start("bad", f"{repository}@{digest}", "/usr/bin/python3", "-c", LOOK)

        def refused():
            [status] = self.get("pod", "bad")["status"].get("containerStatuses") or [{}]
            waiting = status.get("state", {}).get("waiting", {})
            return waiting if waiting.get("reason") in ("ErrImagePull", "ImagePullBackOff") else None

        self.wait_for("the refusal", refused)
        said = self.must("get", "events", "-o", "jsonpath={.items[*].message}")
        self.assertRegex(said, "unexpected commit digest|invalid checksum|mismatch")


if __name__ == "__main__":
    unittest.main()
