"""Proofs, certificates, receipts and indexes that lie, each seen by a stranger through `capsule-verify capsule://…?proof=true`.

The liar holds every key but the capsule author's: the bundles and indexes here are signed rightly, and wrong.
"""
import json
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

from proof_maker import REFERENCE, RUNNER, samples_of
from registered import Registered, days_ago
from steps import run

class Case(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.folder.chmod(0o755)
        self.liar = Registered(self.folder)
        self.liar.register()

    def refused(self, done, words, code=11):
        self.assertEqual(done.code, code, done)
        self.assertEqual(done.stdout, "")
        errors = [line for line in done.stderr.splitlines() if ": error: " in line]
        self.assertEqual(len(errors), 1, done)
        self.assertRegex(errors[0], words)


class LyingRuns(Case):
    def test_what_the_forger_can_do_is_enough_for_an_honest_proof(self):
        self.liar.forge(self.liar.retold(seed=7, result={"samples": samples_of(7)}, run_id="1" * 16))
        self.assertEqual(self.liar.verify("--replay").code, 0)

    def test_each_lie_is_named_and_measured(self):
        for lie, (result, words) in {
                "a better score": ({"score": 1.5}, "claim 'score-is-objective' does not hold: .*0.5 apart"),
                "a score nudged by 1e-6": ({"score": 1.000001}, "'score-is-objective' does not hold: .*1e-06 apart"),
                "other parameters": ({"params": {"x": 0.75, "y": 0.5}}, "'score-is-objective' does not hold: .*0.125 apart"),
                "a poor run": ({"params": {"x": 0.5, "y": 0.875}, "score": 0.71875}, "claim 'near-optimal' does not hold"),
                "copied samples": ({"samples": REFERENCE["samples"]}, "claim 'like-the-reference' does not hold: .*copy"),
                "other samples": ({"samples": [8, 9, 8.5, 9.5, 9.25]}, "claim 'like-the-reference' does not hold: effect size"),
        }.items():
            with self.subTest(lie):
                self.liar.forge(self.liar.retold(result={"samples": samples_of(7), **result}))
                self.refused(self.liar.verify(), words)

    def test_samples_of_another_seed_are_found_by_a_second_run_alone(self):
        self.liar.forge(self.liar.retold(seed=7, result={"samples": samples_of(8)}))
        done = self.liar.verify()
        self.assertEqual(done.code, 0, "statistics cannot tell")
        self.assertRegex(done.result["seed"], "^not checked again")
        self.refused(self.liar.verify("--replay"), "claim 'like-the-reference' does not hold: a second run .* other samples")

    def test_samples_that_follow_no_seed_are_found_by_a_run_with_another(self):
        liar = RUNNER.replace("print(", "if asked['parameters'].get('lie'):\n    result['samples'][0] = 1.3\nprint(")
        self.liar.register(runner=liar, version="1.0.1")
        self.liar.forge(self.liar.retold(parameters={"lie": True}, result={"samples": [1.3, *samples_of(7)[1:]]}))
        self.assertEqual(self.liar.verify().code, 0, "statistics cannot tell")
        self.refused(self.liar.verify("--replay"), "claim 'like-the-reference' does not hold: a run with another seed gives the same samples")

    def test_a_record_whose_parameters_were_others(self):
        self.liar.forge(self.liar.retold(result={"samples": samples_of(7), "note": "the best ever"}))
        self.assertEqual(self.liar.verify().code, 0, "no claim is about it")
        self.refused(self.liar.verify("--replay"), "not what a run with its parameters and seed gives")

    def test_a_record_of_another_capsule_or_version(self):
        for other in ({"name": "other", "version": "1.0.0"}, {"name": "probe", "version": "1.0.1"}):
            self.liar.forge(self.liar.retold(capsule={**other, "digest": self.liar.digest}, result={"samples": samples_of(7)}))
            self.refused(self.liar.verify(), "a run of another capsule")


class ForgedCertificates(Case):
    def test_every_kind(self):
        def tree(change):
            def forgery(evidence):
                certificate = evidence[0]["certificates"][0]
                certificate["tree"] = change(certificate["tree"])
            return forgery

        def changed_leaf(to):
            return tree(lambda text: text.replace(".", to, 1))

        def claim(number, **changes):
            return lambda evidence: evidence[0]["claims"][number].update(changes)

        for name, (forgery, words) in {
                "a leaf gone": (tree(lambda text: text[:-1]), "'near-optimal' does not hold: certificate: nodes are missing"),
                "a leaf too many": (tree(lambda text: text + "."), "'near-optimal' does not hold: .*left over"),
                "a leaf that became a node": (changed_leaf("a"), "'near-optimal' does not hold: certificate"),
                "a leaf of another letter": (changed_leaf("z"), "names no variable"),
                "a leaf that is none": (changed_leaf("?"), "'near-optimal' does not hold"),
                "a half that became a leaf": (lambda e: e[0]["certificates"][0].update(tree="a.."), "is not proven"),
                "no tree": (tree(lambda _: ""), "'near-optimal' does not hold"),
                "another variable": (tree(lambda text: "b" + text[1:]), "'near-optimal' does not hold"),
                "too deep": (tree(lambda _: "a" * 300 + "." * 301), "'near-optimal' does not hold"),
                "too many nodes": (tree(lambda _: "." * 10_000_001), "more than 10000000 nodes"),
                "of another claim": (lambda e: e[0]["certificates"][0].update(claim="score-is-objective"), "no certificate for"),
                "of another kind": (lambda e: e[0]["certificates"][0].update(type="oracle"), "'oracle'"),
                "no certificate": (lambda e: e[0].update(certificates=[]), "no certificate for the claim 'near-optimal'"),
                "a claim of another run": (claim(1, right={"add": [1.5, 0.1]}), "not the claim 'near-optimal'"),
                "a claim nudged by 1e-6": (claim(1, right={"add": [1.000001, 0.1]}), "not the claim 'near-optimal'"),
                "a wider tolerance": (claim(0, tolerance=1), "not the claim 'score-is-objective'"),
                "a claim left out": (lambda e: e[0]["claims"].pop(0), "not the claim 'score-is-objective'"),
                "other definitions": (lambda e: e[0]["definitions"].update(score=0), "not the definitions"),
                "a smaller box": (lambda e: e[0]["variables"]["x"].update(max=0.5), "not the variables"),
                "a better p": (lambda e: e[1]["ks"].update(p=0.999), "/ks/p"),
                "another seed": (lambda e: e[1]["bootstrap"].update(seed=8), "not the seed"),
                "other samples": (lambda e: e[1].update(samples_digest="sha256:" + "0" * 64), "not the samples"),
                "a piece left out": (lambda e: e.pop(), "nothing proves the claim 'like-the-reference'"),
                "a piece twice": (lambda e: e.append(e[1]), "proven twice"),
                "a piece of an unknown type": (lambda e: e.append({"type": "zk_snark"}), "unknown evidence type 'zk_snark'"),
                "no evidence": (lambda e: e.clear(), "nothing proves the claim 'score-is-objective'"),
        }.items():
            with self.subTest(name):
                self.liar.forge(lambda statement, forgery=forgery: forgery(statement["predicate"]["evidence"]))
                self.refused(self.liar.verify(), words)


class ForgedBundles(Case):
    def test_what_it_is_about(self):
        def subject(name):
            return lambda statement: next(s for s in statement["subject"] if s["name"] == name)["digest"].update(sha256="0" * 64)

        def policy(**changes):
            return lambda statement: statement["predicate"]["policy"].update(changes)

        missing = self.liar.record(run_id="2" * 16)
        for name, (change, code, words) in {
                "another capsule": (subject("capsule"), 11, "about another capsule"),
                "another version": (subject("version-index"), 11, "about another version index"),
                "a run that nobody has": (subject("run-record"), 12, "0000"),
                "another run, with the hash of this one": (lambda s: next(
                    x for x in s["subject"] if x["name"] == "run-record")["digest"].update(sha256=missing.split(":")[1]), 11, "another proof hash"),
                "another hash": (lambda s: s["predicate"].update(proof_hash="sha256:" + "0" * 64), 11, "another proof hash"),
                "no requirement": (policy(required=False), 11, "another proof policy"),
                "fewer types": (policy(types=["mathematical_proof"]), 11, "another proof policy"),
                "no proof_id": (lambda s: s["predicate"].update(proof_id="x"), 11, "not a proof_id"),
                "a member more": (lambda s: s["predicate"].update(valid=True), 11, "valid"),
                "a subject more": (lambda s: s["subject"].append({"name": "more", "digest": {"sha256": "0" * 64}}), 11, "no others"),
                "another predicate": (lambda s: s.update(predicateType="https://slsa.dev/provenance/v1"), 11, "slsa|type"),
        }.items():
            with self.subTest(name):
                self.liar.forge(change)
                self.refused(self.liar.verify(), words, code)

    def test_who_signed_it(self):
        for key in (self.liar.make_key("mallory"), (self.liar.key, self.liar.public_key), (self.liar.index_key, self.liar.index_public_key)):
            self.liar.forge(lambda statement: None, key=key)
            self.refused(self.liar.verify(), "key|sign")

    def test_a_signature_that_was_stripped_or_is_of_another_payload(self):
        whole = json.loads(self.liar.blob(self.liar.bundle))
        other = json.loads(json.dumps(whole))
        other["dsseEnvelope"]["payload"] = other["dsseEnvelope"]["payload"][:-8] + "AAAAAA=="
        unsigned = {**whole, "dsseEnvelope": {**whole["dsseEnvelope"], "signatures": []}}
        for bundle in (other, unsigned):
            digest = self.liar.put(json.dumps(bundle).encode())["digest"]
            self.liar.reindex(record=lambda record, digest=digest: record["proof"].update(digest=digest))
            done = self.liar.verify()
            self.assertIn(done.code, (10, 11), done)
            self.assertEqual(done.stdout, "")

    def test_a_bundle_of_another_version_or_capsule_with_nothing_but_the_indexs_word(self):
        first, first_run = self.liar.bundle, self.liar.run_record
        blobs = [self.liar.blob(first), self.liar.blob(first_run)]
        for name, version in (("probe", "1.1.0"), ("other", "1.0.0")):
            with self.subTest(f"{name} {version}"):
                self.liar.register(name=name, version=version)
                self.assertEqual(self.liar.verify().code, 0)
                self.liar.reindex(record=lambda record: record.update(proof={**record["proof"], "digest": first}, anchors=[]))
                if name == "other":
                    self.refused(self.liar.verify(), first, 12)
                    self.liar.put(blobs[0])
                    self.refused(self.liar.verify(), f"the run record that the proof is about: {first_run}", 12)
                    self.liar.put(blobs[1])
                self.refused(self.liar.verify(), "about another capsule")

    def test_a_bundle_that_was_changed_in_the_registry(self):
        path = self.liar.registry / "probe/blobs/sha256" / self.liar.bundle.split(":")[1]
        path.write_bytes(path.read_bytes().replace(b"payloadType", b"payloadtype"))
        self.refused(self.liar.verify(), "sha256:")


class ForgedReceipts(Case):
    def test_a_receipt_of_another_bundle(self):
        receipts = self.liar.receipts
        self.liar.run_record = self.liar.record(run_id="3" * 16, result={"samples": samples_of(7)})
        self.liar.finish()
        self.assertEqual(self.liar.verify().code, 0)
        self.liar.reindex(record=lambda record: record.update(anchors=[{"chain": "log:local", "digest": receipts}]))
        self.refused(self.liar.verify(), "receipt")

    def test_a_receipt_that_was_changed(self):
        whole = json.loads(self.liar.blob(self.liar.receipts))
        for change in ({"tx": "1"}, {"time": "2020-01-01T00:00:00.000Z"}, {"chain": "log:other"}, {"chain": "evm:1"},
                       {"bundle_digest": "sha256:" + "0" * 64}, {"proof": {**whole["proof"], "path": ["AAAA"]}},
                       {"proof": {**whole["proof"], "checkpoint": whole["proof"]["checkpoint"].replace("\n1\n", "\n2\n")}}):
            with self.subTest(change):
                digest = self.liar.put(json.dumps({**whole, **change}).encode())["digest"]
                self.liar.reindex(record=lambda record, digest=digest: record["anchors"][0].update(digest=digest))
                done = self.liar.verify()
                self.assertIn(done.code, (2, 10, 11), done)
                self.assertEqual(done.stdout, "")


class ForgedIndexes(Case):
    def test_an_index_from_last_week(self):
        """Rolled back: whoever has seen a newer one refuses it; who comes anew has its expiry."""
        index = self.liar.registry / "probe/index.json"
        old = index.read_text()
        self.liar.register(version="1.1.0")
        home = self.folder / "home"
        home.mkdir()
        self.assertEqual(self.liar.verify(home=home).code, 0)
        index.write_text(old)
        self.refused(self.liar.verify(home=home, uri="capsule://probe:1.0.0?proof=true"), "sequence|older|rolled")
        self.assertEqual(self.liar.verify(uri="capsule://probe:1.0.0?proof=true").code, 0)

    def test_a_frozen_one(self):
        self.liar.reindex(head=lambda head: head.update(issued_at=days_ago(37), expires_at=days_ago(7)))
        self.refused(self.liar.verify(), "expired")
        self.liar.reindex(head=lambda head: head.update(issued_at=days_ago(-7), expires_at=days_ago(-37)))
        self.refused(self.liar.verify(), "future")

    def test_two_of_one_number(self):
        home = self.folder / "home"
        home.mkdir()
        self.assertEqual(self.liar.verify(home=home).code, 0)

        def same_number(head):
            head["sequence"] -= 1
            del head["previous"], head["history"]

        self.liar.reindex(head=same_number)
        self.refused(self.liar.verify(home=home), "sequence|number")

    def test_a_record_about_another_capsule_or_package(self):
        for part in ("capsule", "package"):
            with self.subTest(part):
                self.liar.reindex(record=lambda record, part=part: record["digests"].update({part: "sha256:" + "1" * 64}))
                self.refused(self.liar.verify(), "the index says")

    def test_a_record_of_another_version_or_name_or_without_a_proof(self):
        for change, words in (({"version": "9.0.0"}, "speaks of"), ({"name": "other"}, "speaks of")):
            before = (self.liar.registry / "probe/index.json").read_text()
            self.liar.reindex(record=lambda record, change=change: record.update(change))
            self.refused(self.liar.verify(), words)
            (self.liar.registry / "probe/index.json").write_text(before)
        self.liar.reindex(record=lambda record: record.pop("proof"))
        self.refused(self.liar.verify(), "without a proof")

    def test_a_record_that_says_another_proof_id_or_chain_than_what_it_names(self):
        resolve = ("register", "resolve", self.liar.uri, "--registry", f"oci-layout:{self.liar.registry}", "--trust", self.liar.trust)
        for change, words in ((lambda record: record["proof"].update(id="proof_00000000"), "says that the proof of .* is 'proof_00000000'"),
                              (lambda record: record["anchors"][0].update(chain="eth"), "says that an anchor of .* is 'eth', but it is 'log:local'")):
            before = (self.liar.registry / "probe/index.json").read_text()
            self.liar.reindex(record=change)
            self.refused(self.liar.verify(), words)
            self.refused(run(*resolve, "--state", self.folder / "stranger"), words)
            (self.liar.registry / "probe/index.json").write_text(before)
            shutil.rmtree(self.folder / "stranger", ignore_errors=True)

    def test_a_record_that_was_withdrawn(self):
        self.liar.reindex(record=lambda record: record.update(yanked=True))
        self.refused(self.liar.verify(), "withdrawn", 12)

    def test_one_that_a_stranger_signed(self):
        self.liar.reindex(key=self.liar.make_key("mallory"))
        self.refused(self.liar.verify(), "key|sign")

    def test_one_of_another_capsule(self):
        self.liar.register(name="other")
        shutil.rmtree(self.liar.registry / "probe")
        shutil.copytree(self.liar.registry / "other", self.liar.registry / "probe")
        self.refused(self.liar.verify(uri="capsule://probe:1.0.0?proof=true"), "other")

    def test_a_package_that_is_another_one_behind_a_good_index(self):
        """The blobs are what they are: nothing in the registry is believed."""
        layout = self.liar.layout()
        package = next(entry for entry in layout.document(layout.tagged("1.0.0"))["manifests"] if "artifactType" in entry)
        layer = layout.document(package)["layers"][1]
        path = self.liar.registry / "probe/blobs/sha256" / layer["digest"].split(":")[1]
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        done = self.liar.verify()
        self.assertIn(done.code, (10, 11), done)
        self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
