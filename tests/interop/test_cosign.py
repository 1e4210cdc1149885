"""Stock cosign, without a network, verifies what we sign, and nothing that was changed."""
import base64
import json
import tempfile
import unittest
from pathlib import Path

import openssl
import small_capsule
from fault_registry import FaultRegistry
from other_tools import Tool
from registry_content import MANIFEST
from registry_server import DockerRegistry
from small_loop import SmallLoop
from steps import run

PROOF = "https://industriverse.ai/capsule-proof/v1"
SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
NO_LOG = "--insecure-ignore-tlog=true"


def flipped(bundle, part):
    """The Sigstore bundle with one bit of its payload, its signature or its message's digest changed."""
    document = json.loads(bundle)
    place, key = {"payload": (document.get("dsseEnvelope"), "payload"),
                  "signature": ((document.get("dsseEnvelope") or {"signatures": [None]})["signatures"][0], "sig"),
                  "message's signature": (document.get("messageSignature"), "signature"),
                  "message's digest": (document.get("messageSignature", {}).get("messageDigest"), "digest")}[part]
    data = bytearray(base64.b64decode(place[key]))
    data[len(data) // 2] ^= 1
    place[key] = base64.b64encode(data).decode()
    return json.dumps(document).encode()


class CosignCase(unittest.TestCase):
    """A capsule with a proof, registered in a registry over HTTP."""

    @classmethod
    def start(cls, registry):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        folder = Path(temporary.name)
        folder.chmod(0o755)
        cls.folder = folder
        cls.cosign = Tool("cosign", folder)
        cls.registry = registry
        cls.registry.__enter__()
        cls.addClassCleanup(cls.registry.__exit__)
        cls.loop = SmallLoop(folder / "loop")
        cls.loop.place = cls.registry.location("team/metals")
        cls.loop.publish_proved()
        cls.loop.until("register")
        cls.reference = cls.loop.reference.removeprefix("oci://")
        cls.package = cls.loop.folder / "probe-1.0.0.tar.gz"
        keys = {role: cls.loop.state / f"secrets/capsule-key-{role}/key.pub.pem" for role in ("capsule", "proof")}
        cls.capsule_key, cls.proof_key = keys["capsule"], keys["proof"]
        _, cls.stranger = cls.loop.make_key("stranger")

    def accepted(self, *words):
        return self.cosign.must(*words, NO_LOG)

    def refused(self, *words):
        done = self.cosign.call(*words, NO_LOG)
        self.assertNotEqual(0, done.returncode, done)
        self.assertRegex(done.stderr, "(?i)error", done)


class Published(CosignCase):
    @classmethod
    def setUpClass(cls):
        cls.start(DockerRegistry())

    def test_the_signature_of_a_version(self):
        said = json.loads(self.accepted("verify", "--key", self.capsule_key, self.reference))
        digest = self.reference.rsplit("@", 1)[1]
        self.assertIn((SIGNATURE, digest), [(one["critical"]["type"], one["critical"]["image"]["docker-manifest-digest"]) for one in said])
        self.accepted("verify", "--key", self.capsule_key, f"{self.registry.host}/team/metals/probe:1.0.0")
        self.refused("verify", "--key", self.stranger, self.reference)

    def test_the_proof_of_a_registered_capsule(self):
        said = json.loads(self.accepted("verify-attestation", "--key", self.proof_key, "--type", PROOF, self.reference))
        statement = json.loads(base64.b64decode(said["payload"]))
        self.assertEqual(PROOF, statement["predicateType"])
        self.refused("verify-attestation", "--key", self.stranger, "--type", PROOF, self.reference)
        self.refused("verify-attestation", "--key", self.capsule_key, "--type", PROOF, self.reference)
        self.refused("verify-attestation", "--key", self.proof_key, "--type", "https://slsa.dev/provenance/v1", self.reference)

    def test_what_is_not_signed(self):
        package = json.loads(self.registry.get(f"/v2/team/metals/probe/manifests/{self.reference.rsplit('@', 1)[1]}",
                                               Accept="application/vnd.oci.image.index.v1+json")[2])["manifests"][0]
        self.refused("verify", "--key", self.capsule_key, f"{self.reference.rsplit('@', 1)[0]}@{package['digest']}")


class Changed(CosignCase):
    """In a registry that has the referrers API, and whose content a test can change."""

    @classmethod
    def setUpClass(cls):
        cls.start(FaultRegistry())

    def repository(self):
        return self.registry.content.repository("team/metals/probe")

    def bundles(self, predicate):
        """Manifests of the bundles of that type which are attached to the version: {digest: (media type, bytes)}."""
        subject = self.reference.rsplit("@", 1)[1]
        documents = {digest: json.loads(kept[1]) for digest, kept in self.repository().manifests.items()}
        return {digest: self.repository().manifests[digest] for digest, document in documents.items()
                if document.get("annotations", {}).get("dev.sigstore.bundle.predicateType") == predicate
                and document.get("subject", {}).get("digest") == subject}

    def change(self, predicate, part):
        """Puts a changed bundle in the place of the good one, and gives what undoes it."""
        manifests = dict(self.repository().manifests)
        for digest, (_, data) in self.bundles(predicate).items():
            manifest = json.loads(data)
            [layer] = manifest["layers"]
            bad = flipped(self.registry.content.blob_path(layer["digest"]).read_bytes(), part)
            layer.update(digest=self.registry.content.add_blob("team/metals/probe", bad), size=len(bad))
            del self.repository().manifests[digest]
            self.registry.content.put_manifest("team/metals/probe", "changed", MANIFEST, json.dumps(manifest).encode())
        return lambda: setattr(self.repository(), "manifests", manifests)

    def test_one_bit_of_what_is_attached(self):
        for predicate, words in ((SIGNATURE, ("verify", "--key", self.capsule_key)),
                                 (PROOF, ("verify-attestation", "--key", self.proof_key, "--type", PROOF))):
            self.assertEqual(1, len(self.bundles(predicate)))
            for part in ("payload", "signature"):
                with self.subTest(predicate, part=part):
                    self.accepted(*words, self.reference)
                    undo = self.change(predicate, part)
                    self.refused(*words, self.reference)
                    undo()

    def test_a_bad_bundle_hides_no_good_one(self):
        good = dict(self.repository().manifests)
        undo = self.change(SIGNATURE, "signature")
        self.repository().manifests.update(good)
        self.accepted("verify", "--key", self.capsule_key, self.reference)
        undo()


class Files(CosignCase):
    @classmethod
    def setUpClass(cls):
        cls.start(DockerRegistry())

    def verify_blob(self, what, key=None, bundle=None):
        return ("verify-blob", "--key", key or self.capsule_key, "--bundle", bundle or f"{self.package}.sigstore.json", what)

    def test_a_package_by_file_and_by_digest(self):
        self.accepted(*self.verify_blob(self.package))
        self.accepted(*self.verify_blob(self.loop.package_digest))

    def test_one_bit_of_the_package(self):
        data = bytearray(self.package.read_bytes())
        data[len(data) // 2] ^= 1
        changed = self.folder / "changed.tar.gz"
        changed.write_bytes(data)
        self.refused(*self.verify_blob(changed))
        self.refused(*self.verify_blob(self.loop.package_digest[:-1] + ("0" if self.loop.package_digest[-1] != "0" else "1")))

    def test_one_bit_of_the_bundle(self):
        good = Path(f"{self.package}.sigstore.json").read_bytes()
        for part in ("message's signature", "message's digest"):
            with self.subTest(part):
                path = self.folder / "changed.json"
                path.write_bytes(flipped(good, part))
                self.refused(*self.verify_blob(self.package, bundle=path))

    def test_another_key_and_the_bundle_of_something_else(self):
        self.refused(*self.verify_blob(self.package, key=self.stranger))
        self.refused(*self.verify_blob(self.package, bundle=f"{self.package}.oci.sigstore.json"))

    def test_every_kind_of_key(self):
        folder = small_capsule.write(self.folder / "capsule", b"weights")
        for number, kind in enumerate(("rsa", "ed25519", "ecdsa-p256", "ecdsa-p384")):
            with self.subTest(kind):
                private, public = openssl.key_pair(self.folder, kind, kind)
                package = self.folder / f"{kind}.tar.gz"
                for done in (run("pack", folder, "--out", package), run("sign", package, "--key", private)):
                    self.assertEqual(0, done.code, done)
                published = run("publish", package, "--key", public, "--registry", self.registry.location(f"keys/{number}"),
                                "--state", self.folder / "keys")
                self.assertEqual(0, published.code, published)
                digest = published.result["package_digest"]
                for what in (package, digest):
                    self.accepted(*self.verify_blob(what, key=public, bundle=f"{package}.sigstore.json"))
                    self.refused(*self.verify_blob(what, key=self.stranger, bundle=f"{package}.sigstore.json"))
                self.accepted("verify", "--key", public, published.result["reference"].removeprefix("oci://"))


if __name__ == "__main__":
    unittest.main()
