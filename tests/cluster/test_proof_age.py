"""A proof that is older than the trust policy's max_age: named, refused, and renewed by one more run where that is wanted."""
import time
import unittest

from deploy_case import REACHED, REGISTRY, DeployCase
from proof_maker import hook, seeded
from registered import Registered


class ProofAge(DeployCase):
    def planned(self, *more):
        return tuple(self.deployed(self.reference, "--plan", *more)[name] for name in ("action", "reason"))

    def deploy(self, reference, *more):
        return self.inside("deploy", "--trust", self.maker.trust, *self.arguments(reference, *more)[2:])

    def test_it_is_renewed_only_where_that_is_wanted(self):
        maker = type(self).maker = Registered(self.folder)
        maker.publish(hook(), name="aged", runner=seeded(), prewarm=False)
        trusted = ("--trust", maker.trust, *REACHED, "--state", maker.state)

        def must(step, *words):
            done = self.inside(step, *words)
            self.assertEqual(0, done.code, done)
            return done.result

        self.reference = must("publish", maker.folder / "aged-1.0.0.tar.gz", "--registry", f"oci://{REGISTRY}/{self.namespace}", *trusted)["reference"]
        first = self.deployed(self.reference)
        bundle = must("generate-proof", "--run-record", first["run_record"], "--key", maker.proof_key, *trusted, "--", self.reference)["proof_bundle"]
        register = ("--proof-bundle", bundle, "--key", maker.index_key, *trusted, "--target", self.target, "--", self.reference)
        must("register", *register)
        self.assertEqual(("none", "it is as it should be"), self.planned("--renew-proofs"))

        maker.trust.write_text(maker.trust.read_text().replace("proof:\n  - ", "proof:\n  - max_age: 1s\n    "))
        time.sleep(2)
        action, reason = self.planned()
        self.assertEqual("none", action)
        self.assertIn("its proof has expired", reason)
        self.assertEqual("AlreadyDone", self.deployed(self.reference)["phase"])
        self.assertEqual("renew", self.planned("--renew-proofs")[0])
        renewed = self.deployed(self.reference, "--renew-proofs")
        self.assertEqual("Succeeded", renewed["phase"])
        self.assertNotEqual(first["run_id"], renewed["run_id"])
        self.assertEqual("prove", self.planned("--renew-proofs")[0])
        again = self.deployed(self.reference, "--renew-proofs")
        self.assertEqual(("AlreadyDone", renewed["run_record"]), (again["phase"], again["run_record"]))


if __name__ == "__main__":
    unittest.main()
