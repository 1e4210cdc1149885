"""`make images PUSH=…`: images in a registry, by our own client, and the overlay that names them by digest."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import strict_yaml
import workflow_files
from containers import build_images
from registry_server import DockerRegistry
from steps import BIN, SOURCE, Outcome

PUSH = BIN.parent / "images/bin/capsule-push-images"


def push(layout, *arguments):
    done = subprocess.run([PUSH, layout, *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
    return Outcome(done.returncode, done.stdout, done.stderr)


class Push(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        assert build_images(cls.folder / "images").returncode == 0
        cls.layout = cls.folder / "images/oci"
        index = json.loads((cls.layout / "index.json").read_text())
        cls.digests = {re.search(r"/(.*):", entry["annotations"]["org.opencontainers.image.ref.name"]).group(1): entry["digest"]
                       for entry in index["manifests"]}

    def test_to_a_registry(self):
        with DockerRegistry() as registry:
            for _ in range(2):
                done = push(self.layout, "--registry", registry.location("team/loop"))
                self.assertEqual(done.code, 0, done)
                self.assertEqual(done.result["images"], self.digests)
            for name, digest in self.digests.items():
                said = subprocess.run(["skopeo", "inspect", "--tls-verify=false", f"docker://{registry.host}/team/loop/{name}:0.1.0"],
                                      capture_output=True, text=True, timeout=60)
                self.assertEqual(json.loads(said.stdout)["Digest"], digest, said.stderr)
            copied = subprocess.run(["skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{registry.host}/team/loop/verify:0.1.0",
                                     f"dir:{self.folder / 'verify'}"], capture_output=True, text=True, timeout=120)
            self.assertEqual(copied.returncode, 0, copied.stderr)

    def test_to_a_folder(self):
        done = push(self.layout, "--registry", f"oci-layout:{self.folder / 'registry'}")
        self.assertEqual((done.code, done.result["images"]), (0, self.digests), done)
        umoci = subprocess.run(["umoci", "ls", "--layout", self.folder / "registry/deploy"], capture_output=True, text=True, timeout=60)
        self.assertEqual(umoci.stdout, "0.1.0\n")

    def test_what_cannot_be_pushed(self):
        self.assertEqual(push(self.folder, "--registry", f"oci-layout:{self.folder / 'x'}").code, 12)
        broken = self.folder / "broken"
        shutil.copytree(self.layout, broken)
        largest = max((broken / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
        largest.write_bytes(b"x" + largest.read_bytes()[1:])
        done = push(broken, "--registry", f"oci-layout:{self.folder / 'from-broken'}")
        self.assertEqual((done.code, done.stderr.count("\n")), (11, 1), done)
        index = json.loads((broken / "index.json").read_text())
        index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] = "latest"
        (broken / "index.json").write_text(json.dumps(index))
        done = push(broken, "--registry", f"oci-layout:{self.folder / 'untagged'}")
        self.assertEqual((done.code, done.stderr.count("\n")), (10, 1), done)


class Overlay(unittest.TestCase):
    PUSHED = {"registry": "oci://registry.example:5000/team/loop",
              "images": {name: "sha256:" + f"{number:064x}" for number, name in enumerate(
                  ["runtime-python", *(path.parent.name for path in (SOURCE / "steps").glob("*/main.cpp"))])}}

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        shutil.copytree(SOURCE / "workflows", f"{folder.name}/workflows", ignore=shutil.ignore_patterns("pushed"))
        self.overlay = Path(folder.name) / "workflows/overlays/pushed"
        subprocess.run([sys.executable, "-B", SOURCE / "images/overlay.py", self.overlay], input=json.dumps(self.PUSHED), text=True, check=True,
                       capture_output=True, timeout=60)

    def wanted(self, image):
        name = re.fullmatch(r"capsule-loop\.invalid/(.+):0\.1\.0", image).group(1)
        return f"registry.example:5000/team/loop/{name}@{self.PUSHED['images'][name]}"

    def test_every_image_of_the_templates_is_replaced(self):
        overlay = strict_yaml.load_file(str(self.overlay / "images/kustomization.yaml"))
        replaced = {f"{image['name']}:0.1.0": f"{image['newName']}@{image['digest']}" for image in overlay["images"]}
        for path, template in workflow_files.leaf_templates(workflow_files.shipped()):
            image = template["container"]["image"]
            self.assertEqual(replaced[image], self.wanted(image), path)
        where = strict_yaml.load_file(str(self.overlay / "images/containers.yaml"))
        self.assertIn({"path": "spec/templates[]/container/image", "kind": "WorkflowTemplate"}, where["images"])

    def test_what_is_in_a_folder_is_in_its_base(self):
        for folder in ("templates", "crds", "rbac/cluster", "services/proof-service"):
            base = strict_yaml.load_file(str(SOURCE / "workflows" / folder / "kustomization.yaml"))
            files = sorted(os.listdir(SOURCE / "workflows" / folder))
            self.assertEqual(base["resources"], [name for name in files if name != "kustomization.yaml"])
        base = strict_yaml.load_file(str(SOURCE / "workflows/rbac/kustomization.yaml"))
        files = sorted(f"{kind}/{name}" for kind in ("accounts", "bindings", "roles") for name in os.listdir(SOURCE / "workflows/rbac" / kind))
        self.assertEqual(base["resources"], files)

    @unittest.skipUnless(shutil.which("kubectl"), "kubectl is not there; what it would read is checked above")
    def test_kustomize_puts_them_in(self):
        images = [template["container"]["image"] for _, template in workflow_files.leaf_templates(workflow_files.shipped())]
        service = ["capsule-loop.invalid/proof-service:0.1.0"]
        for overlay, wanted in (("pushed", images + service), ("platform", images + service), ("many-namespaces/cluster", images),
                                ("many-namespaces/namespace", service)):
            mine = self.overlay / "../../../mine"
            mine.mkdir(exist_ok=True)
            component = "" if overlay == "pushed" else "components: [../workflows/overlays/pushed/images]\n"
            (mine / "kustomization.yaml").write_text(f"resources: [../workflows/overlays/{overlay}]\n{component}")
            with self.subTest(overlay):
                done = subprocess.run(["kubectl", "kustomize", mine], capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertNotIn("capsule-loop.invalid", done.stdout)
                self.assertEqual(set(re.findall(r"^ +image: (\S+)$", done.stdout, re.M)), {self.wanted(image) for image in wanted})


if __name__ == "__main__":
    unittest.main()
