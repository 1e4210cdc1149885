"""capsule-verify of a capsule:// URI, of a proof bundle, and of a run that is made again; as a stranger does it."""
import json
import sys
import tempfile
import unittest
from pathlib import Path

from proof_maker import CLAIMS, RUNNER
from registered import Registered
from steps import environment, run

CHECKS = ("package: signature", "index: sequence 1", "signed by a trusted key, about this capsule", "'score-is-objective'",
          "'near-optimal': proven on", "'like-the-reference'", "anchored in log:local at position 0")


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        cls.folder.chmod(0o755)
        cls.registered = Registered(cls.folder)
        cls.registered.register()
        cls.bundle_file = cls.folder / "bundle.json"
        cls.bundle_file.write_bytes(cls.registered.blob(cls.registered.bundle))
        cls.record_file = cls.folder / "record.json"
        cls.record_file.write_bytes(cls.registered.blob(cls.registered.run_record))
        cls.package = cls.folder / "probe-1.0.0.tar.gz"

    def verify(self, what, *more, **options):
        return run("verify", what, "--trust", self.registered.trust, "--state", self.folder / "stranger", *more, **options)

    def another(self, name):
        folder = self.folder / name
        folder.mkdir()
        return Registered(folder)

    def refused(self, done, code, words):
        self.assertEqual(done.code, code, done)
        self.assertEqual(done.stdout, "")
        errors = [line for line in done.stderr.splitlines() if ": error: " in line]
        self.assertEqual(len(errors), 1, done)
        self.assertRegex(errors[0], words)


class Uris(Case):
    def test_a_stranger_needs_the_registry_and_whom_to_trust(self):
        done = self.registered.verify()
        self.assertEqual(done.code, 0, done)
        self.assertEqual(done.result["proof_digest"], self.registered.bundle)
        self.assertEqual(done.result["capsule_digest"], self.registered.digest)
        self.assertEqual(len(done.result["checks"]), len(CHECKS))
        for line, words in zip(done.result["checks"], CHECKS, strict=True):
            self.assertIn(words, line)
        self.assertRegex(done.result["seed"], "^not checked again")

    def test_a_person_reads_one_line_for_each_check(self):
        done = self.registered.verify("--output", "text")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(sum(line.startswith("  checked  ") for line in done.stdout.splitlines()), len(CHECKS))
        self.assertIn("  seed: not checked again", done.stdout)

    def test_without_a_proof_package_and_index_are_checked(self):
        done = self.registered.verify(uri=self.registered.uri.partition("?")[0])
        self.assertEqual(done.code, 0, done)
        self.assertEqual(len(done.result["checks"]), 2)
        self.assertNotIn("proof_id", done.result)

    def test_by_digest_and_as_the_latest(self):
        index = self.registered.reference.split("@")[1]
        for uri in ("capsule://probe:latest?proof=true", f"capsule://probe@{index}?proof=true"):
            self.assertEqual(self.registered.verify(uri=uri).code, 0, uri)

    def test_a_run_record_beside_a_published_bundle_is_not_ignored(self):
        done = run("verify", self.registered.reference, "--proof", self.registered.bundle, "--run-record", self.record_file,
                   "--trust", self.registered.trust, "--state", self.folder / "stranger")
        self.refused(done, 2, "a published bundle's run record is beside it")

    def test_nobody_trusted_is_no_answer(self):
        empty = self.folder / "empty"
        empty.mkdir(exist_ok=True)
        done = run("verify", self.registered.uri, "--registry", f"oci-layout:{self.registered.registry}", "--state", empty,
                   env=environment(HOME=str(empty)))
        self.refused(done, 2, "trust")

    def test_what_is_not_there(self):
        self.refused(self.registered.verify(uri="capsule://probe:9.9.9?proof=true"), 12, "9.9.9")
        self.refused(self.verify(self.registered.uri), 2, "--registry")


class Bundles(Case):
    def test_a_bundle_beside_a_published_capsule_by_digest_or_file(self):
        for what in (self.registered.reference, self.registered.reference.split("@")[0] + ":1.0.0"):
            for bundle in (self.registered.bundle, self.bundle_file):
                done = self.verify(what, "--proof", bundle)
                self.assertEqual(done.code, 0, done)
                self.assertEqual(done.result["proof_digest"], self.registered.bundle)
                self.assertEqual(len(done.result["checks"]), 5)

    def test_a_bundle_and_a_record_beside_a_package_alone(self):
        """No registry: the version index is the one that publish would make of the package."""
        done = self.verify(self.package, "--proof", self.bundle_file, "--run-record", self.record_file)
        self.assertEqual(done.code, 0, done)
        self.assertIn("'near-optimal': proven on", "".join(done.result["checks"]))

    def test_a_bundle_of_the_registry_for_a_uri_without_a_proof(self):
        done = self.registered.verify("--proof", self.bundle_file, uri="capsule://probe:1.0.0")
        self.assertEqual(done.code, 0, done)
        self.assertEqual(len(done.result["checks"]), 6)

    def test_options_that_do_not_go_together(self):
        registry = ("--registry", f"oci-layout:{self.registered.registry}")
        for arguments, words in (((self.package, "--proof", self.bundle_file), "--run-record"),
                                 ((self.package, "--proof", self.registered.bundle), "beside a published capsule"),
                                 ((self.package, "--replay"), "--replay repeats"),
                                 ((self.package, "--run-record", self.record_file), "--proof too"),
                                 ((self.package, *registry), "capsule:// URI"),
                                 ((self.registered.uri, *registry, "--proof", self.bundle_file), "proof=true"),
                                 (("capsule://probe:1.0.0", *registry, "--replay"), "--replay repeats")):
            with self.subTest(words):
                self.refused(self.verify(*arguments), 2, words)

    def test_what_is_no_bundle_or_record(self):
        wrong = self.folder / "wrong"
        for content in (b"", b"{}", b"[" * 200, self.bundle_file.read_bytes()[:-1]):
            wrong.write_bytes(content)
            self.refused(self.verify(self.registered.reference, "--proof", wrong), 10, "bundle|JSON")
        for content in (b"{}", self.record_file.read_bytes() + b"\n"):
            wrong.write_bytes(content)
            self.refused(self.verify(self.package, "--proof", self.bundle_file, "--run-record", wrong), 11, "another run record")
        self.refused(self.verify(self.registered.reference, "--proof", self.folder / "nothing"), 12, "nothing")
        self.refused(self.verify(self.registered.reference, "--proof", "sha256:" + "0" * 64), 12, "0000")

    def test_another_tools_package_has_no_index_that_a_proof_could_be_about(self):
        foreign = self.registered.foreign_package(self.folder / "probe-1.0.0")
        done = self.verify(foreign, "--proof", self.bundle_file, "--run-record", self.record_file)
        self.refused(done, 2, "publish it")

    def test_a_policy_that_asks_for_two_keys_is_not_met_by_one_bundle(self):
        _, other = self.registered.make_key("second-prover")
        trust = self.folder / "two.yaml"
        trust.write_text(self.registered.trust.read_text().replace(
            f"proof:\n  - keys: [{{file: {self.registered.proof_public_key}}}]",
            f"proof:\n  - threshold: 2\n    keys: [{{file: {self.registered.proof_public_key}}}, {{file: {other}}}]"))
        for bundle, words in ((self.bundle_file, "wants 2 keys"), (self.registered.bundle, "1 of the 2 signatures hold")):
            done = run("verify", self.registered.reference, "--proof", bundle, "--trust", trust, "--state", self.folder / "stranger")
            self.refused(done, 11, words)

    def test_a_revoked_bundle(self):
        trust = self.folder / "revoked.yaml"
        trust.write_text(self.registered.trust.read_text() + f"revoked: ['{self.registered.bundle}']\n")
        self.refused(self.registered.verify(trust=trust), 11, "revoked")
        done = run("verify", self.registered.reference, "--proof", self.bundle_file, "--trust", trust, "--state", self.folder / "stranger")
        self.refused(done, 11, "revoked")


class Replay(Case):
    def test_the_recorded_run_is_made_again(self):
        for done in (self.registered.verify("--replay"), self.verify(self.registered.reference, "--proof", self.bundle_file, "--replay"),
                     self.verify(self.package, "--proof", self.bundle_file, "--run-record", self.record_file, "--replay")):
            self.assertEqual(done.code, 0, done)
            self.assertRegex(done.result["seed"], "^checked again, a second run gave the same output sha256:[0-9a-f]{64}, and one with another seed gave other samples$")
        self.assertEqual(list((self.folder / "stranger/replays").iterdir()), [])

    def test_a_capsule_that_is_not_deterministic_says_why_it_is_not_run_again(self):
        registered = self.another("moody")
        registered.register(annotations={"ai.industriverse.capsule.deterministic": "false"})
        self.assertEqual(registered.verify().code, 0)
        self.refused(registered.verify("--replay"), 15, "deterministic: false")

    def test_a_runner_that_fails_or_never_ends_the_second_time(self):
        for number, (code, exit_code, words) in enumerate((("sys.exit('not today')", 16, "not today"),
                                                           ("import time; time.sleep(600)", 41, "time limit"))):
            with self.subTest(code):
                moody = self.another(f"moody-{number}")
                claims = {**CLAIMS, "claims": CLAIMS["claims"][:2]}
                moody.register(claims=claims, runner=RUNNER.replace("print(", f"{code}\nprint("),
                               proof_policy={"required": True, "types": ["mathematical_proof"]})
                self.assertEqual(moody.verify().code, 0)
                self.refused(moody.verify("--replay", "--timeout", "1s"), exit_code, words)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
