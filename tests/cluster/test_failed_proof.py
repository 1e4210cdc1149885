"""A proof that fails says so in the ProofedDeployment object, and the plan leaves it alone for a while, as it does a run."""
import json
import unittest

from proof_maker import hook
from proof_pods_case import ProofPodsCase


class FailedProof(ProofPodsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.index_key, public = cls.maker.make_key("index")
        cls.maker.trust.write_text(f"{cls.maker.trust.read_text()}index:\n  - keys: [{{file: {public}}}]\n")

    def conditions(self, name):
        return [self.condition(name, kind) for kind in ("Proved", "Ready", "Stalled")]

    def told(self, name):
        """The Events of generate-proof."""
        return [(event["reason"], event["message"]) for event in self.get("events")["items"]
                if event["involvedObject"]["name"] == name and event["source"].get("component") == "capsule-generate-proof"]

    def test_a_hook_that_fails(self):
        reference, record = self.proven_run("badhook", hook('sys.stderr.write("no such theorem\\n"); sys.exit(3)'))
        self.assertEqual(("prove", "its run is not proved"), self.plan(reference, "--seed", "7"))
        # What keeps it from its beginning is a failure, too.
        words = ["/nowhere/key.pem" if word == self.proofs.proof_key else word for word in self.to_prove(reference, record)]
        self.assertEqual(12, self.inside("generate-proof", *words).code)
        [unread] = [message for _, message in self.told("badhook")]
        self.assertIn("/nowhere/key.pem", unread)
        done = self.prove(reference, record)
        self.assertEqual(16, done.code, done)
        status = self.object("badhook")["status"]
        [said] = [one["message"] for one in status["conditions"] if one["type"] == "Proved"]
        self.assertIn("no such theorem", said)
        self.assertCountEqual([("ProofFailed", unread), ("ProofFailed", said)], self.told("badhook"))
        self.assertEqual((["False: ProofFailed", "False: ProofFailed", "True: ProofFailed"], "Ran"), (self.conditions("badhook"), status["phase"]))
        # The second try was in the pause of the first.
        self.assertEqual((record, 1), (status["failedProof"]["runRecord"], status["failedProof"]["count"]))
        action, reason = self.plan(reference, "--seed", "7")
        self.assertEqual("none", action)
        self.assertRegex(reason, f"^the proof of sha256:[0-9a-f]* has failed, and is left alone until {status['failedProof']['retryAfter']}$")
        self.assertEqual("prove", self.plan(reference, "--seed", "7", "--retry-failed")[0])
        # A deploy by hand finds nothing to do, and leaves it so; another run is not held back.
        self.assertEqual("AlreadyDone", self.deployed(reference, "--seed", "7")["phase"])
        self.assertEqual("none", self.plan(reference, "--seed", "7")[0])
        self.deployed(reference, "--seed", "8")
        self.assertEqual(["False: ProofPending", "False: ProofPending", "False: Progressing"], self.conditions("badhook"))
        self.assertEqual(("prove", "its run is not proved"), self.plan(reference, "--seed", "8"))

    def test_what_passes_is_left_alone_for_minutes_and_a_proof_ends_it(self):
        reference, record = self.proven_run("passes", hook())
        self.must("create", "quota", "none", "--hard=pods=0")
        self.addCleanup(self.must, "delete", "quota", "none", "--ignore-not-found")
        self.wait_for("the quota", lambda: "hard" in self.get("quota", "none").get("status", {}))
        self.assertEqual(40, self.prove(reference, record).code)
        self.assertEqual(["False: ProofFailed", "False: ProofFailed", "False: ProofFailed"], self.conditions("passes"))
        failed = self.object("passes")["status"]["failedProof"]
        self.assertEqual("none", self.plan(reference, "--seed", "7")[0])

        # By a proof that was made elsewhere, which register takes in.
        self.must("delete", "quota", "none")
        here = self.inside("generate-proof", "--run-record", record, "--key", self.proofs.proof_key, *self.trusted, "--state", self.proofs.state, "--", reference)
        self.assertEqual(0, here.code, here)
        words = ("register", "--proof-bundle", here.result["proof_bundle"], "--key", self.index_key, *self.trusted, "--state", self.proofs.state,
                 "--target", self.target, "--", reference)
        self.assertEqual(0, self.inside(*words).code)
        self.assertEqual((["True: ProofVerified", "True: Proved", "False: Progressing"], None),
                         (self.conditions("passes"), self.object("passes")["status"].get("failedProof")))
        self.assertEqual("none", self.plan(reference, "--seed", "7")[0])

        # And by our own, which finds it, also where somebody has taken a part of it back by hand.
        unproved = [{**one, "status": str(one["type"] == "Stalled"), "reason": "ProofFailed"} if one["type"] in ("Proved", "Ready", "Stalled") else one
                    for one in self.object("passes")["status"]["conditions"]]
        for left in (failed, None):
            self.must("patch", "pd", "passes", "--subresource=status", "--type=merge", "-p",
                      json.dumps({"status": {"phase": "Ran", "failedProof": left, "conditions": unproved}}))
            self.assertIs(True, self.prove(reference, record).result["already_proven"])
            self.assertEqual((["False: ProofPending", "False: ProofPending", "False: Progressing"], None),
                             (self.conditions("passes"), self.object("passes")["status"].get("failedProof")))


if __name__ == "__main__":
    unittest.main()
