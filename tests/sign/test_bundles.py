"""The Sigstore bundles beside a signed package, verified without any code of ours: Python and OpenSSL alone."""
import base64
import hashlib
import json
import os
import tempfile
import unittest
from pathlib import Path

import openssl
import small_capsule
from steps import run

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PREDICATE = "https://sigstore.dev/cosign/sign/v1"


def no_duplicates(pairs):
    result = dict(pairs)
    assert len(result) == len(pairs)
    return result


def load(path):
    return json.loads(Path(path).read_text(), object_pairs_hook=no_duplicates)


def unbase64(text):
    data = base64.b64decode(text, validate=True)
    assert base64.b64encode(data).decode() == text
    return data


def pae(kind, payload):
    """DSSE's pre-authentication encoding, from its specification."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


class Bundles(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        small_capsule.write(self.folder / "capsule", os.urandom(100_000))

    def signed(self, kind):
        key, public = openssl.key_pair(self.folder, kind, kind)
        package = self.folder / f"{kind}.tar.gz"
        for done in (run("pack", self.folder / "capsule", "--out", package), run("sign", package, "--key", key)):
            self.assertEqual(0, done.code, done)
        return package, public, done.result

    def check_material(self, bundle, public):
        self.assertEqual(MEDIA_TYPE, bundle["mediaType"])
        self.assertEqual({"publicKey": {"hint": openssl.key_id(public)}}, bundle["verificationMaterial"])

    def check_message(self, bundle, public, package):
        self.assertEqual({"mediaType", "verificationMaterial", "messageSignature"}, set(bundle))
        message = bundle["messageSignature"]
        digest = hashlib.sha256(package.read_bytes()).digest()
        self.assertEqual({"algorithm": "SHA2_256", "digest": base64.b64encode(digest).decode()},
                         message["messageDigest"])
        signature = unbase64(message["signature"])
        self.assertTrue(openssl.verifies(public, package.read_bytes(), signature))
        self.assertFalse(openssl.verifies(public, package.read_bytes() + b"x", signature))

    def check_statement(self, bundle, public, digest):
        self.assertEqual({"mediaType", "verificationMaterial", "dsseEnvelope"}, set(bundle))
        envelope = bundle["dsseEnvelope"]
        self.assertEqual({"payload", "payloadType", "signatures"}, set(envelope))
        self.assertEqual("application/vnd.in-toto+json", envelope["payloadType"])
        payload, (signature,) = unbase64(envelope["payload"]), envelope["signatures"]
        encoded = pae(envelope["payloadType"].encode(), payload)
        self.assertTrue(openssl.verifies(public, encoded, unbase64(signature["sig"])))
        self.assertFalse(openssl.verifies(public, payload, unbase64(signature["sig"])))
        statement = json.loads(payload, object_pairs_hook=no_duplicates)
        (subject,) = statement.pop("subject")
        self.assertEqual({"_type": "https://in-toto.io/Statement/v1", "predicateType": PREDICATE, "predicate": {}},
                         statement)
        self.assertEqual({"sha256": digest.removeprefix("sha256:")}, subject["digest"])

    def test_the_package_is_signed_as_a_message_or_where_the_key_cannot_by_a_statement(self):
        for kind in ("ecdsa-p256", "ecdsa-p384", "rsa", "ed25519"):
            with self.subTest(kind):
                package, public, result = self.signed(kind)
                bundle = load(f"{package}.sigstore.json")
                self.check_material(bundle, public)
                if kind == "ed25519":
                    self.check_statement(bundle, public, result["package_digest"])
                else:
                    self.check_message(bundle, public, package)

    def test_the_version_index_is_signed_by_a_statement(self):
        for kind in ("ecdsa-p256", "ecdsa-p384", "rsa", "ed25519"):
            with self.subTest(kind):
                package, public, result = self.signed(kind)
                bundle = load(f"{package}.oci.sigstore.json")
                self.check_material(bundle, public)
                self.check_statement(bundle, public, result["index_digest"])

    def test_publish_writes_the_index_that_was_signed(self):
        package, public, result = self.signed("ecdsa-p256")
        hints = load(f"{package}.oci.json")
        registry = self.folder / "registry"
        done = run("publish", package, "--key", public, "--registry", f"oci-layout:{registry}")
        self.assertEqual(0, done.code, done)
        self.assertEqual(result["index_digest"], done.result["index_digest"])
        self.assertEqual(result["index_digest"], hints["index"]["digest"])
        self.assertEqual(done.result["package_manifest_digest"], hints["package_manifest"]["digest"])
        self.assertEqual(done.result["image_digest"], hints["image_manifest"]["digest"])
        for name in ("index", "package_manifest", "image_manifest"):
            blob = (registry / "small/blobs/sha256" / hints[name]["digest"].removeprefix("sha256:")).read_bytes()
            self.assertEqual(hints[name]["size"], len(blob))

    def test_signatures_of_two_capsules_cannot_be_swapped(self):
        package, public, result = self.signed("ecdsa-p256")
        other = self.folder / "other.tar.gz"
        small_capsule.write(self.folder / "capsule", b"others")
        self.assertEqual(0, run("pack", self.folder / "capsule", "--out", other).code)
        self.assertEqual(0, run("sign", other, "--key", self.folder / "ecdsa-p256.pem").code)
        for suffix in (".sigstore.json", ".oci.sigstore.json"):
            mine, theirs = Path(f"{package}{suffix}"), Path(f"{other}{suffix}")
            theirs.write_bytes(mine.read_bytes())
            done = run("sign", other, "--key", self.folder / "ecdsa-p256.pem")
            self.assertEqual(0, done.code, done)
            self.assertTrue(done.result["changed"])
            self.assertNotEqual(mine.read_bytes(), theirs.read_bytes())
            self.assertIn("is about", done.stderr)


if __name__ == "__main__":
    unittest.main()
