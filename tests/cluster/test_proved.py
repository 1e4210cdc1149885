"""register tells the cluster's object of a proof that it has checked, and the pods that wait."""
import unittest

from proved_case import ProvedCase


class Proved(ProvedCase):
    def test_a_proof_lands_in_the_status_and_on_the_pods(self):
        reference = self.publish_provable("proved")
        found = self.deployed(reference, "--seed", "7")
        self.assertEqual("prove", self.deployed(reference, "--seed", "7", "--plan")["action"])
        self.assertEqual("False: ProofPending", self.condition("proved", "Ready"))
        bundle = self.prove(reference, found["run_record"])
        self.assertNotIn("proofId", self.object("proved")["status"])
        for _ in range(2):
            self.register(reference, bundle)
            status = self.object("proved")["status"]
            self.assertEqual(("Proved", bundle["proof_id"], bundle["proof_bundle"]), (status["phase"], status["proofId"], status["proofDigest"]))
            self.assertRegex(status["proofHash"], "^sha256:[0-9a-f]{64}$")
            [pod] = self.pods("proved")
            self.assertEqual((bundle["proof_id"], status["proofHash"]), tuple(pod["metadata"]["annotations"][name] for name in ("proofId", "proofHash")))
        self.must("wait", "--for=condition=Proved", "--timeout=10s", "pd/proved")
        self.assertIn("Proved", self.must("get", "pd", "proved"))
        told = [event["source"]["component"] for event in self.get("events")["items"] if event["reason"] == "Proved"]
        self.assertEqual(["capsule-register"], told)
        self.assertEqual("none", self.deployed(reference, "--seed", "7", "--plan")["action"])

        # A pod that the pool has refilled is marked by the next deploy; the proof of a former run is not taken in again.
        self.must("delete", "pod", pod["metadata"]["name"])
        self.assertEqual("AlreadyDone", self.deployed(reference, "--seed", "7")["phase"])
        self.wait_for("a pod that is marked", lambda: self.deployed(reference, "--seed", "7")["phase"] == "AlreadyDone"
                      and [one["metadata"]["annotations"].get("proofId") for one in self.pods("proved")] == [bundle["proof_id"]], 60)
        self.deployed(reference, "--seed", "8")
        self.register(reference, bundle)
        self.assertNotIn("proofId", self.object("proved")["status"])
        self.assertEqual("False: ProofPending", self.condition("proved", "Proved"))
        # Until that run is again what is deployed.
        self.assertEqual("AlreadyDone", self.deployed(reference, "--seed", "7")["phase"])
        self.register(reference, bundle)
        self.must("wait", "--for=condition=Proved", "--timeout=10s", "pd/proved")
        self.assertEqual(bundle["proof_id"], self.object("proved")["status"]["proofId"])


if __name__ == "__main__":
    unittest.main()
