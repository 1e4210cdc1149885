"""Each step that leaves something for good, and the proof service, killed at 20 random moments: the next call ends the same, and nothing
is there twice."""
import json
import shutil
import sqlite3
import sys
import tempfile
import time
import unittest
from pathlib import Path
from urllib.parse import urlsplit

from kills import KILLS, chance, kill_after
from proof_maker import hook
from registered import Registered
from steps import run, start

RUN_RECORD = "application/vnd.industriverse.capsule.run-record.v1+json"
RECEIPT = "application/vnd.industriverse.capsule.anchor-receipt.v1+json"


class Case(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.folder.chmod(0o755)
        self.made = Registered(self.folder)
        self.reference = self.made.publish(hook())
        self.common = ["--trust", self.made.trust, "--state", self.made.state]

    def done(self, *words):
        done = run(*words)
        self.assertEqual(done.code, 0, done)
        return done.result

    def attached(self, artifact_type):
        layout = self.made.layout()
        return [entry for entry, document in layout.referrers(self.reference.split("@")[1]) if document["artifactType"] == artifact_type]

    def proof_bundles(self):
        return [statement for _, statement in self.made.bundles()]

    def leftovers(self):
        return [path for folder in (self.made.state, self.made.registry, self.made.log) if folder.exists()
                for path in folder.rglob("*") if path.name.startswith(".tmp-") or path.name.endswith(".tmp")]

    def killed(self, seed, words, check):
        """Kills the step at 20 moments, each on what was there before it, then calls it again."""
        kept = self.folder / "kept"
        changing = [self.made.registry, self.made.state, self.made.log]
        for folder in changing:
            folder.mkdir(exist_ok=True)
            shutil.copytree(folder, kept / folder.name)
        began = time.monotonic()
        self.done(*words)
        whole = time.monotonic() - began
        draw = chance(words[0], seed)
        for _ in range(KILLS):
            for folder in changing:
                shutil.rmtree(folder)
                shutil.copytree(kept / folder.name, folder)
            moment = draw.uniform(0, 1.1 * whole)
            with self.subTest(f"killed after {moment:.3f} s"):
                left = kill_after(start(*words), moment, self.folder)
                self.assertEqual(left, [])
                first = self.done(*words)
                check(first)
                again = self.done(*words)
                for told in (first, again):  # how it ended the same may differ: made now, or found
                    for key in ("changed", "already_proven", "phase", "start"):
                        told.pop(key, None)
                self.assertEqual(first, again)
                self.assertEqual(self.leftovers(), [])


class Steps(Case):
    def test_deploy(self):
        def check(result):
            self.assertEqual(len(self.attached(RUN_RECORD)), 1, "one run, however often it was tried")
            record = json.loads(self.made.blob(result["run_record"]))
            self.assertEqual(record["run_id"], result["run_id"])

        self.killed(5001, ["deploy", *self.common, "--", self.reference], check)

    def test_generate_proof(self):
        """With our own service, which ends with the step; its database lives through it."""
        record = self.made.record()

        def check(result):
            self.assertEqual(len(self.proof_bundles()), 1)
            with sqlite3.connect(self.made.state / "proof-service.db") as database:
                self.assertEqual(database.execute("SELECT count(*) FROM proofs").fetchone(), (1,))
            self.assertEqual(self.proof_bundles()[0]["predicate"]["proof_id"], result["proof_id"])

        self.killed(5002, ["generate-proof", *self.made.arguments(self.reference, record)], check)

    def test_anchor_and_register(self):
        proven = self.made.prove(self.reference, self.made.record())
        self.assertEqual(proven.code, 0, proven)
        bundle = ["--proof-bundle", proven.result["proof_bundle"]]

        def one_receipt(_):
            self.assertEqual(len(self.attached(RECEIPT)), 1)
            self.assertEqual((self.made.log / "checkpoint").read_text().splitlines()[1], "1")

        anchor = ["anchor", *bundle, "--log", self.made.log, "--log-key", self.made.log_key, *self.common, "--", self.reference]
        self.killed(5003, anchor, one_receipt)
        shutil.rmtree(self.folder / "kept")
        receipts = self.done(*anchor)["receipts"]

        def one_entry(result):
            self.assertEqual(result["index_sequence"], "1")
            self.assertEqual([tag for tag in self.made.layout().tags() if tag.startswith("index")], ["index-v-1.0.0", "index"])
            self.made.uri = result["uri"]
            self.assertEqual(self.made.verify().code, 0)

        self.killed(5004, ["register", *bundle, "--receipts", receipts, "--key", self.made.index_key, *self.common, "--", self.reference], one_entry)


class ProofService(Case):
    def serve(self, listen="127.0.0.1:0"):
        process = start("proof-service", "--listen", listen, "--database", self.folder / "service.db", "--rate", "100000")
        line = process.stdout.readline()
        self.assertTrue(line, "the service did not start")
        return process, json.loads(line)["url"]

    def test_it_is_killed_while_a_proof_is_made(self):
        service, url = self.serve()
        self.addCleanup(lambda: (service.kill(), service.communicate()))
        address = urlsplit(url).netloc

        def prove(number):
            record = self.made.record(run_id=f"{number:016x}")
            return record, [*self.made.arguments(self.reference, record, "--proof-service", url)]

        _, words = prove(0)
        began = time.monotonic()
        self.done("generate-proof", *words)
        whole = time.monotonic() - began
        draw = chance("proof-service", 5005)
        for number in range(1, KILLS + 1):
            record, words = prove(number)
            moment = draw.uniform(0, whole)
            with self.subTest(f"killed after {moment:.3f} s"):
                step = start("generate-proof", *words)
                kill_after(service, moment)
                service, _ = self.serve(address)
                step.communicate(timeout=120)
                self.assertIn(step.returncode, (0, 40, 41), "it was done, or a retry helps")
                result = self.done("generate-proof", *words)
                bundles = [statement for statement in self.proof_bundles() if {"name": "run-record", "digest": {
                    "sha256": record.split(":")[1]}} in statement["subject"]]
                self.assertEqual(len(bundles), 1)
                self.assertEqual(bundles[0]["predicate"]["proof_id"], result["proof_id"])
                with sqlite3.connect(self.folder / "service.db") as database:
                    self.assertEqual(database.execute("PRAGMA integrity_check").fetchone(), ("ok",))
                    self.assertEqual(database.execute("SELECT count(*) FROM proofs").fetchone(), (number + 1,))
        self.assertEqual(self.leftovers(), [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
