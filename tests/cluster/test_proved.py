"""register tells the cluster's object of a proof that it has checked, and the pods that wait."""
import unittest

from deploy_case import REACHED, REGISTRY, DeployCase
from proof_maker import HOOK, ProofMaker, seeded


class Proved(DeployCase):
    def test_a_proof_lands_in_the_status_and_on_the_pods(self):
        maker = ProofMaker(self.folder)
        type(self).maker = maker
        index_key, index_public = maker.make_key("index")
        maker.trust.write_text(f"{maker.trust.read_text()}index:\n  - keys: [{{file: {index_public}}}]\n")
        maker.publish(HOOK, name="proved", runner=seeded(), prewarm=True)
        trusted = ("--trust", maker.trust, *REACHED, "--state", maker.state)

        def must(step, *words):
            done = self.inside(step, *words)
            self.assertEqual(0, done.code, done)
            return done.result

        reference = must("publish", maker.folder / "proved-1.0.0.tar.gz", "--registry", f"oci://{REGISTRY}/{self.namespace}", *trusted)["reference"]
        found = self.deployed(reference, "--seed", "7")
        self.assertEqual("prove", self.deployed(reference, "--seed", "7", "--plan")["action"])
        self.assertEqual("False: ProofPending", self.condition("proved", "Ready"))
        bundle = must("generate-proof", "--run-record", found["run_record"], "--key", maker.proof_key, *trusted, "--", reference)
        self.assertNotIn("proofId", self.object("proved")["status"])

        register = ("--proof-bundle", bundle["proof_bundle"], "--key", index_key, *trusted, "--target", self.target, "--", reference)
        for _ in range(2):
            must("register", *register)
            status = self.object("proved")["status"]
            self.assertEqual(("Proved", bundle["proof_id"], bundle["proof_bundle"]), (status["phase"], status["proofId"], status["proofDigest"]))
            self.assertRegex(status["proofHash"], "^sha256:[0-9a-f]{64}$")
            [pod] = self.pods("proved")
            self.assertEqual((bundle["proof_id"], status["proofHash"]), tuple(pod["metadata"]["annotations"][name] for name in ("proofId", "proofHash")))
        self.must("wait", "--for=condition=Proved", "--timeout=10s", "pd/proved")
        self.assertIn("Proved", self.must("get", "pd", "proved"))
        self.assertEqual("none", self.deployed(reference, "--seed", "7", "--plan")["action"])

        # A pod that the pool has refilled is marked by the next deploy; the proof of a former run is not taken in again.
        self.must("delete", "pod", pod["metadata"]["name"])
        self.assertEqual("AlreadyDone", self.deployed(reference, "--seed", "7")["phase"])
        self.wait_for("a pod that is marked", lambda: self.deployed(reference, "--seed", "7")["phase"] == "AlreadyDone"
                      and [one["metadata"]["annotations"].get("proofId") for one in self.pods("proved")] == [bundle["proof_id"]], 60)
        self.deployed(reference, "--seed", "8")
        must("register", *register)
        self.assertNotIn("proofId", self.object("proved")["status"])
        self.assertEqual("False: ProofPending", self.condition("proved", "Proved"))


if __name__ == "__main__":
    unittest.main()
