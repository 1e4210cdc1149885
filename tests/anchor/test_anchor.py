"""What anchor promises: which anchors, once however often it is asked, a receipt that proves itself."""
import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from oci_layout import RECEIPT, Layout
from small_loop import LoopCase, SmallLoop
from steps import run

DIGEST = "sha256:" + "0" * 64


def root_of(leaf, index, size, path):
    """The root to which an audit path leads (RFC 9162 §2.1.3.2), from the RFC and not from our code."""
    fn, sn, node = index, size - 1, leaf
    for step in path:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            node = hashlib.sha256(b"\x01" + step + node).digest()
            while fn & 1 == 0 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = hashlib.sha256(b"\x01" + node + step).digest()
        fn, sn = fn >> 1, sn >> 1
    return node if sn == 0 else None


class Anchor(LoopCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.loop.publish_proved()
        cls.bundle = cls.loop.until("generate-proof")["generate-proof"]["proof_bundle"]

    def test_a_digest_is_logged_once_and_its_receipt_proves_itself(self):
        first = self.loop.anchor(self.bundle)
        self.assertEqual(0, first.code, first)
        again = self.loop.anchor(self.bundle)
        self.assertEqual((first.result["receipts"], False), (again.result["receipts"], again.result["changed"]))
        self.assertEqual("1", (self.loop.log / "checkpoint").read_text().splitlines()[1])
        blob = self.loop.registry / "probe/blobs/sha256" / first.result["receipts"].split(":")[1]
        receipt = json.loads(blob.read_text())
        self.assertEqual((self.bundle, "log:local", "0"), (receipt["bundle_digest"], receipt["chain"], receipt["tx"]))
        proof = receipt["proof"]
        entry = base64.b64decode(proof["entry"]) if not proof["entry"].startswith("{") else proof["entry"].encode()
        self.assertEqual({"bundle_digest": self.bundle, "time": receipt["time"]}, json.loads(entry))
        _, size, root = proof["checkpoint"].splitlines()[:3]
        path = [base64.b64decode(step) for step in proof["path"]]
        self.assertEqual(base64.b64decode(root), root_of(hashlib.sha256(b"\0" + entry).digest(), int(receipt["tx"]), int(size), path))

    def test_without_a_log_nothing_is_anchored(self):
        done = self.loop.step("anchor", "--proof-bundle", self.bundle, "--", self.loop.reference)
        self.assertEqual((0, "", ""), (done.code, done.result["receipts"], done.result["anchors"]), done)

    def test_without_a_bundle_there_is_nothing_to_anchor(self):
        for given in ((), ("--proof-bundle=",)):
            done = self.loop.step("anchor", *given, "--log", self.loop.folder / "unused-log", "--", self.loop.reference)
            self.assertEqual((0, "", "", False),
                             (done.code, *(done.result[key] for key in ("receipts", "anchors", "changed"))), done)
        self.assertFalse((self.loop.folder / "unused-log").exists())
        self.refused(2, self.loop.step("anchor", "--", "oci-layout:/nowhere/probe:1.0.0"), "digest")

    def test_a_bundle_that_is_not_there(self):
        self.refused(12, self.loop.anchor(DIGEST), "generate-proof")

    def test_a_bundle_of_a_signer_who_is_not_trusted(self):
        policy = self.loop.folder / "other.yaml"
        _, public = self.loop.make_key("other")
        policy.write_text(self.loop.trust.read_text().split("proof:")[0] + f"proof: [{{keys: [{{file: {public}}}]}}]\n")
        self.refused(11, self.loop.anchor(self.bundle, "--trust", policy), "signature")

    def test_a_log_key_that_is_none_for_logs(self):
        done = self.loop.step("anchor", "--proof-bundle", self.bundle, "--log", self.loop.folder / "third-log", "--log-name", "third",
                              "--log-key", self.loop.key, "--", self.loop.reference)
        self.refused(2, done, "Ed25519")
        self.assertFalse((self.loop.folder / "third-log").exists())

    def test_a_log_key_that_the_policy_does_not_accept_leaves_the_log_as_it_is(self):
        log, before_anchor = self.loop.folder / "kept-log", self.loop.folder / "registry-before"
        anchor = ("anchor", "--proof-bundle", self.bundle, "--log-name", "kept")
        shutil.copytree(self.loop.registry, before_anchor)
        self.assertEqual(0, self.loop.step(*anchor, "--log", log, "--", self.loop.reference).code)
        shutil.rmtree(self.loop.registry)  # so that the receipt is not found, and the log asked again
        before_anchor.rename(self.loop.registry)
        stranger = self.loop.folder / "stranger"
        self.assertEqual(0, run("sign", "keygen", "--state", stranger).code)
        before = {path: path.read_bytes() for path in log.rglob("*") if path.is_file()}
        for place in (log, self.loop.folder / "new-log"):
            done = self.loop.step(*anchor, "--log", place, "--log-key", stranger / "secrets/capsule-key-log/key.pem", "--", self.loop.reference)
            self.refused(11, done, "trust policy does not accept the key")
        self.assertFalse((self.loop.folder / "new-log").exists())
        self.assertEqual(before, {path: path.read_bytes() for path in log.rglob("*") if path.is_file()})
        self.assertEqual(0, self.loop.step(*anchor, "--log", log, "--", self.loop.reference).code)

    def test_an_old_copy_of_the_log_is_refused(self):
        log, before_anchor = self.loop.folder / "seen-log", self.loop.folder / "registry-before-seen"
        anchor = ("anchor", "--proof-bundle", self.bundle, "--log-name", "seen", "--log")
        shutil.copytree(self.loop.registry, before_anchor)
        self.assertEqual(0, self.loop.step(*anchor, log, "--", self.loop.reference).code)
        shutil.rmtree(self.loop.registry)
        before_anchor.rename(self.loop.registry)
        self.refused(11, self.loop.step(*anchor, self.loop.folder / "fresh-log", "--", self.loop.reference), "remembered in")
        self.assertFalse((self.loop.folder / "fresh-log/checkpoint").exists())
        (log / "checkpoint").rename(self.loop.folder / "checkpoint-away")
        self.refused(11, self.loop.step(*anchor, log, "--", self.loop.reference), "damaged")
        (self.loop.folder / "checkpoint-away").rename(log / "checkpoint")
        self.assertEqual(0, self.loop.step(*anchor, log, "--", self.loop.reference).code)

    def test_a_folder_that_holds_another_log(self):
        other = self.loop.folder / "other-log"
        done = self.loop.step("anchor", "--proof-bundle", self.bundle, "--log", other, "--log-name", "first", "--", self.loop.reference)
        self.assertEqual(0, done.code, done)
        done = self.loop.step("anchor", "--proof-bundle", self.bundle, "--log", other, "--log-name", "second", "--", self.loop.reference)
        self.assertIn(done.code, (11, 14), done)


class OneOfMany(LoopCase):
    def test_a_version_with_more_bundles_than_a_list_shows(self):
        self.loop.publish_proved()
        done = self.loop.until("generate-proof")
        record, bundle = done["deploy"]["run_record"], done["generate-proof"]["proof_bundle"]
        Layout(self.loop.registry / "probe").crowd(self.loop.reference.split("@")[1], 80)
        again = self.loop.generate_proof(record)
        self.assertEqual((0, True, bundle), (again.code, again.result["already_proven"], again.result["proof_bundle"]), again)
        anchored = self.loop.anchor(bundle)
        self.assertEqual(0, anchored.code, anchored)
        self.assertEqual(0, self.loop.register(bundle, anchored.result["receipts"]).code)


class ReceiptOfMany(LoopCase):
    def test_a_version_with_more_receipts_than_a_list_shows(self):
        self.loop.publish_proved()
        bundle = self.loop.until("generate-proof")["generate-proof"]["proof_bundle"]
        first = self.loop.anchor(bundle)
        self.assertEqual((0, True), (first.code, first.result["changed"]), first)
        Layout(self.loop.registry / "probe").crowd(self.loop.reference.split("@")[1], 160, RECEIPT)
        again = self.loop.anchor(bundle)
        self.assertEqual((0, False, first.result["receipts"]), (again.code, again.result["changed"], again.result["receipts"]), again)


class Keys(LoopCase):
    def test_an_encrypted_key_of_the_log_and_the_keys_of_the_state_folder(self):
        self.loop.publish_proved()
        record = self.loop.until("deploy")["deploy"]["run_record"]
        done = self.loop.step("generate-proof", "--run-record", record, "--", self.loop.reference)  # its key is that of STATE
        self.assertEqual(0, done.code, done)
        bundle = done.result["proof_bundle"]
        key = self.loop.state / "secrets/capsule-key-log/key.pem"
        secret = self.loop.folder / "passphrase"
        secret.write_text("correct horse\n")
        encrypted = subprocess.run(["openssl", "pkcs8", "-topk8", "-in", key, "-passout", f"file:{secret}"], check=True,
                                   capture_output=True).stdout
        key.write_bytes(encrypted)
        self.refused(2, self.loop.anchor(bundle), "CAPSULE_PASSPHRASE")
        wrong = {**self.loop.environment, "CAPSULE_PASSPHRASE": "battery staple"}
        anchor = ("anchor", "--proof-bundle", bundle, "--log", self.loop.log, "--", self.loop.reference)
        self.refused(13, run(*anchor, env=wrong))
        self.assertEqual(0, self.loop.anchor(bundle, "--passphrase-file", secret).code)
        right = {**self.loop.environment, "CAPSULE_PASSPHRASE": "correct horse"}
        again = run(*anchor, env=right)
        self.assertEqual((0, False), (again.code, again.result["changed"]), again)


class Wanted(unittest.TestCase):
    """What the manifest asks for is done or refused by name."""

    def test_anchors_of_the_manifest(self):
        with tempfile.TemporaryDirectory() as name:
            Path(name).chmod(0o755)
            loop = SmallLoop(name)
            loop.publish_proved(proof_policy={"required": True, "types": ["mathematical_proof"], "anchors": ["log:ours"]})
            bundle = loop.until("generate-proof")["generate-proof"]["proof_bundle"]
            for more in ((), ("--log-name", "theirs")):
                done = loop.anchor(bundle, *more)
                self.assertEqual(2, done.code, done)
                self.assertIn("'log:ours'", done.stderr)
            done = loop.anchor(bundle, "--log-name", "ours")
            self.assertEqual((0, "log:ours"), (done.code, done.result["anchors"]), done)
            # register holds the receipts against what the manifest wants.
            self.assertEqual(11, loop.step("register", "--proof-bundle", bundle, "--", loop.reference).code)
            self.assertEqual(0, loop.register(bundle, done.result["receipts"]).code)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
