"""What a registry over HTTP can try with what it holds, row by row of the list of attacks.

| attack | here |
|---|---|
| 7 a descriptor that lies | Descriptors |
| 8 endless referrers | Referrers; tests/registry/test_faults.py: test_endless_referrers |
| 9, 10 realms, redirects and Locations elsewhere | tests/registry/test_auth.py: Elsewhere, Tls |
| 11 foreign layers | Descriptors |
| 12 digests from headers, other algorithms | Descriptors; tests/registry/test_faults.py: test_a_digest_header_that_lies |
| 14 a receipt about something else | Lies |
| 16 a signature that was stripped | Lies, Referrers |
| 18, 19 an index rolled back, or frozen | Lies |
| 21 a tag that moved | Lies |
| 25 secrets in what we say | tests/registry/test_auth.py: every test looks for them |
| 32 kill -9, two at once | tests/registry/test_resume.py, test_races.py |
"""
import hashlib
import json
import shutil
import tempfile
import unittest
from pathlib import Path

import small_capsule
from fault_case import FaultCase
from fault_registry import FaultRegistry
from oci_layout import BUNDLE, EMPTY
from proof_maker import samples_of
from registered import Registered, days_ago
from registry_case import RegistryCase
from registry_content import INDEX, MANIFEST
from steps import run
from trust import Signers, rule, write_policy


class Served(Registered):
    """A liar whose registry is seen over HTTP."""

    def __init__(self, folder, http):
        super().__init__(folder)
        self.http = http

    def seen_place(self):
        for layout in self.registry.iterdir():
            self.http.content.load_layout(f"team/{layout.name}", layout)
        return self.http.location("team")


class Lies(RegistryCase):
    server = FaultRegistry

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder.chmod(0o755)
        cls.liar = Served(cls.folder, cls.registry)
        cls.liar.register()
        shutil.copytree(cls.liar.registry, cls.folder / "honest")
        cls.honest = dict(vars(cls.liar))

    def setUp(self):
        self.addCleanup(self.restore)

    def restore(self):
        shutil.rmtree(self.liar.registry)
        shutil.copytree(self.folder / "honest", self.liar.registry)
        shutil.rmtree(self.liar.state / "index-seen", ignore_errors=True)
        vars(self.liar).update(self.honest)

    def refused(self, done, words, code=11):
        self.assertEqual((code, ""), (done.code, done.stdout), done)
        errors = [line for line in done.stderr.splitlines() if ": error: " in line]
        self.assertEqual(1, len(errors), done)
        self.assertRegex(errors[0], words)

    def test_the_truth_is_accepted(self):
        done = self.liar.verify()
        self.assertEqual(0, done.code, done)
        self.assertTrue(self.registry.seen("GET", "/team/probe/manifests/index$"))

    def test_a_receipt_of_another_bundle(self):
        receipts = self.liar.receipts
        self.liar.run_record = self.liar.record(run_id="3" * 16, result={"samples": samples_of(7)})
        self.liar.finish()
        self.assertEqual(0, self.liar.verify().code)
        self.liar.reindex(record=lambda record: record.update(anchors=[{"chain": "log:local", "digest": receipts}]))
        self.refused(self.liar.verify(), "receipt")

    def test_a_proof_that_was_stripped_or_lost_its_signature(self):
        whole = json.loads(self.liar.blob(self.liar.bundle))
        whole["dsseEnvelope"]["signatures"] = []
        unsigned = self.liar.put(json.dumps(whole).encode())["digest"]
        self.liar.reindex(record=lambda record: record["proof"].update(digest=unsigned))
        done = self.liar.verify()
        self.assertIn(done.code, (10, 11), done)
        self.restore()
        self.liar.reindex(record=lambda record: record.pop("proof"))
        self.refused(self.liar.verify(), "without a proof")

    def test_an_index_that_was_rolled_back(self):
        home = self.folder / "home"
        home.mkdir()
        self.liar.reindex()
        self.assertEqual(0, self.liar.verify(home=home).code)
        self.restore()
        self.refused(self.liar.verify(home=home), "sequence|older|rolled")

    def test_an_index_that_is_frozen(self):
        self.liar.reindex(head=lambda head: head.update(issued_at=days_ago(37), expires_at=days_ago(7)))
        self.refused(self.liar.verify(), "expired")

    def test_a_tag_that_moved(self):
        """To another version, rightly signed. The index names digests, and a reference by digest stays what it is."""
        uri, reference = self.liar.uri, self.liar.reference
        self.liar.register(version="1.1.0")
        place = self.liar.seen_place()
        tags = self.registry.content.repository("team/probe").tags
        tags["1.0.0"] = tags["1.1.0"]
        stranger = ("--trust", self.liar.trust, "--state", self.folder / "stranger")
        self.refused(run("verify", f"{place}/probe:1.0.0", *stranger), "calls itself")
        self.refused(run("download", f"{place}/probe:1.0.0", "--store", self.folder / "kept", *stranger[2:]), "calls itself")
        self.assertEqual([], [path for path in self.folder.glob("kept/**/*") if path.is_file()])
        digest = reference.rsplit("@", 1)[1]
        for name in ([f"{place}/probe@{digest}"], [uri, "--registry", place]):
            done = run("verify", *name, *stranger)
            self.assertEqual(0, done.code, done)
            self.assertEqual("1.0.0", done.result["version"])
        self.refused(run("deploy", f"{place}/probe:1.0.0", *stranger), "digest", 2)


def weights(manifest):
    return max(manifest["layers"], key=lambda layer: layer["size"])


class Descriptors(FaultCase):
    def retold(self, change):
        """Tags an index whose package has a manifest with `change` made to it: consistent, but for the signature of the index."""
        self.registry.content.repositories.pop("team/demo", None)
        self.assertEqual(0, self.publish().code)
        content, there = self.registry.content, self.repository()
        index = json.loads(there.manifests[there.tags["0.1.0"]][1])
        manifest = json.loads(there.manifests[index["manifests"][0]["digest"]][1])
        change(manifest)
        data = json.dumps(manifest).encode()
        digest, _ = content.put_manifest("team/demo", "package", MANIFEST, data)
        index["manifests"][0].update(digest=digest, size=len(data))
        content.put_manifest("team/demo", "0.1.0", INDEX, json.dumps(index).encode())

    def refused(self, code):
        done = self.download()
        self.assertEqual((code, "", []), (done.code, done.stdout, [name for name in self.files() if "package" in name]), done)

    def test_a_size_that_is_not_that_of_the_bytes(self):
        for more in (1, -1, 1 << 40, -self.large_size()):
            with self.subTest(more):
                self.retold(lambda manifest, more=more: weights(manifest).update(size=max(weights(manifest)["size"] + more, 0)))
                done = self.download()
                self.assertIn(done.code, (10, 11), done)
                self.assertEqual("", done.stdout)

    def large_size(self):
        segments = json.loads(Path(f"{self.small}.oci.json").read_text())["segments"]
        return max(segment["size"] for segment in segments)

    def test_a_media_type_that_is_not_a_segments(self):
        for other in ("application/vnd.oci.image.layer.v1.tar", "text/html", ""):
            with self.subTest(other):
                self.retold(lambda manifest, other=other: weights(manifest).update(mediaType=other))
                self.refused(10)

    def test_a_digest_of_another_algorithm(self):
        for digest in ("md5:" + "0" * 32, "sha1:" + "0" * 40, "SHA256:" + "0" * 64, "sha256:" + "0" * 63, ""):
            with self.subTest(digest):
                self.retold(lambda manifest: None)
                there = self.repository()
                index = json.loads(there.manifests[there.tags["0.1.0"]][1])
                manifest = json.loads(there.manifests[index["manifests"][0]["digest"]][1])
                weights(manifest)["digest"] = digest
                data = json.dumps(manifest).encode()
                name = "sha256:" + hashlib.sha256(data).hexdigest()
                there.manifests[name] = (MANIFEST, data)
                index["manifests"][0].update(digest=name, size=len(data))
                self.registry.content.put_manifest("team/demo", "0.1.0", INDEX, json.dumps(index).encode())
                self.refused(10)

    def test_foreign_layers(self):
        """`urls` are ignored where the blob is there, and no help where it is not."""
        with FaultRegistry() as elsewhere:
            elsewhere.content = self.registry.content
            self.retold(lambda manifest: weights(manifest).update(
                urls=[f"{elsewhere.url()}/v2/team/demo/blobs/{weights(manifest)['digest']}"]))
            self.assertEqual(0, self.download().code)
            shutil.rmtree(self.state)
            self.repository().blobs.remove(max(self.repository().blobs, key=lambda digest: self.registry.content.blob_path(digest).stat().st_size))
            self.refused(12)
            self.assertEqual([], elsewhere.requests)


class Referrers(unittest.TestCase):
    """Two signatures are wanted; the second is found only among the referrers of the version index."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        signers = Signers(self.folder)
        package = self.folder / "capsule.tar.gz"
        self.assertEqual(0, run("pack", small_capsule.write(self.folder / "capsule"), "--out", package).code)
        signers.sign(package, "a", "b")
        self.policy = write_policy(self.folder / "trust.yaml", capsule=[rule(signers.public("a", "b"), 2)])
        self.registry = FaultRegistry()
        self.registry.__enter__()
        self.addCleanup(self.registry.__exit__)
        done = run("publish", package, "--registry", self.registry.location("team"), "--trust", self.policy, "--state", self.folder / "state")
        self.assertEqual(0, done.code, done)
        self.reference, self.index = done.result["reference"], done.result["index_digest"]
        self.manifests = self.registry.content.repository("team/small").manifests

    def verify(self):
        return run("verify", self.reference, "--trust", self.policy, "--state", self.folder / "state")

    def attached(self):
        return [digest for digest, (_, data) in self.manifests.items() if json.loads(data).get("subject")]

    def test_a_signature_that_was_stripped(self):
        self.assertEqual(0, self.verify().code)
        for digest in self.attached():
            del self.manifests[digest]
        done = self.verify()
        self.assertEqual((11, ""), (done.code, done.stdout), done)
        self.assertIn("1 of the 2 signatures", done.stderr)

    def test_a_crowd_of_referrers(self):
        """Those that count stand first; of the others a bounded number is read."""
        content = self.registry.content
        config = content.add_blob("team/small", b"{}")
        for number in range(2000):
            layer = {"mediaType": BUNDLE, "digest": content.add_blob("team/small", b"{}"), "size": 2}
            content.put_manifest("team/small", "crowd", MANIFEST, json.dumps(
                {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": BUNDLE, "config": {"mediaType": EMPTY, "digest": config, "size": 2},
                 "layers": [layer], "subject": {"mediaType": INDEX, "digest": self.index, "size": 1}, "annotations": {"number": str(number)}}).encode())
        before = len(self.registry.requests)
        self.assertEqual(0, self.verify().code)
        self.assertLess(len(self.registry.requests) - before, 300)


if __name__ == "__main__":
    unittest.main()
