"""capsule-download from an OCI layout, by reference and through the signed index."""
import hashlib
import json
import shutil
import tempfile
import unittest
from pathlib import Path

from capsule_maker import Maker
from steps import run


class Published(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.state = self.folder / "state"
        self.store = self.folder / "store"
        self.assertEqual(run("sign", "keygen", "--state", self.state).code, 0)
        self.trust = self.state / "configmaps/capsule-trust/trust.yaml"
        self.maker = Maker(self.folder)
        self.registry = f"oci-layout:{self.folder / 'registry'}"
        self.package, self.reference = self.publish("0.1.0")
        self.digest = "sha256:" + hashlib.sha256(self.package.read_bytes()).hexdigest()

    def publish(self, version):
        package = self.maker.package(self.maker.capsule(version=version),
                                     key=self.state / "secrets/capsule-key-capsule/key.pem")
        done = run("publish", package, "--registry", self.registry, "--trust", self.trust, "--state", self.state)
        self.assertEqual(done.code, 0, done)
        return package, done.result["reference"]

    def register(self):
        done = run("register", "--state", self.state, "--trust", self.trust, "--", self.reference)
        self.assertEqual(done.code, 0, done)

    def download(self, source, *arguments):
        return run("download", "--store", self.store, "--state", self.state, *arguments, "--", source)

    def assert_whole(self, done):
        self.assertEqual(done.code, 0, done)
        self.assertEqual(done.result["capsule"], self.digest)
        self.assertEqual(Path(done.result["path"]).read_bytes(), self.package.read_bytes())

    def assert_nothing_kept(self):
        self.assertEqual([path for path in self.store.rglob("*") if path.is_file()], [])

    def test_by_tag_and_by_digest_with_its_signature(self):
        for source in (f"{self.registry}/demo:0.1.0", self.reference):
            done = self.download(source, "--digest", self.digest)
            self.assert_whole(done)
            self.assertEqual(Path(done.result["path"] + ".oci.sigstore.json").read_bytes(),
                             Path(f"{self.package}.oci.sigstore.json").read_bytes())
        self.assertTrue(done.result["already_there"])

    def test_what_is_not_there(self):
        for source, code in ((f"{self.registry}/demo:0.2.0", 12), (f"{self.registry}/other:0.1.0", 12),
                             (f"{self.registry}/demo@sha256:{'0' * 64}", 12), (f"oci-layout:{self.folder}/no/demo:1", 12),
                             (f"{self.registry}/demo", 2), ("oci-layout:", 2)):
            with self.subTest(source):
                self.assertEqual(self.download(source).code, code)
        self.assertEqual(self.download(self.reference, "--digest", "sha256:" + "0" * 64).code, 11)
        self.assertEqual(self.download(self.reference, "--max-bytes", "1000").code, 10)
        self.assert_nothing_kept()

    def test_it_stays_in_its_registry_where_the_next_steps_share_no_store(self):
        self.register()
        for source in (f"{self.registry}/demo:0.1.0", self.reference, "capsule://demo:0.1.0"):
            with self.subTest(source):
                done = self.download(source, "--hand-over", "registry", "--digest", self.digest, "--registry", self.registry, "--trust", self.trust)
                self.assertEqual(0, done.code, done)
                self.assertEqual((self.reference, self.digest, ""), tuple(done.result[name] for name in ("capsule", "package_digest", "path")))
        for step, *arguments in (("verify", "--trust", self.trust), ("publish", "--registry", self.registry, "--trust", self.trust, "--state", self.state)):
            done = run(step, *arguments, "--", self.reference)
            self.assertEqual(0, done.code, done)
        self.assertEqual(self.reference, done.result["reference"])
        self.assertEqual(11, self.download(self.reference, "--hand-over", "registry", "--digest", "sha256:" + "0" * 64).code)
        self.assertEqual(12, self.download(f"{self.registry}/demo:0.2.0", "--hand-over", "registry").code)
        self.assertEqual(2, self.download(self.package, "--hand-over", "registry").code)
        self.assert_nothing_kept()

    def test_verify_takes_what_download_gives_and_references(self):
        self.assert_whole(self.download(self.reference))
        for capsule in (self.digest, self.reference, f"{self.registry}/demo:0.1.0"):
            with self.subTest(capsule):
                done = run("verify", "--store", self.store, "--trust", self.trust, "--state", self.state, "--", capsule)
                self.assertEqual(done.code, 0, done)
                self.assertEqual(done.result["package_digest"], self.digest)
        path = self.store / "sha256" / self.digest[7:] / "package.tar.gz"
        other, _ = self.publish("0.2.0")
        path.write_bytes(other.read_bytes())
        self.assertEqual(run("verify", "--store", self.store, "--trust", self.trust, "--state", self.state, "--",
                             self.digest).code, 11)

    def largest_blob(self):
        return max((self.folder / "registry/demo/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)

    def test_a_registry_that_lies(self):
        blob = self.largest_blob()
        good = blob.read_bytes()
        for name, bad in (("changed", good[:1000] + b"x" + good[1001:]), ("short", good[:-1]), ("long", good + b"x")):
            with self.subTest(name):
                blob.write_bytes(bad)
                self.assertEqual(self.download(self.reference).code, 11)
                self.assert_nothing_kept()
        blob.unlink()
        self.assertEqual(self.download(self.reference).code, 12)
        self.assert_nothing_kept()

    def test_a_registry_that_changed_is_noticed_although_the_store_has_it(self):
        self.assert_whole(self.download(self.reference))
        blob = self.largest_blob()
        blob.write_bytes(blob.read_bytes()[:-1] + b"x")
        self.assertEqual(self.download(self.reference).code, 11)
        self.assertEqual(len(list(self.store.rglob("package.tar.gz"))), 1)

    def test_through_the_index(self):
        self.register()
        for uri in ("capsule://demo:0.1.0", "capsule://demo:latest", "capsule://demo@" + self.reference.split("@")[1]):
            with self.subTest(uri):
                self.assert_whole(self.download(uri, "--registry", self.registry, "--trust", self.trust))

    def test_what_the_index_does_not_hold(self):
        done = self.download("capsule://demo:0.1.0", "--registry", self.registry, "--trust", self.trust)
        self.assertEqual(12, done.code, done)  # as the first loop of all meets it, which is told what to do
        self.assertIn(f"{self.registry}/demo:VERSION", done.stderr)
        self.register()
        self.publish("0.2.0")  # published, but not registered
        for uri, code in (("capsule://demo:0.2.0", 12), ("capsule://other:0.1.0", 12), ("capsule://Demo:0.1.0", 2),
                          ("capsule://demo", 2), ("capsule://demo:0.1.0?x=1", 2), ("capsule://demo:0.1.0?proof=true", 11),
                          ("capsule://demo@sha256:" + "0" * 64, 12)):
            with self.subTest(uri):
                self.assertEqual(self.download(uri, "--registry", self.registry, "--trust", self.trust).code, code)
        self.assertEqual(self.download("capsule://demo:0.1.0").code, 2)  # which registry?
        self.assertEqual(self.download("capsule://demo:0.1.0", "--registry", self.registry, "--digest",
                                       "sha256:" + "0" * 64, "--trust", self.trust).code, 11)

    def test_an_index_of_somebody_else(self):
        self.register()
        other = self.folder / "other"
        self.assertEqual(run("sign", "keygen", "--state", other).code, 0)
        done = self.download("capsule://demo:0.1.0", "--registry", self.registry, "--trust",
                             other / "configmaps/capsule-trust/trust.yaml")
        self.assertEqual(done.code, 11, done)
        self.assert_nothing_kept()

    def test_an_index_that_was_rolled_back(self):
        self.register()
        before = self.folder / "before"
        shutil.copytree(self.folder / "registry", before)
        self.package, self.reference = self.publish("0.2.0")
        self.digest = "sha256:" + hashlib.sha256(self.package.read_bytes()).hexdigest()
        self.register()
        options = ("--registry", self.registry, "--trust", self.trust)
        self.assert_whole(self.download("capsule://demo:latest", *options))
        shutil.rmtree(self.folder / "registry")
        shutil.move(before, self.folder / "registry")
        self.assertEqual(self.download("capsule://demo:latest", *options).code, 11)

    def test_a_tag_that_was_moved_to_another_package(self):
        """The index promises a package digest; a registry that gives another package for it is found out."""
        self.register()
        index = json.loads((self.folder / "registry/demo/index.json").read_text())
        name = "org.opencontainers.image.ref.name"
        [entry] = [entry for entry in index["manifests"] if entry.get("annotations", {}).get(name) == "0.1.0"]
        self.assertIn(entry["digest"], self.reference)
        other, reference = self.publish("0.3.0")
        self.assertNotEqual(other.read_bytes(), self.package.read_bytes())
        text = (self.folder / "registry/demo/index.json").read_text()
        (self.folder / "registry/demo/index.json").write_text(text.replace(entry["digest"], reference.split("@")[1]))
        done = self.download("capsule://demo:0.1.0", "--registry", self.registry, "--trust", self.trust)
        self.assert_whole(done)  # by the digest that the index names, not by the tag


if __name__ == "__main__":
    unittest.main()
