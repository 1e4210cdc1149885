"""capsule-generate-proof as a user runs it: honest runs, runs that lie, forged evidence, what is not required."""
import json
import tempfile
import unittest
from pathlib import Path

from fake_platform import FakePlatform
from proof_maker import CLAIMS, REFERENCE, RUNNER, ProofMaker, hook


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        Path(folder.name).chmod(0o755)  # the hook runs as another user
        self.maker = ProofMaker(folder.name)
        self.platform = FakePlatform().__enter__()
        self.addCleanup(self.platform.__exit__)

    def prove(self, reference, record, *more):
        return self.maker.prove(reference, record, "--proof-service", self.platform.url, *more)

    def refused(self, done, code, words):
        self.assertEqual(done.code, code, done)
        self.assertRegex(done.stderr, words)
        self.assertEqual(done.stdout, "")
        self.assertEqual(self.maker.bundles(), [])
        self.assertEqual([path for path in (self.maker.state / "proofs").glob(".tmp-*")], [])


class HonestRuns(Case):
    def test_a_run_is_proven_once(self):
        reference, record = self.maker.publish(hook()), self.maker.record()
        done = self.prove(reference, record, "--outputs", self.maker.folder / "out")
        self.assertEqual(done.code, 0, done)
        out = {path.name: path.read_text() for path in (self.maker.folder / "out").iterdir() if path.name != "report.json"}
        self.assertEqual(set(out), {"proof-bundle", "proof-id", "proof-hash", "evidence-digest"})
        self.assertEqual([claim["claim"] for claim in done.result["claims"]],
                         ["score-is-objective", "near-optimal", "like-the-reference"])

        ((document, statement),) = self.maker.bundles()
        self.assertEqual(document["annotations"]["ai.industriverse.capsule.proof-id"], out["proof-id"])
        self.assertEqual(document["annotations"]["dev.sigstore.bundle.content"], "dsse-envelope")
        self.assertEqual(document["subject"]["digest"], reference.split("@")[1])
        self.assertEqual(document["layers"][0]["digest"], out["proof-bundle"])
        self.assertEqual(statement["predicateType"], "https://industriverse.ai/capsule-proof/v1")
        self.assertEqual({subject["name"]: "sha256:" + subject["digest"]["sha256"] for subject in statement["subject"]},
                         {"capsule": self.maker.digest, "version-index": reference.split("@")[1], "run-record": record})
        predicate = statement["predicate"]
        self.assertEqual(predicate["proof_hash"], out["proof-hash"])
        self.assertTrue(predicate["replay"]["done"])
        self.assertEqual({piece["type"] for piece in predicate["evidence"]}, {"mathematical_proof", "sim_alignment"})
        self.assertEqual([path.name for path in (self.maker.state / "proofs").iterdir()], [".lock"])

        generated = self.platform.count("POST", "/v1/proofs/generate")
        requests = len(self.platform.requests)
        again = self.prove(reference, record)
        self.assertEqual(again.code, 0, again)
        self.assertTrue(again.result["already_proven"])
        self.assertEqual(again.result["proof_bundle"], done.result["proof_bundle"])
        self.assertEqual((generated, len(self.platform.requests)), (1, requests))
        self.assertEqual([path.name for path in (self.maker.state / "proofs").iterdir()], [".lock"])

    def test_the_service_is_told_in_the_order_that_keeps_its_hash(self):
        reference, record = self.maker.publish(hook()), self.maker.record()
        done = self.prove(reference, record)
        self.assertEqual(done.code, 0, done)
        proof_id = done.result["proof_id"]
        posts = [path for method, path, _, _ in self.platform.requests if method == "POST"]
        self.assertEqual(posts, ["/v1/utid/generate", "/v1/proofs/generate", f"/v1/proofs/{proof_id}/status", "/v1/proofs/verify"])
        self.assertEqual(len(self.platform.proofs[proof_id]["evidence"]), 2)

    def test_with_our_own_service_and_the_other_spelling_of_the_folder(self):
        reference, record = self.maker.publish(hook(), folder="proof_hooks"), self.maker.record()
        done = self.maker.prove(reference, record)
        self.assertEqual(done.code, 0, done)
        self.assertTrue((self.maker.state / "proof-service.db").is_file())
        other = self.maker.prove(reference, self.maker.record(run_id="1" * 16))
        self.assertEqual(other.code, 0, other)
        self.assertNotEqual(other.result["proof_id"], done.result["proof_id"])
        self.assertEqual(len(self.maker.bundles()), 2)

    def test_our_own_service_that_cannot_start_is_no_failure_of_the_capsule(self):
        reference, record = self.maker.publish(hook(), version="3.0.0"), self.maker.record(run_id="3" * 16)
        database = self.maker.state / "proof-service.db"
        self.maker.state.mkdir(exist_ok=True)
        kept = database.read_bytes() if database.is_file() else None
        database.write_text("no database at all, but long enough to be taken for one" * 100)
        self.assertEqual(self.maker.prove(reference, record).code, 10)
        database.unlink()
        if kept is not None:
            database.write_bytes(kept)
        self.assertEqual(self.maker.prove(reference, record).code, 0)

    def test_a_given_utid_is_used(self):
        utid = "UTID:REAL:ffffffffffffffffffffffffffffffff:1700000000000:none:0000000000000000:0000000000000000"
        reference, record = self.maker.publish(hook()), self.maker.record()
        done = self.prove(reference, record, "--utid", utid)
        self.assertEqual(done.code, 0, done)
        self.assertEqual(done.result["utid"], utid)
        self.assertEqual(self.platform.count("POST", "/v1/utid/generate"), 0)
        self.assertEqual(self.prove(reference, self.maker.record(run_id="2" * 16), "--utid", "two words").code, 2)

    def test_mathematical_proof_alone(self):
        claims = {**CLAIMS, "claims": CLAIMS["claims"][:2]}
        reference = self.maker.publish(hook(), claims, proof_policy={"required": True, "types": ["mathematical_proof"]})
        done = self.prove(reference, self.maker.record())
        self.assertEqual(done.code, 0, done)


class Keys(Case):
    def test_a_key_that_nobody_trusts_is_refused_before_anything_runs(self):
        reference, record = self.maker.publish(hook(before="sys.exit('the hook ran')")), self.maker.record()
        self.maker.proof_key = self.maker.key
        done = self.prove(reference, record)
        self.refused(done, 11, "the trust policy does not accept the key .* for the proof of 'probe'")
        self.assertNotIn("running the capsule", done.stderr)
        self.assertEqual(self.platform.requests, [])


class Revoked(Case):
    def test_a_revoked_bundle_is_not_what_an_earlier_call_found(self):
        reference, record = self.maker.publish(hook()), self.maker.record()
        first = self.prove(reference, record)
        with self.maker.trust.open("a") as file:
            file.write(f"revoked: ['{first.result['proof_bundle']}']\n")
        again = self.prove(reference, record)
        self.assertEqual(again.code, 0, again)
        self.assertFalse(again.result["already_proven"])
        self.assertNotEqual(again.result["proof_bundle"], first.result["proof_bundle"])


class LyingRuns(Case):
    def test_each_lie_is_named_and_measured(self):
        reference = self.maker.publish(hook())
        lies = {
            "a better score": ({"score": 1.5}, "claim 'score-is-objective' does not hold: .*0.5 apart"),
            "a score nudged by 1e-6": ({"score": 1.000001}, "claim 'score-is-objective' does not hold: .*1e-06 apart"),
            "other parameters": ({"params": {"x": 0.75, "y": 0.5}}, "claim 'score-is-objective' does not hold: .*0.125 apart"),
            "a poor run": ({"params": {"x": 0.5, "y": 0.875}, "score": 0.71875},
                           "claim 'near-optimal' does not hold: false at x = 0.5.*, over by 0.181"),
            "copied samples": ({"samples": REFERENCE["samples"]}, "claim 'like-the-reference' does not hold: .*copy"),
            "copied samples, shuffled": ({"samples": REFERENCE["samples"][::-1]}, "'like-the-reference' does not hold: .*copy"),
            "other samples": ({"samples": [8, 9, 8.5, 9.5, 9.25]}, "claim 'like-the-reference' does not hold: effect size"),
        }
        for lie, (result, words) in lies.items():
            with self.subTest(lie):
                self.refused(self.prove(reference, self.maker.record(result=result)), 11, words)
        self.assertEqual(self.platform.proofs, {})

    def test_samples_of_another_seed_are_found_by_a_second_run(self):
        reference = self.maker.publish(hook())
        near = self.maker.record(result={"samples": [1.25, 1.75, 2.0, 2.5, 2.7]})
        self.refused(self.prove(reference, near), 11, "claim 'like-the-reference' does not hold: a second run")
        other = self.maker.record(result={"note": "not what the runner says"})
        self.refused(self.prove(reference, other), 11, "the run record is not what a run with its parameters and seed gives")
        contradiction = self.maker.record(output_digest="sha256:" + "0" * 64)
        self.refused(self.prove(reference, contradiction), 11, "output_digest")

    def test_a_second_run_finds_nothing_that_the_first_one_left(self):
        """A runner that remembers its lie in its data folder cannot repeat it."""
        runner = RUNNER.replace("import sys\n", """import os, sys
mark = os.path.join(os.environ["CAPSULE_DATA"], "mark")
if os.path.exists(mark):
    sys.exit("it remembers")
open(mark, "w").close()
""")
        reference = self.maker.publish(hook(), runner=runner)
        for number in range(2):
            done = self.prove(reference, self.maker.record(run_id=f"{number:016x}"))
            self.assertEqual(done.code, 0, done)

    def test_a_capsule_that_is_not_deterministic_says_so_in_the_bundle(self):
        reference = self.maker.publish(hook(), annotations={"ai.industriverse.capsule.deterministic": "false"})
        done = self.prove(reference, self.maker.record(result={"samples": [1.25, 1.75, 2.0, 2.5, 2.7]}))
        self.assertEqual(done.code, 0, done)
        ((_, statement),) = self.maker.bundles()
        self.assertEqual(statement["predicate"]["replay"],
                         {"done": False, "reason": "the capsule says that it is not deterministic"})

    def test_a_record_that_lacks_what_a_claim_needs(self):
        reference = self.maker.publish(hook())
        self.refused(self.prove(reference, self.maker.record(result={"params": {"x": 0.5}})), 11, "/result/params/y")
        self.refused(self.prove(reference, self.maker.record(result={"samples": None})), 11, "/result/samples")
        self.refused(self.prove(reference, self.maker.record(result={"score": "1.0"})), 11, "/result/score")

    def test_a_record_of_another_capsule_or_version(self):
        reference = self.maker.publish(hook())
        other = {"name": "probe", "version": "1.0.0", "digest": "sha256:" + "0" * 64}
        self.refused(self.prove(reference, self.maker.record(capsule=other)), 11, "a run of another capsule")
        other = {"name": "probe", "version": "1.0.1", "digest": self.maker.digest}
        self.refused(self.prove(reference, self.maker.record(capsule=other)), 11, "a run of another capsule")
        self.refused(self.prove(reference, "sha256:" + "0" * 64), 12, "0000")


class ForgedEvidence(Case):
    FORGERIES = {
        "one leaf gone": ("tree = tree[:-1]", "'near-optimal' does not hold: certificate: nodes are missing"),
        "one leaf too many": ("tree += '.'", "'near-optimal' does not hold: .*left over"),
        "no tree at all": ("tree = '.'", "'near-optimal' does not hold: .*is not proven"),
        "another variable": ("tree = 'b' + tree[1:]", "'near-optimal' does not hold"),
        "an unknown variable": ("tree = 'z..'", "names no variable"),
        "too deep": ("tree = 'a' * 300 + '.' * 301", "'near-optimal' does not hold"),
        "too many nodes": ("tree = '.' * 10_000_001", "more than 10000000 nodes"),
    }

    def test_certificates(self):
        for number, (forgery, (code, words)) in enumerate(self.FORGERIES.items()):
            with self.subTest(forgery):
                after = ("certificate = evidence[0]['certificates'][0]\ntree = certificate['tree']\n" + code +
                         "\ncertificate['tree'] = tree")
                reference = self.maker.publish(hook(after=after), version=f"1.0.{number}")
                self.refused(self.prove(reference, self.maker.record()), 11, words)

    def test_claims_and_statistics(self):
        for number, (forgery, code, words) in enumerate((
                ("the claim of another run", "evidence[0]['claims'][1]['right']['add'][0] = 1.5", "not the claim 'near-optimal'"),
                ("a claim nudged by 1e-6", "evidence[0]['claims'][1]['right']['add'][0] += 1e-6", "not the claim 'near-optimal'"),
                ("a claim left out", "del evidence[0]['claims'][0]", "not the claim 'score-is-objective'"),
                ("a claim more", "evidence[0]['claims'].append(dict(evidence[0]['claims'][0], name='more'))", "does not make"),
                ("other definitions", "evidence[0]['definitions']['score'] = 0", "not the definitions"),
                ("a smaller box", "evidence[0]['variables']['x']['max'] = 0.5", "not the variables"),
                ("no certificate", "evidence[0]['certificates'] = []", "no certificate for the claim 'near-optimal'"),
                ("an unknown certificate", "evidence[0]['certificates'][0]['type'] = 'oracle'", "'oracle'"),
                ("a better p", "evidence[1]['ks']['p'] = 0.999", "/ks/p"),
                ("another seed", "evidence[1]['bootstrap']['seed'] = 8", "not the seed"),
                ("other samples", "evidence[1]['samples_digest'] = 'sha256:' + '0' * 64", "not the samples"),
                ("a missing piece", "del evidence[1]", "nothing proves the claim 'like-the-reference'"),
                ("a piece twice", "evidence.append(evidence[1])", "proven twice"),
                ("an unknown piece", "evidence.append({'type': 'zk_snark'})", "unknown evidence type 'zk_snark'"),
                ("no evidence", "evidence = []", "nothing proves the claim 'score-is-objective'"))):
            with self.subTest(forgery):
                reference = self.maker.publish(hook(after=code), version=f"2.0.{number}")
                self.refused(self.prove(reference, self.maker.record()), 11, words)


class Policy(Case):
    def test_nothing_required_and_nothing_to_prove(self):
        free = {"required": False, "types": []}
        for number, (text, claims) in enumerate(((None, None), (None, CLAIMS), (hook(), None))):
            reference = self.maker.publish(text, claims, version=f"1.0.{number}", proof_policy=free)
            done = self.prove(reference, self.maker.record())
            self.assertEqual(done.code, 0, done)
            self.assertEqual(done.result, {"proof_bundle": "", "proof_id": "", "proof_hash": "", "evidence_digest": ""})
        self.assertEqual(self.platform.requests, [])

    def test_nothing_required_but_claimed(self):
        reference = self.maker.publish(hook(), proof_policy={"required": False, "types": []})
        self.assertEqual(self.prove(reference, self.maker.record()).code, 0)
        self.refused_after = self.prove(reference, self.maker.record(result={"score": 2}))
        self.assertEqual(self.refused_after.code, 11)

    def test_required_but_not_there(self):
        for number, (text, claims, words) in enumerate((
                (None, CLAIMS, "no proof-hooks/generate_proof.py"),
                (hook(), {**CLAIMS, "claims": CLAIMS["claims"][:2]}, "asks for sim_alignment, but .*claims.json has no claim"),
                (hook(), {**CLAIMS, "claims": CLAIMS["claims"][2:]}, "asks for mathematical_proof"),
                (hook(), None, "without claims.json"))):
            with self.subTest(words):
                reference = self.maker.publish(text, claims, version=f"1.0.{number}")
                self.refused(self.prove(reference, self.maker.record()), 11, words)

    def test_unknown_claim_types_are_refused_by_name(self):
        claims = {**CLAIMS, "claims": [*CLAIMS["claims"], {"name": "more", "type": "exists", "left": 1}]}
        reference = self.maker.publish(hook(), claims)
        self.refused(self.prove(reference, self.maker.record()), 10, "claim 'more': unknown claim type 'exists'")

    def test_both_spellings_of_the_folder(self):
        reference = self.maker.publish(hook(), extra={"proof_hooks/claims.json": json.dumps(CLAIMS).encode()})
        self.refused(self.prove(reference, self.maker.record()), 10, "both")

    def test_usage(self):
        reference, record = self.maker.publish(hook()), self.maker.record()
        self.assertEqual(self.prove(reference, "abc").code, 2)
        self.assertEqual(self.maker.prove(reference, record, "--proof-service", "ftp://x").code, 2)
        self.assertEqual(self.maker.prove(reference.split("@")[0] + "@sha256:" + "0" * 64, record).code, 12)

    def test_an_untrusted_capsule_is_not_run(self):
        reference, record = self.maker.publish(hook()), self.maker.record()
        _, other = self.maker.make_key("other")
        self.maker.trust.write_text(f"version: 1\ncapsule:\n  - keys: [{{file: {other}}}]\n")
        self.refused(self.prove(reference, record), 11, "sign")
        self.assertEqual(self.platform.requests, [])


if __name__ == "__main__":
    unittest.main()
