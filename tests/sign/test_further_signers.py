"""A second and a third signer: beside the first, who keeps what he has."""
import base64
import json
import os
import shutil
import unittest

import openssl
import small_capsule
from steps import run
from test_sign import SignCase, sha256
from trust import suffix_of


class FurtherSigners(SignCase):
    weights = os.urandom(100_000)

    def setUp(self):
        super().setUp()
        self.first = self.sign()

    def check_bundles(self, result, public):
        """Both bundles verify with Python and OpenSSL alone, as cosign does it."""
        whose = suffix_of(public)
        for kind in (".sigstore.json", ".oci.sigstore.json"):
            bundle = json.loads(self.package.with_name(self.package.name + whose + kind).read_bytes())
            self.assertEqual(bundle["verificationMaterial"]["publicKey"]["hint"], openssl.key_id(public))
            wanted = result["index_digest" if ".oci" in kind else "package_digest"]
            if "messageSignature" in bundle:
                signature = bundle["messageSignature"]
                self.assertEqual(wanted, "sha256:" + base64.b64decode(signature["messageDigest"]["digest"]).hex())
                self.assertTrue(openssl.verifies(public, self.package.read_bytes(),
                                                 base64.b64decode(signature["signature"])))
                continue
            envelope = bundle["dsseEnvelope"]
            payload = base64.b64decode(envelope["payload"])
            kind_of = envelope["payloadType"].encode()
            signed = b"DSSEv1 %d %s %d %s" % (len(kind_of), kind_of, len(payload), payload)
            self.assertTrue(openssl.verifies(public, signed, base64.b64decode(envelope["signatures"][0]["sig"])))
            statement = json.loads(payload)
            self.assertEqual(statement["predicateType"], "https://sigstore.dev/cosign/sign/v1")
            self.assertEqual([f"sha256:{s['digest']['sha256']}" for s in statement["subject"]], [wanted])

    def test_each_signs_in_bundles_of_his_own_and_changes_nothing_of_the_others(self):
        others = [openssl.key_pair(self.folder, kind, kind) for kind in ("ecdsa-p256", "rsa", "ed25519")]
        before = self.state()
        for key, public in others:
            result = self.sign(key=key)
            self.assertTrue(result["changed"])
            self.assertTrue(result["beside_another"])
            self.assertEqual(result["key_id"], openssl.key_id(public))
            for name in ("package_digest", "capsule_digest", "index_digest"):
                self.assertEqual(self.first[name], result[name])
            self.check_bundles(result, public)
            self.verify(public=public)
        after = self.state()
        self.assertEqual(before, {name: after[name] for name in before})
        self.assertEqual(len(after), len(before) + 2 * len(others))
        for key in (self.key, *(key for key, _ in others)):  # a second call of each
            result = self.sign(key=key)
            self.assertEqual((False, key != self.key), (result["changed"], result["beside_another"]))
        self.assertEqual(after, self.state())

    def test_signers_who_have_only_the_package_write_no_file_twice(self):
        places = []
        for name in ("b", "c"):
            folder = self.folder / name
            folder.mkdir()
            shutil.copy(self.package, folder)
            key, _ = openssl.key_pair(self.folder, name)
            self.sign(key=key, package=folder / self.package.name)
            places.append({path.name for path in folder.iterdir()} - {self.package.name, self.package.name + ".oci.json"})
        self.assertEqual([2, 2], [len(names) for names in places])
        self.assertFalse(places[0] & places[1])

    def test_what_is_missing_or_spoilt_of_a_further_signer_is_made_again(self):
        key, public = openssl.key_pair(self.folder, "other")
        self.sign(key=key)
        for kind in (".sigstore.json", ".oci.sigstore.json"):
            path = self.package.with_name(self.package.name + suffix_of(public) + kind)
            for spoil in (path.unlink, lambda p=path: p.write_text("{}"), lambda p=path: p.write_bytes(b"\xff" * 5_000_000)):
                spoil()
                before = self.state()
                self.assertTrue(self.sign(key=key)["changed"])
                after = self.state()
                self.assertEqual({n: v for n, v in before.items() if n != path.name},
                                 {n: v for n, v in after.items() if n != path.name})
                self.assertFalse(self.sign(key=key)["changed"])

    def test_a_spoilt_signature_of_the_first_is_made_again_by_him_alone(self):
        key, _ = openssl.key_pair(self.folder, "other")
        self.rewrite(**{"signature.sig": b"0\0"})
        self.assertTrue(self.sign(key=key)["beside_another"])
        self.verify(expect=11)
        self.assertFalse(self.sign()["beside_another"])
        self.verify()

    def test_another_tool_s_package_becomes_canonical_under_the_signature_that_it_has(self):
        canonical = self.package.read_bytes()
        self.rewrite()
        self.assertNotEqual(canonical, self.package.read_bytes())
        key, public = openssl.key_pair(self.folder, "other")
        result = self.sign(key=key)
        self.assertEqual(canonical, self.package.read_bytes())
        self.assertEqual(sha256(canonical), result["package_digest"])
        self.check_bundles(result, public)

    def test_who_takes_the_place_of_the_first_is_told_of_the_others(self):
        key, _ = openssl.key_pair(self.folder, "other")
        self.sign(key=key)
        third, public = openssl.key_pair(self.folder, "third")
        done = run("sign", "--replace", "--key", third, self.package)
        self.assertEqual(0, done.code, done)
        self.assertIn("is about the one before", done.stderr)
        self.assertTrue(openssl.verifies(public, *(small_capsule.entries(self.package)[name]
                                                   for name in ("checksum.sha256", "signature.sig"))))


if __name__ == "__main__":
    unittest.main()
