"""What register, resolve and list promise, as a user calls them; the index's own rules are in tests/unit/index."""
import json
import shutil
import sys
import unittest
from pathlib import Path

import yaml

from proof_maker import seeded
from small_loop import LoopCase, SmallLoop
from steps import run

DIGEST = "sha256:" + "0" * 64


class Register(LoopCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.loop.publish_proved()
        cls.results = cls.loop.until("register")
        cls.bundle = cls.results["generate-proof"]["proof_bundle"]
        cls.receipts = cls.results["anchor"]["receipts"]

    def test_what_is_registered_resolves_to_all_its_digests(self):
        result = self.loop.resolve("capsule://probe:1.0.0?proof=true").result
        self.assertEqual(self.loop.reference, result["reference"])
        self.assertEqual((self.loop.digest, self.loop.package_digest), (result["capsule_digest"], result["package_digest"]))
        self.assertEqual((self.bundle, "log:local"), (result["proof_digest"], result["anchors"]))
        for uri in ("capsule://probe:1.0.0", "capsule://probe:latest?proof=true",
                    "capsule://probe@" + self.loop.reference.split("@")[1]):
            self.assertEqual(result["capsule_digest"], self.loop.resolve(uri).result["capsule_digest"], uri)

    def test_a_digest_is_found_by_its_own_record_alone(self):
        many = SmallLoop(self.loop.folder / "many")
        plain = {"claims": None, "name": "plain", "proof_policy": {"required": False, "types": []}}
        references = [many.publish(None, version=version, **plain) for version in ("0.1.0", "0.2.0", "0.3.0")]
        records = [many.step("register", "--", reference).result["record_digest"] for reference in references[:2]]
        (many.registry / "plain/blobs/sha256" / records[0].split(":")[1]).unlink()
        digests = [reference.split("@")[1] for reference in references]
        self.assertEqual(records[1], many.resolve("capsule://plain@" + digests[1]).result["record_digest"])
        self.refused(12, many.resolve("capsule://plain@" + digests[2]), "0.3.0")  # published, but not registered
        self.refused(12, many.resolve("capsule://plain@" + DIGEST))

    def test_again_changes_nothing(self):
        before = (self.loop.registry / "probe/index.json").read_bytes()
        again = self.loop.register(self.bundle, self.receipts)
        self.assertEqual((0, False), (again.code, again.result["changed"]), again)
        self.assertEqual(self.results["register"]["index_sequence"], again.result["index_sequence"])
        self.assertEqual(before, (self.loop.registry / "probe/index.json").read_bytes())

    def test_what_is_not_there_is_not_found(self):
        self.refused(12, self.loop.register(DIGEST, self.receipts))
        self.refused(12, self.loop.register(self.bundle, DIGEST))
        self.refused(12, self.loop.resolve("capsule://probe:1.0.1"), "1.0.1")
        self.refused(12, self.loop.step("register", self.loop.reference.split("@")[0] + "@" + DIGEST))

    def test_receipts_without_a_bundle_are_a_mistake_of_the_call(self):
        self.refused(2, self.loop.register(self.bundle, f"{self.receipts},{self.receipts}"), "twice")
        self.refused(2, self.loop.step("register", "--receipts", self.receipts, "--", self.loop.reference), "--proof-bundle")

    def test_a_key_that_the_policy_does_not_trust_registers_nothing(self):
        other = SmallLoop(self.loop.folder / "other")
        reference = other.publish(None, claims=None, name="plain", proof_policy={"required": False, "types": []})
        stranger, _ = other.make_key("stranger")
        self.refused(11, other.step("register", "--key", stranger, "--", reference), "trust policy")
        self.assertEqual(12, other.resolve("capsule://plain:1.0.0").code)
        self.assertEqual(0, other.step("register", "--", reference).code)

    def test_a_proof_or_receipt_that_was_changed_no_longer_resolves(self):
        for digest in (self.bundle, self.receipts):
            blob = self.loop.registry / "probe/blobs/sha256" / digest.split(":")[1]
            good = blob.read_bytes()
            try:
                blob.write_bytes(good[:-2] + b" }")
                self.refused(11, self.loop.resolve("capsule://probe:1.0.0?proof=true"))
                self.assertEqual(0, self.loop.resolve("capsule://probe:1.0.0").code)  # that asks the index alone
            finally:
                blob.write_bytes(good)

    def test_an_index_that_was_rolled_back_or_belongs_to_another_name(self):
        copy = self.loop.folder / "copy"
        shutil.copytree(self.loop.registry, copy)
        (copy / "probe").rename(copy / "other")
        done = self.loop.step("register", "resolve", "capsule://other:1.0.0", "--registry", f"oci-layout:{copy}")
        self.refused(11, done, "other")

    def policy(self, revoked):
        """The loop's policy, with one thing revoked."""
        path = self.loop.folder / "policy.yaml"
        path.write_text(self.loop.trust.read_text() + f"revoked: ['{revoked}']\n")
        return ("--trust", path)

    def test_what_is_revoked_is_used_nowhere(self):
        proved = "capsule://probe:1.0.0?proof=true"
        version, record = self.loop.reference.split("@")[1], self.results["deploy"]["run_record"]
        for digest in (version, record, self.bundle, self.receipts, self.loop.digest):
            self.refused(11, self.loop.resolve(proved, *self.policy(digest)), f"{digest} is revoked")
            self.refused(11, self.loop.register(self.bundle, self.receipts, *self.policy(digest)), f"{digest} is revoked")
        self.refused(11, self.loop.resolve("capsule://probe:1.0.0", *self.policy(version)), "is revoked")
        self.refused(11, self.loop.deploy(*self.policy(version)), "is revoked")
        self.refused(11, self.loop.step("verify", *self.policy(version), "--", self.loop.reference), "is revoked")
        self.refused(11, self.loop.generate_proof(record, *self.policy(record)), "is revoked")
        # The log gives what it gave: no other receipt can be had.
        done = self.loop.anchor(self.bundle, *self.policy(self.receipts))
        self.assertEqual(11, done.code, done)
        self.assertIn(f"{self.receipts} is revoked", done.stderr)

    def test_list_shows_what_the_policy_trusts_and_names_the_rest(self):
        two = SmallLoop(self.loop.folder / "two")
        plain = {"claims": None, "proof_policy": {"required": False, "types": []}}
        for name in ("first", "second"):
            self.assertEqual(0, two.step("register", "--", two.publish(None, name=name, **plain)).code)
        policy = two.folder / "policy.yaml"
        policy.write_text(two.trust.read_text().replace("index:\n  - ", "index:\n  - names: [first]\n    "))
        where = ("--registry", f"oci-layout:{two.registry}", "--trust", policy)
        done = two.step("register", "list", *where)
        self.assertEqual((0, ["first"], ["second"]), (done.code, [entry["name"] for entry in done.result["capsules"]],
                                                      [entry["name"] for entry in done.result["left_out"]]), done)
        self.assertIn("'second' is not listed: the trust policy has no key of role 'index' for 'second'", done.stderr)
        self.assertNotIn("--key", done.stderr)
        self.refused(2, two.step("register", "list", "second", *where), "no key of role 'index'")

    def test_list_names_versions_and_whether_they_are_proved(self):
        done = self.loop.step("register", "list", "--registry", f"oci-layout:{self.loop.registry}")
        self.assertEqual([("probe", "1.0.0", True)], [(e["name"], e["version"], e["proved"]) for e in done.result["capsules"]], done)
        done = self.loop.step("register", "list", "--registry", f"oci-layout:{self.loop.folder / 'nothing'}")
        self.assertEqual((0, []), (done.code, done.result["capsules"]), done)


class TwoPlaces(LoopCase):
    """Two places, each with a state folder of its own, that prove one version of one registry, each its own run."""

    def proved(self, state, clock=""):
        """The words that name the place, the bundle and the receipts of its run. `clock`: how far that of its deploy is off."""
        place = ("--state", self.loop.folder / state, "--trust", self.loop.trust)
        [library] = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
        wrong = {"LD_PRELOAD": str(library), "FAKETIME": clock, "FAKETIME_DONT_FAKE_MONOTONIC": "1"} if clock else {}
        deployed = run("deploy", *place, "--seed", "7", "--", self.loop.reference, env=self.loop.environment | wrong)
        self.assertEqual(0, deployed.code, deployed)
        proved = self.loop.generate_proof(deployed.result["run_record"], *place)
        self.assertEqual(0, proved.code, proved)
        bundle = proved.result["proof_bundle"]
        receipts = self.loop.anchor(bundle, *place, "--log-key", self.loop.state / "secrets/capsule-key-log/key.pem").result["receipts"]
        return (*place, "--key", self.loop.state / "secrets/capsule-key-index/key.pem"), bundle, receipts

    def registered(self, place, bundle, receipts, *more):
        """Whether the index was changed, and which proof it has now."""
        done = self.loop.register(bundle, receipts, *place, *more)
        self.assertEqual(0, done.code, done)
        return done, done.result["changed"], self.loop.resolve("capsule://probe:1.0.0?proof=true").result["proof_digest"]

    def noted(self, state):
        return json.loads((self.loop.folder / state / "deployments/probe/proofeddeployment.json").read_text())["status"]

    def test_a_version_that_is_proved_keeps_the_proof_of_its_newest_run_and_the_index_does_not_grow(self):
        self.loop.publish_proved(runner=seeded())
        (first, *one), (second, *other) = (self.proved(state) for state in ("first", "second"))
        self.assertNotEqual(one[0], other[0])
        self.assertEqual([(True, one[0]), (True, other[0])], [self.registered(first, *one)[1:], self.registered(second, *other)[1:]])
        before = (self.loop.registry / "probe/index.json").read_bytes()
        for _ in range(2):
            done, *found = self.registered(first, *one)
            self.assertEqual([False, other[0]], found)
            self.assertIn("the index has a good proof of probe:1.0.0", done.stderr)
            self.assertEqual([False, other[0]], list(self.registered(second, *other)[1:]))
        self.assertEqual(before, (self.loop.registry / "probe/index.json").read_bytes())
        # Where it was run its own proof counts.
        self.assertEqual([("Proved", one[0]), ("Proved", other[0])],
                         [(self.noted(state)["phase"], self.noted(state)["proofDigest"]) for state in ("first", "second")])
        # One that is not good any more stays no longer.
        policy = self.loop.folder / "revoked.yaml"
        policy.write_text(self.loop.trust.read_text() + f"revoked: ['{other[0]}']\n")
        self.assertEqual([True, one[0]], list(self.registered((*first[:2], "--trust", policy, *first[4:]), *one)[1:]))

    def test_one_of_a_clock_that_ran_ahead_gives_way(self):
        self.loop.publish_proved(runner=seeded())
        (ahead, *one), (right, *other) = self.proved("ahead", clock="+400d"), self.proved("right")
        self.assertEqual([(True, one[0]), (True, other[0])], [self.registered(ahead, *one)[1:], self.registered(right, *other)[1:]])

    def test_a_run_that_is_proved_anew_with_another_key_is_registered_so(self):
        self.loop.publish_proved(runner=seeded())
        place, *one = self.proved("place")
        self.assertEqual((True, one[0]), self.registered(place, *one)[1:])
        self.loop.proof_key, public = self.loop.make_key("rotated")
        policy = yaml.safe_load(self.loop.trust.read_text())
        policy["proof"][0]["keys"].append({"file": str(public)})
        self.loop.trust.write_text(yaml.safe_dump(policy))
        _, *other = self.proved("place")
        self.assertNotEqual(one[0], other[0])
        self.assertEqual((True, other[0]), self.registered(place, *other)[1:])


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
