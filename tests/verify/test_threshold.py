"""k of n keys must have signed a capsule: on a file, in the store, in a registry (attacks 15 to 18)."""
import hashlib
import json
import os
import shutil
import tempfile
import unittest
from pathlib import Path

import openssl
import small_capsule
from oci_layout import Layout
from steps import run
from trust import Signers, rule, suffix_of, write_policy


class ThresholdCase(unittest.TestCase):
    weights = os.urandom(100_000)

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.signers = Signers(self.folder)
        self.state = self.folder / "state"
        self.package = self.pack("capsule")

    def pack(self, stem, **manifest):
        folder = small_capsule.write(self.folder / stem, self.weights, **manifest)
        package = self.folder / f"{stem}.tar.gz"
        done = run("pack", folder, "--out", package)
        self.assertEqual(0, done.code, done)
        return package

    def policy(self, names, threshold, revoked=(), **more):
        keys = [(self.signers[name][1], more[name]) if name in more else self.signers[name][1] for name in names]
        path = self.folder / f"trust-{len(list(self.folder.glob('trust-*')))}.yaml"
        return write_policy(path, capsule=[rule(keys, threshold)], revoked=revoked)

    def verify(self, policy, capsule=None, code=0, *arguments):
        done = run("verify", capsule or self.package, "--trust", policy, "--state", self.state, *arguments)
        self.assertEqual(code, done.code, done)
        return done

    def accepted(self, policy, *names, capsule=None):
        done = self.verify(policy, capsule)
        self.assertEqual([self.signers.id(name) for name in names], done.result["key_ids"])
        self.assertEqual(done.result["key_ids"][0], done.result["key_id"])
        return done.result

    def refused(self, policy, *texts, capsule=None, code=11):
        done = self.verify(policy, capsule, code)
        self.assertEqual("", done.stdout)
        self.assertEqual(1, len(done.stderr.splitlines()), done)
        for text in texts:
            self.assertIn(text, done.stderr)
        return done.stderr

    def bundle(self, name, kind=".sigstore.json", package=None):
        package = package or self.package
        return package.with_name(package.name + (suffix_of(self.signers[name][1]) if name else "") + kind)


class Files(ThresholdCase):
    def test_different_trusted_keys_are_counted(self):
        self.signers.sign(self.package, "a", "rsa", "ed25519")
        names = ("a", "rsa", "ed25519", "never")
        for threshold in (1, 2, 3):
            result = self.accepted(self.policy(names, threshold), *names[:3 if threshold > 1 else 1])
            self.assertEqual(hashlib.sha256(self.package.read_bytes()).hexdigest(), result["package_digest"][7:])
        line = self.refused(self.policy(names, 4), "3 of the 4 signatures", "missing: 1 of " + self.signers.id("never"))
        for name in names[:3]:
            self.assertIn(self.signers.id(name), line.split("missing")[0])
        # Any two of the policy's keys do, also where signature.sig is of none of them.
        self.accepted(self.policy(("rsa", "ed25519", "never"), 2), "rsa", "ed25519")
        self.accepted(self.policy(("ed25519",), 1), "ed25519")
        self.refused(self.policy(("ed25519", "never"), 2), "1 of the 2 signatures")
        self.refused(self.policy(("never",), 1), "signature.sig")

    def test_stripped_bundles_are_missed_by_name(self):
        self.signers.sign(self.package, "a", "b")
        policy = self.policy(("a", "b"), 2)
        self.accepted(policy, "a", "b")
        self.bundle("b").unlink()
        self.refused(policy, "1 of the 2 signatures", "about a version index that did not come along")
        self.bundle("b", ".oci.sigstore.json").unlink()
        self.refused(policy, "1 of the 2 signatures", "signed by " + self.signers.id("a"),
                     "missing: 1 of " + self.signers.id("b"), "beside it", "capsule.tar.gz.<16 hex>.sigstore.json")
        alone = self.folder / "elsewhere" / "p.tar.gz"
        alone.parent.mkdir()
        shutil.copy(self.package, alone)
        self.refused(policy, "1 of the 2 signatures", "beside it", capsule=alone)

    def test_the_signature_in_the_package_cannot_be_stripped(self):
        self.signers.sign(self.package, "a", "b")
        content = small_capsule.entries(self.package)
        content.pop("signature.sig")
        small_capsule.write_foreign(self.package, content)
        for threshold in (1, 2):
            self.refused(self.policy(("a", "b"), threshold), "not signed")

    def test_one_key_counts_once_whatever_it_signed(self):
        self.signers.sign(self.package, "a", "b")
        shutil.copy(self.bundle(None), self.bundle("b"))
        shutil.copy(self.bundle(None), self.package.with_name(self.package.name + ".00112233445566ff.sigstore.json"))
        self.bundle("b", ".oci.sigstore.json").unlink()
        self.refused(self.policy(("a", "b"), 2), "1 of the 2 signatures")
        # The same key in another form, and in the policy under two names, is one.
        der = self.folder / "again.pub.pem"
        der.write_bytes(openssl.must("pkey", "-pubin", "-in", self.signers["a"][1], "-outform", "PEM"))
        trust = write_policy(self.folder / "two.yaml", capsule=[rule([self.signers["a"][1], der], 2)])
        self.refused(trust, "/capsule/0/keys/1", "the same key twice", code=2)

    def test_a_threshold_above_the_number_of_keys_is_no_policy(self):
        self.signers.sign(self.package, "a", "b")
        self.refused(self.policy(("a", "b"), 3), "/capsule/0/threshold", "1 to 2", code=2)

    def test_a_bundle_over_another_package_name_or_version_is_none(self):
        self.signers.sign(self.package, "a")
        for number, manifest in enumerate(({"name": "other"}, {"version": "9.9.9"}, {})):
            other = self.pack(f"other{number}", **manifest)  # the last: the same capsule, signed anew
            self.signers.sign(other, "a", "b")
            for kind in (".sigstore.json", ".oci.sigstore.json"):
                shutil.copy(self.bundle("b", kind, other), self.bundle("b", kind))
            self.refused(self.policy(("a", "b"), 2), "1 of the 2 signatures", "not about this package")

    def test_a_bundle_that_fails_hides_no_good_one(self):
        self.signers.sign(self.package, "a", "b")
        policy = self.policy(("a", "b"), 2)
        good = self.bundle("b").read_text()
        for number in range(80):
            junk = {0: "", 1: "{", 2: "x" * 2_000_000, 3: good.replace("a", "b", 1)}.get(number, good[:-number])
            self.package.with_name(f"{self.package.name}.{number:016x}.sigstore.json").write_text(junk)
        self.bundle(None).write_text("[]")
        self.accepted(policy, "a", "b")
        self.bundle("b").write_text("{}")  # that about the index needs the index, which a registry has
        self.refused(policy, "1 of the 2 signatures")

    def test_a_forged_bundle_that_names_a_trusted_key_is_none(self):
        self.signers.sign(self.package, "a", "stranger")
        for kind in (".sigstore.json", ".oci.sigstore.json"):
            bundle = json.loads(self.bundle("stranger", kind).read_text())
            bundle["verificationMaterial"]["publicKey"]["hint"] = self.signers.id("b")
            self.bundle("b", kind).write_text(json.dumps(bundle))
        self.refused(self.policy(("a", "b"), 2), "1 of the 2 signatures", "is not one of the trusted keys")

    def test_revoked_and_expired_keys_count_for_nothing(self):
        self.signers.sign(self.package, "a", "b")
        spki = {name: "sha256:" + hashlib.sha256(openssl.must(
            "pkey", "-pubin", "-in", self.signers[name][1], "-outform", "DER")).hexdigest() for name in "ab"}
        for name, other in ("ab", "ba"):
            gone = self.signers.id(name)
            self.refused(self.policy("abc", 2, revoked=[spki[name]]), "1 of the 2 signatures", f"{gone} is revoked")
            self.refused(self.policy("abc", 2, **{name: "2020-01-31"}), "1 of the 2 signatures",
                         f"{gone} expired at 2020-01-31T23:59:59.999Z")
            self.refused(self.policy("ab", 2, **{name: "2020-01-31"}), "too few keys left")
            self.accepted(self.policy("abc", 1, **{name: "2020-01-31"}), other)
            self.accepted(self.policy("abc", 1, revoked=[spki[name]]), other)
            self.refused(self.policy(name, 1, **{name: "2020-01-31T10:00:00Z"}), f"{gone} expired at 2020-01-31T10:00")
            self.refused(self.policy(name, 1, revoked=[spki[name]]), f"{gone} is revoked")
        self.accepted(self.policy("ab", 2, a="2999-12-31", b="2999-12-31T00:00:00+01:00"), "a", "b")

    def test_a_revoked_bundle_counts_for_nothing(self):
        self.signers.sign(self.package, "a", "b")
        revoked = ["sha256:" + hashlib.sha256(self.bundle("b", kind).read_bytes()).hexdigest()
                   for kind in (".sigstore.json", ".oci.sigstore.json")]
        self.refused(self.policy("ab", 2, revoked=revoked), "1 of the 2 signatures", "is revoked")

    def test_a_changed_package_is_refused_whoever_signed(self):
        self.signers.sign(self.package, "a", "b")
        data = bytearray(self.package.read_bytes())
        data[-30_000] ^= 1
        self.package.write_bytes(data)
        self.refused(self.policy("ab", 2), code=10)

    def test_roles_without_further_signatures_refuse_a_threshold(self):
        for role in ("index", "log", "utid"):
            keys = self.signers.public("ed25519", "a") if role != "log" else self.signers.public("ed25519")
            trust = write_policy(self.folder / "t.yaml", **{role: [rule(keys, 2)]})
            self.refused(trust, f"/{role}/0/threshold", code=2)


class Registry(ThresholdCase):
    def setUp(self):
        super().setUp()
        self.registry = f"oci-layout:{self.folder}/registry"
        self.name = json.loads(small_capsule.entries(self.package)["capsule.json"])["name"]

    def publish(self, policy, code=0, capsule=None, registry=None):
        done = run("publish", capsule or self.package, "--registry", registry or self.registry, "--trust", policy, "--state", self.state)
        self.assertEqual(code, done.code, done)
        return done

    def download(self, source, policy=None, store="store"):
        done = run("download", source, "--store", self.folder / store, *(("--trust", policy) if policy else ()),
                   "--state", self.state)
        self.assertEqual(0, done.code, done)
        return done.result["capsule"]

    def in_store(self, policy, digest, code=0, store="store"):
        return self.verify(policy, digest, code, "--store", self.folder / store)

    def test_publish_refuses_below_the_threshold_and_attaches_every_signature_that_counts(self):
        self.signers.sign(self.package, "a")
        self.publish(self.policy("abc", 2), code=11)
        self.assertFalse((self.folder / "registry").exists() and any((self.folder / "registry").rglob("*.json")))
        self.signers.sign(self.package, "b", "stranger")
        result = self.publish(self.policy("abc", 2)).result
        self.assertEqual([self.signers.id(name) for name in "ab"], result["signed_by"])
        self.assertEqual("attached", result["signature"])
        layout = Layout(self.folder / "registry" / self.name)
        attached = {layout.blob(manifest["layers"][0]) for _, manifest in layout.referrers(result["index_digest"])}
        self.assertEqual({self.bundle(name, ".oci.sigstore.json").read_bytes() for name in (None, "b")}, attached)
        self.accepted(self.policy("abc", 2), "a", "b", capsule=result["reference"])
        self.refused(self.policy("abc", 3), "2 of the 3 signatures", "missing: 1 of " + self.signers.id("c"), "attached to",
                     capsule=result["reference"])
        self.refused(self.policy(("a", "stranger"), 2), "1 of the 2", capsule=result["reference"])

        # One more signs later: publish attaches what is new, and nothing twice.
        self.signers.sign(self.package, "c")
        again = self.publish(self.policy("abc", 2)).result
        self.assertEqual(("attached", True, 3), (again["signature"], again["already_published"], len(again["signed_by"])))
        self.accepted(self.policy("abc", 3), "a", "b", "c", capsule=result["reference"])
        self.assertEqual("already there", self.publish(self.policy("abc", 3)).result["signature"])
        layout = Layout(self.folder / "registry" / self.name)
        self.assertEqual(3, len(layout.referrers(result["index_digest"])))

    def test_from_a_registry_to_the_store_and_to_another_registry(self):
        self.signers.sign(self.package, "a", "b", "ed25519")
        names = ("a", "b", "ed25519")
        policy = self.policy(names, 3)
        reference = self.publish(policy).result["reference"]
        for _ in range(2):
            digest = self.download(reference)
            self.assertEqual([self.signers.id(name) for name in names], self.in_store(policy, digest).result["key_ids"])
        copied = self.publish(policy, capsule=reference, registry=f"oci-layout:{self.folder}/second").result
        self.assertEqual(3, len(copied["signed_by"]))
        from_store = run("publish", digest, "--store", self.folder / "store", "--trust", policy, "--registry",
                         f"oci-layout:{self.folder}/third")
        self.assertEqual((0, 3), (from_store.code, len(from_store.result["signed_by"])), from_store)
        # Another version index beside the package is not that of this package.
        [index] = (self.folder / "store").rglob("*.oci.index.json")
        good = index.read_text()
        for bad in (good.replace(digest, "sha256:" + "0" * 64), good + " ", "{}", ""):
            index.write_text(bad)
            self.in_store(policy, digest, code=11)
        index.unlink()
        self.in_store(policy, digest, code=11)

    def test_a_file_keeps_its_further_signatures_on_the_way_to_the_store(self):
        self.signers.sign(self.package, "a", "b")
        policy = self.policy("ab", 2)
        digest = self.download(self.package)
        self.assertEqual(2, len(self.in_store(policy, digest).result["key_ids"]))

    def test_deploy_runs_nothing_below_the_threshold(self):
        self.signers.sign(self.package, "a")
        reference = self.publish(self.policy("a", 1)).result["reference"]
        done = run("deploy", reference, "--trust", self.policy("ab", 2), "--state", self.state)
        self.assertEqual((11, ""), (done.code, done.stdout), done)
        self.assertIn("1 of the 2 signatures", done.stderr)
        self.signers.sign(self.package, "b")
        self.publish(self.policy("ab", 2))
        self.assertNotIn("signatures", run("deploy", reference, "--trust", self.policy("ab", 2), "--state", self.state).stderr)

    def test_signatures_of_strangers_hide_none(self):
        self.signers.sign(self.package, "a", "rsa", "ed25519", "stranger", "b")
        reference = self.publish(self.policy(("a", "rsa", "ed25519", "stranger"), 1)).result["reference"]
        self.refused(self.policy("ab", 2), "1 of the 2", capsule=reference)
        self.publish(self.policy("ab", 2))
        self.accepted(self.policy("ab", 2), "a", "b", capsule=reference)

    def test_publish_leaves_out_what_is_no_signature_of_the_index(self):
        self.signers.sign(self.package, "a", "b")
        place = self.bundle("b", ".oci.sigstore.json")
        good = place.read_text()
        for text in ("{}", "[", self.bundle("b").read_text(), self.bundle(None, ".oci.sigstore.json").read_text() + "x"):
            place.write_text(text)
            done = self.publish(self.policy("ab", 2))
            self.assertIn("left out", done.stderr)
            self.assertEqual([self.signers.id("a")], done.result["signed_by"])
            self.refused(self.policy("ab", 2), "1 of the 2", capsule=done.result["reference"])
        place.write_text(good)
        self.assertEqual(2, len(self.publish(self.policy("ab", 2)).result["signed_by"]))


if __name__ == "__main__":
    unittest.main()
