"""Images of two architectures: one reference for both; and what the cross build makes, run by an emulator."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import small_capsule
from containers import build_images
from registry_server import DockerRegistry
from steps import BIN, SOURCE, Outcome, environment, run

sys.path.insert(0, str(SOURCE / "images"))
from build import steps, version  # noqa: E402
from layer import Layer, pack  # noqa: E402
from oci_image import INDEX, BuiltImage, write_layout  # noqa: E402

PUSH = BIN.parent / "images/bin/capsule-push-images"
ARM64 = SOURCE / "build/arm64"
ARCHITECTURES = ("amd64", "arm64")


def tool(*words, **more):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          **{"timeout": 300, **({} if "input" in more else {"stdin": subprocess.DEVNULL}), **more})
    assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def small_image(name, architecture):
    layer = Layer()
    layer.file("which", f"{name} for {architecture}".encode())
    return BuiltImage(name, version(), architecture, [pack(name, layer)], f"/{name}")


class Index(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.layout = cls.folder / "oci"
        write_layout(cls.layout, [small_image(name, architecture) for architecture in ARCHITECTURES for name in ("pack", "verify")])

    def test_a_tag_is_an_index_with_an_image_for_each(self):
        entries = json.loads((self.layout / "index.json").read_text())["manifests"]
        self.assertEqual([entry["mediaType"] for entry in entries], [INDEX, INDEX])
        for architecture in ARCHITECTURES:
            said = json.loads(tool("skopeo", f"--override-arch={architecture}", "inspect", f"oci:{self.layout}:capsule-loop/verify:{version()}"))
            self.assertEqual(said["Architecture"], architecture)

    def test_one_reference_is_pushed_and_the_overlay_names_it(self):
        with DockerRegistry() as registry:
            for _ in range(2):
                said = tool(PUSH, self.layout, "--registry", registry.location("team/loop"), "--output", "json")
            pushed = json.loads(said)["images"]
            reference = f"docker://{registry.host}/team/loop/verify@{pushed['verify']}"
            raw = json.loads(tool("skopeo", "inspect", "--raw", "--tls-verify=false", reference))
            self.assertEqual([entry["platform"]["architecture"] for entry in raw["manifests"]], list(ARCHITECTURES))
            for architecture in ARCHITECTURES:
                copy = self.folder / architecture
                tool("skopeo", f"--override-arch={architecture}", "copy", "-q", "--src-tls-verify=false", reference, f"oci:{copy}:x")
                tool("umoci", "unpack", "--rootless", "--image", f"{copy}:x", copy / "bundle")
                self.assertEqual((copy / "bundle/rootfs/which").read_text(), f"verify for {architecture}")
        tool(sys.executable, "-B", SOURCE / "images/overlay.py", self.folder / "overlay", input=said)
        written = (self.folder / "overlay/images/kustomization.yaml").read_text()
        for name, digest in pushed.items():
            self.assertIn(f'/team/loop/{name}", digest: "{digest}"', written)


class CrossBuilt(unittest.TestCase):
    """Where they are not all there, capsule-pack alone is built: the rest takes minutes."""

    @classmethod
    def setUpClass(cls):
        cls.all_are_there = all((ARM64 / f"bin/capsule-{step}").exists() for step in steps())
        if not cls.all_are_there:
            kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
            tool("make", "-C", SOURCE, "programs-arm64", "PROGRAMS=capsule-pack", env=kept, timeout=1100)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.source = small_capsule.write(cls.folder / "small", bytes(range(256)) * 10_000)

    def need_all(self):
        if not self.all_are_there:
            self.skipTest("the arm64 programs are not built: `make images ARCH=arm64` builds them, which takes minutes")

    def emulated(self, program, *arguments, root=ARM64 / "root"):
        done = subprocess.run(["qemu-aarch64-static", "-L", root, program, *map(str, arguments)], env=environment(CAPSULE_STATE=str(self.folder / "state")),
                              capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        return Outcome(done.returncode, done.stdout, done.stderr)

    def test_an_arm64_program_packs_the_same_bytes(self):
        program = ARM64 / "bin/capsule-pack"
        self.assertIn("AArch64", tool("readelf", "-h", program))
        self.assertIn(version(), self.emulated(program, "--version").stdout)
        self.emulated(program, self.source, "--out", self.folder / "there.tar.gz")
        self.assertEqual(run("pack", self.source, "--out", self.folder / "here.tar.gz").code, 0)
        self.assertEqual((self.folder / "there.tar.gz").read_bytes(), (self.folder / "here.tar.gz").read_bytes())

    def test_the_images_of_both_and_what_is_in_them(self):
        self.need_all()
        builds = ("amd64", "/", BIN), ("arm64", ARM64 / "root", ARM64 / "bin")
        layouts = []
        for name in ("first", "second"):
            done = build_images(self.folder / name, *builds)
            self.assertEqual(done.returncode, 0, done.stderr)
            layouts.append({path.name for path in (self.folder / name / "oci/blobs/sha256").iterdir()})
        self.assertEqual(*layouts)
        for step in steps():
            archive = self.folder / "first/docker/arm64" / f"{step}.tar"
            self.assertEqual(json.loads(tool("skopeo", "inspect", "--config", f"docker-archive:{archive}"))["architecture"], "arm64")
        self.packed_signed_and_verified(self.folder / "first/oci")

    def packed_signed_and_verified(self, layout):
        """By the programs and the libraries of the arm64 images, and of nothing else."""
        def step(name, *arguments):
            bundle = self.folder / f"image-{name}"
            if not bundle.exists():
                copy = self.folder / f"copy-{name}"
                tool("skopeo", "--override-arch=arm64", "copy", "-q", f"oci:{layout}:capsule-loop/{name}:{version()}", f"oci:{copy}:x")
                tool("umoci", "unpack", "--rootless", "--image", f"{copy}:x", bundle)
            return self.emulated(bundle / f"rootfs/usr/local/bin/capsule-{name}", *arguments, root=bundle / "rootfs")

        package = self.folder / "signed.tar.gz"
        for name in steps():
            self.assertIn(version(), step(name, "--version").stdout)
        step("pack", self.source, "--out", package)
        step("sign", "keygen", "--state", self.folder / "state")
        step("sign", package, "--key", self.folder / "state/secrets/capsule-key-capsule/key.pem")
        step("verify", package, "--key", self.folder / "state/secrets/capsule-key-capsule/key.pub.pem")
        self.assertEqual(run("verify", package, "--key", self.folder / "state/secrets/capsule-key-capsule/key.pub.pem").code, 0)


if __name__ == "__main__":
    unittest.main()
