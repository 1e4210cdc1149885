"""What capsule-publish writes is an OCI image layout that others read: checked without a line of ours."""
import json
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from capsule_maker import Maker, tar_of
from oci_layout import BUNDLE, CAPSULE, CONFIG, EMPTY, GZIP, INDEX, MANIFEST, TAR, Layout, names_in_layer, sha256
from steps import peak_memory, run


class PublishTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.maker = Maker(self.folder)
        self.registry = self.folder / "registry"

    def publish(self, package, key=None, **keywords):
        return run("publish", package, "--registry", f"oci-layout:{self.registry}", "--key",
                   key or self.maker.public_key, "--state", self.folder / "state", **keywords)

    def published(self, package, **keywords):
        done = self.publish(package, **keywords)
        self.assertEqual(done.code, 0, done)
        return done.result


class Form(PublishTest):
    def test_package_image_and_index(self):
        package = self.maker.make(tarball=tar_of({"etc/motd": b"hi"}))
        result = self.published(package)
        layout = Layout(self.registry / "demo")
        self.assertEqual(layout.check_everything(), set())
        self.assertEqual(layout.tags(), ["0.1.0"])
        tag = layout.tagged("0.1.0")
        self.assertEqual(result["reference"], f"oci-layout:{self.registry}/demo@{tag['digest']}")
        self.assertEqual((result["index_digest"], tag["mediaType"]), (tag["digest"], INDEX))

        index = layout.document(tag)
        of_package, of_image = index["manifests"]
        self.assertEqual(result["package_manifest_digest"], of_package["digest"])
        self.assertEqual(result["image_digest"], of_image["digest"])
        self.assertEqual(of_package["platform"], {"architecture": "unknown", "os": "unknown"})
        self.assertEqual(of_package["artifactType"], CAPSULE)
        self.assertEqual(of_image["platform"], {"architecture": "amd64", "os": "linux"})

        manifest = layout.document(of_package)
        self.assertEqual(manifest["artifactType"], CAPSULE)
        self.assertEqual(manifest["config"]["mediaType"], CONFIG)
        layers = [layout.blob(layer) for layer in manifest["layers"]]
        self.assertEqual(b"".join(layers), package.read_bytes())
        self.assertEqual([layer["annotations"]["org.opencontainers.image.title"] for layer in manifest["layers"]],
                         [f"capsule_demo-0.1.0.tar.gz.{i:03}" for i in range(len(layers))])
        for document in (index, manifest, layout.document(of_image)):
            self.assertEqual(document["annotations"], {
                "ai.industriverse.capsule.name": "demo", "ai.industriverse.capsule.version": "0.1.0",
                "ai.industriverse.capsule.capsule-digest": result["capsule_digest"],
                "ai.industriverse.capsule.package-digest": sha256(package.read_bytes())})

    def test_every_layer_is_a_tar_with_its_diff_id(self):
        result = self.published(self.maker.make(tarball=tar_of({"etc/motd": b"hi"}, "gz")))
        layout = Layout(self.registry / "demo")
        for descriptor in layout.document(layout.tagged("0.1.0"))["manifests"]:
            manifest = layout.document(descriptor)
            config = layout.document(manifest["config"])
            names = []
            for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
                self.assertEqual(layer["mediaType"], GZIP)
                found, some = names_in_layer(layout.blob(layer), layer["mediaType"])
                self.assertEqual(found, diff_id)
                names += some
            self.assertIn("capsule.json", names)
            self.assertIn("expansion/m/runner.py", names)
            self.assertEqual("etc/motd" in names, descriptor["digest"] == result["image_digest"])
            self.assertEqual("capsule.tarball" in names, descriptor["digest"] != result["image_digest"])

    def test_the_image_says_how_the_capsule_runs(self):
        self.published(self.maker.make(requirements=["arch:arm64"]))
        layout = Layout(self.registry / "demo")
        image = layout.document(layout.tagged("0.1.0"))["manifests"][1]
        config = layout.document(layout.document(image)["config"])
        self.assertEqual((config["os"], config["architecture"]), ("linux", "arm64"))
        self.assertEqual(config["config"]["Entrypoint"], ["/expansion/m/runner.py"])
        self.assertEqual(config["config"]["User"], "65532:65532")
        self.assertEqual(config["config"]["WorkingDir"], "/")
        self.assertNotIn("created", config)

    def test_without_a_shebang_python_starts_it(self):
        self.published(self.maker.make(files={"expansion/m/runner.py": b"print('{}')\n"}))
        layout = Layout(self.registry / "demo")
        image = layout.document(layout.tagged("0.1.0"))["manifests"][1]
        config = layout.document(layout.document(image)["config"])
        self.assertEqual(config["config"]["Entrypoint"], ["python3", "/expansion/m/runner.py"])

    def test_an_entrypoint_that_nothing_can_start_is_refused(self):
        folder = self.maker.capsule(files={"run.txt": b"hello"}, entrypoint="run.txt")
        path = self.folder / "p.tar.gz"
        self.assertEqual(run("pack", folder, "--out", path).code, 0)
        self.assertEqual(run("sign", path, "--key", self.maker.key).code, 10)

    def test_the_signature_is_attached_as_cosign_does_it(self):
        package = self.maker.make()
        result = self.published(package)
        self.assertEqual(result["signature"], "attached")
        layout = Layout(self.registry / "demo")
        [(entry, manifest)] = layout.referrers(result["index_digest"])
        self.assertEqual(manifest["artifactType"], BUNDLE)
        self.assertEqual(entry["artifactType"], BUNDLE)
        self.assertEqual(manifest["config"], {"mediaType": EMPTY, "digest": sha256(b"{}"), "size": 2})
        tag = layout.tagged("0.1.0")
        self.assertEqual(manifest["subject"], {key: tag[key] for key in ("mediaType", "digest", "size")})
        self.assertEqual(manifest["annotations"], {
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1"})
        [layer] = manifest["layers"]
        self.assertEqual(layer["mediaType"], BUNDLE)
        bundle = package.with_name(package.name + ".oci.sigstore.json").read_bytes()
        self.assertEqual(layout.blob(layer), bundle)

    def test_a_bundle_about_something_else_is_left_out_with_a_word(self):
        package = self.maker.make()
        other = self.maker.make("other")
        shutil.copy(f"{other}.oci.sigstore.json", f"{package}.oci.sigstore.json")
        done = self.publish(package)
        self.assertEqual(done.code, 0, done)
        self.assertEqual(done.result["signature"], "unfit")
        self.assertIn("left out", done.stderr)
        self.assertEqual(Layout(self.registry / "demo").referrers(done.result["index_digest"]), [])

    def test_a_capsule_without_a_tarball_is_an_image_of_its_files(self):
        result = self.published(self.maker.make(tarball=False))
        layout = Layout(self.registry / "demo")
        package, image = layout.document(layout.tagged("0.1.0"))["manifests"]
        self.assertEqual([layer["digest"] for layer in layout.document(package)["layers"]],
                         [layer["digest"] for layer in layout.document(image)["layers"]])
        self.assertEqual(result["image_digest"], image["digest"])

    def test_a_new_version_that_shares_its_weights_writes_only_what_changed(self):
        weights = {"expansion/m/model.pt": bytes(range(256)) * 40_000}
        first = self.published(self.maker.make(version="0.1.0", files=weights))
        second = self.published(self.maker.make(version="0.2.0", files=weights))
        self.assertGreater(first["bytes_written"], 10_000_000)
        self.assertLess(second["bytes_written"], 100_000)
        self.assertEqual(Layout(self.registry / "demo").check_everything(), set())

    def test_a_compressed_package_is_the_same_capsule_with_other_layers(self):
        folder = self.maker.capsule()
        package = self.maker.package(folder, "c.tar.gz", compress="auto")
        self.published(package)
        layout = Layout(self.registry / "demo")
        manifest = layout.document(layout.document(layout.tagged("0.1.0"))["manifests"][0])
        self.assertEqual(b"".join(layout.blob(layer) for layer in manifest["layers"]), package.read_bytes())
        self.assertEqual(layout.check_everything(), set())

    def test_memory_does_not_grow_with_the_capsule(self):
        for size in (10, 256):
            weights = self.folder / "weights"
            with weights.open("wb") as file:
                file.truncate(size << 20)
            folder = self.maker.capsule(version=f"0.1.{size}")
            shutil.copy(weights, folder / "expansion/m/big.bin")
            shutil.copy(weights, folder / "capsule.tarball.content")
            subprocess.run(["tar", "-C", folder, "--remove-files", "-cf", folder / "capsule.tarball",
                            "capsule.tarball.content"], check=True)
            package = self.maker.package(folder)
            code, peak = peak_memory("publish", package, "--registry", f"oci-layout:{self.registry}", "--key",
                                     self.maker.public_key)
            self.assertEqual(code, 0)
            self.assertLessEqual(peak, 24 << 20, f"{size} MiB")


class OtherTools(PublishTest):
    """skopeo and umoci, from Debian's packages (make test-deps)."""

    def setUp(self):
        super().setUp()
        for tool in ("skopeo", "umoci"):
            if shutil.which(tool) is None:
                self.skipTest(f"{tool} is not installed: make test-deps")

    def test_skopeo_and_umoci_read_the_image(self):
        result = self.published(self.maker.make())
        shown = json.loads(subprocess.run(["skopeo", "inspect", f"oci:{self.registry}/demo:0.1.0"], check=True,
                                          capture_output=True, text=True).stdout)
        self.assertEqual(shown["Digest"], result["index_digest"])
        self.assertEqual(shown["Labels"]["ai.industriverse.capsule.name"], "demo")
        # Debian's skopeo drops artifactType from an index and compresses plain layers, so that digests change there.
        subprocess.run(["skopeo", "copy", "--quiet", "--all", f"oci:{self.registry}/demo:0.1.0",
                        f"oci:{self.folder}/all:x"], check=True)
        copied = Layout(self.folder / "all")
        self.assertEqual(copied.document(copied.tagged("x"))["manifests"][0]["digest"],
                         result["package_manifest_digest"])
        subprocess.run(["skopeo", "copy", "--quiet", "--preserve-digests", "--override-arch", "amd64",
                        f"oci:{self.registry}/demo:0.1.0",
                        f"oci:{self.folder}/one:x"], check=True)
        self.assertEqual(Layout(self.folder / "one").tagged("x")["digest"], result["image_digest"])
        subprocess.run(["umoci", "unpack", "--rootless", "--image", f"{self.folder}/one:x", self.folder / "bundle"],
                       check=True, capture_output=True)
        root = self.folder / "bundle/rootfs"
        self.assertEqual((root / "etc/motd").read_text(), "hello\n")
        self.assertTrue((root / "expansion/m/runner.py").stat().st_mode & 0o111)
        self.assertTrue((root / "signature.sig").is_file())
        self.assertFalse((root / "capsule.tarball").exists())
        process = json.loads((self.folder / "bundle/config.json").read_text())["process"]
        self.assertEqual(process["args"], ["/expansion/m/runner.py"])

    def test_a_layout_that_skopeo_wrote_is_published_into_and_both_remain(self):
        self.published(self.maker.make())
        (self.folder / "second").mkdir()
        subprocess.run(["skopeo", "copy", "--quiet", f"oci:{self.registry}/demo:0.1.0",
                        f"oci:{self.folder}/second/demo:theirs"], check=True)
        self.registry = self.folder / "second"
        self.published(self.folder / "demo-0.1.0.tar.gz")
        layout = Layout(self.registry / "demo")
        self.assertEqual(sorted(layout.tags()), ["0.1.0", "theirs"])
        self.assertEqual(layout.check_everything(), set())


if __name__ == "__main__":
    unittest.main()
