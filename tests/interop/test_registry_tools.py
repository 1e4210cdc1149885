"""oras, crane and skopeo read what publish puts into a registry, and copy it without loss."""
import json
import re
import tarfile
import tempfile
import unittest
from pathlib import Path

from capsule_maker import tar_of
from oci_layout import BUNDLE, Layout
from other_tools import Tool
from registry_server import DockerRegistry
from small_loop import SmallLoop
from steps import run

RECEIPT = "application/vnd.industriverse.capsule.anchor-receipt.v1+json"
RUN_RECORD = "application/vnd.industriverse.capsule.run-record.v1+json"
PROOF = "https://industriverse.ai/capsule-proof/v1"
SIGNATURE = "https://sigstore.dev/cosign/sign/v1"


class ToolCase(unittest.TestCase):
    """A capsule with a proof, registered in docker-registry; its base image is a gzip tar."""
    tool = ""

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        cls.folder.chmod(0o755)
        cls.call = Tool(cls.tool, cls.folder)
        cls.registry = DockerRegistry()
        cls.registry.__enter__()
        cls.addClassCleanup(cls.registry.__exit__)
        cls.loop = SmallLoop(cls.folder / "loop")
        cls.loop.place = cls.registry.location("team/metals")
        cls.loop.publish_proved(tarball=tar_of({"etc/motd": b"hello\n"}, "gz"))
        cls.loop.until("register")
        cls.reference = cls.loop.reference.removeprefix("oci://")
        cls.repository, cls.index = cls.reference.rsplit("@", 1)
        cls.package = cls.loop.folder / "probe-1.0.0.tar.gz"
        manifests = json.loads(cls.registry.get(f"/v2/team/metals/probe/manifests/{cls.index}",
                                                Accept="application/vnd.oci.image.index.v1+json")[2])["manifests"]
        cls.package_manifest, cls.image = (f"{cls.repository}@{entry['digest']}" for entry in manifests)

    def verified(self, reference):
        """Our own reading of a copy that another tool made."""
        done = run("verify", reference, "--trust", self.loop.trust, "--state", self.folder / "state")
        self.assertEqual(0, done.code, done)
        self.assertEqual(self.loop.package_digest, done.result["package_digest"])


class Oras(ToolCase):
    tool = "oras"

    def test_cat_of_what_it_pulls_is_the_package(self):
        for number, reference in enumerate((self.package_manifest, f"{self.repository}:1.0.0")):
            with self.subTest(reference):
                folder = self.folder / f"pulled-{number}"
                self.call.must("pull", "--plain-http", "--output", folder, reference)
                pieces = sorted(folder.glob("capsule_probe-1.0.0.tar.gz.[0-9][0-9][0-9]"))
                self.assertGreater(len(pieces), 2)
                self.assertEqual(self.package.read_bytes(), b"".join(piece.read_bytes() for piece in pieces))

    def test_it_discovers_the_signature_and_the_proof(self):
        said = json.loads(self.call.must("discover", "--plain-http", "--format", "json", f"{self.repository}:1.0.0"))
        found = said.get("referrers", said.get("manifests"))
        self.assertEqual([BUNDLE, BUNDLE, RECEIPT, RUN_RECORD], sorted(one["artifactType"] for one in found))
        self.assertEqual([PROOF, SIGNATURE], sorted(one["annotations"]["dev.sigstore.bundle.predicateType"]
                                                    for one in found if one["artifactType"] == BUNDLE))

    def test_what_it_copies_with_referrers_verifies_elsewhere(self):
        target = f"{self.registry.host}/copies/probe"
        self.call.must("copy", "--recursive", "--from-plain-http", "--to-plain-http", f"{self.repository}:1.0.0", f"{target}:1.0.0")
        self.verified(f"oci://{target}:1.0.0")
        said = json.loads(self.call.must("discover", "--plain-http", "--format", "json", f"{target}:1.0.0"))
        self.assertEqual(4, len(said.get("referrers", said.get("manifests"))))

    def test_a_layout_goes_both_ways(self):
        layout = self.folder / "layout/probe"
        self.call.must("copy", "--recursive", "--from-plain-http", "--to-oci-layout", f"{self.repository}:1.0.0", f"{layout}:1.0.0")
        self.verified(f"oci-layout:{layout.parent}/probe:1.0.0")


class Crane(ToolCase):
    tool = "crane"

    def test_digests_and_manifests(self):
        self.assertEqual(self.index, self.call.must("digest", f"{self.repository}:1.0.0").strip())
        self.assertEqual(self.image.rsplit("@", 1)[1], self.call.must("digest", "--platform", "linux/amd64", f"{self.repository}:1.0.0").strip())
        index = json.loads(self.call.must("manifest", self.reference))
        self.assertEqual([self.package_manifest, self.image], [f"{self.repository}@{entry['digest']}" for entry in index["manifests"]])
        config = json.loads(self.call.must("config", self.image))
        self.assertEqual(("65532:65532", ["/expansion/m/runner.py"]), (config["config"]["User"], config["config"]["Entrypoint"]))
        self.assertIn("1.0.0", self.call.must("ls", self.repository).split())

    def test_the_image_and_the_package_are_valid(self):
        for reference in (self.image, self.package_manifest):
            self.call.must("validate", "--remote", reference)

    def test_of_the_index_it_dislikes_the_platform_alone(self):
        """A package says platform unknown, so that runtimes skip it, and its config says linux, so that they mount it."""
        done = self.call.call("validate", "--remote", self.reference)
        complaints = set(re.findall(r"mismatched \w+|validating layers|fetching|digest|size", done.stderr.replace(self.reference, "")))
        self.assertEqual({"mismatched OS", "mismatched Architecture"}, complaints, done)

    def test_the_file_system_is_the_base_and_the_capsule(self):
        out = self.folder / "root.tar"
        self.call.must("export", self.image, out)
        with tarfile.open(out) as tar:
            self.assertEqual(b"hello\n", tar.extractfile("etc/motd").read())
            names = tar.getnames()
        self.assertIn("capsule.json", names)
        self.assertNotIn("capsule.tarball", names)

    def test_what_it_copies_verifies_elsewhere(self):
        target = f"{self.registry.host}/crane/probe:1.0.0"
        self.call.must("copy", f"{self.repository}:1.0.0", target)
        self.assertEqual(self.index, self.call.must("digest", target).strip())
        self.verified(f"oci://{target}")


class Skopeo(ToolCase):
    """From a registry over HTTP; from layouts see tests/publish/test_layout.py."""
    tool = "skopeo"

    def test_inspect_and_copy(self):
        said = json.loads(self.call.must("inspect", "--tls-verify=false", f"docker://{self.repository}:1.0.0"))
        self.assertEqual((self.index, "probe"), (said["Digest"], said["Labels"]["ai.industriverse.capsule.name"]))
        raw = self.call.must("inspect", "--tls-verify=false", "--raw", f"docker://{self.package_manifest}")
        self.assertEqual("application/vnd.industriverse.capsule.v1", json.loads(raw)["artifactType"])
        self.call.must("copy", "--quiet", "--src-tls-verify=false", "--preserve-digests", "--override-arch", "amd64",
                       f"docker://{self.repository}:1.0.0", f"oci:{self.folder}/image:x")
        self.assertEqual(self.image.rsplit("@", 1)[1], Layout(self.folder / "image").tagged("x")["digest"])
        self.call.must("copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false", "--preserve-digests",
                       f"docker://{self.package_manifest}", f"docker://{self.registry.host}/skopeo/probe:package")
        self.assertEqual(self.package_manifest.rsplit("@", 1)[1], self.registry.tag_digest("skopeo/probe", "package"))


if __name__ == "__main__":
    unittest.main()
