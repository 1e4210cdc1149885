"""Where the platform's own CRD of ProofedDeployment is installed: what its schema lacks is kept beside it, and nothing else differs."""
import json
import time
import unittest

import once
import shipped_objects
from proved_case import ProvedCase
from steps import SOURCE

PLATFORMS = SOURCE / "tests/cluster/platform-crd.yaml"
OURS = shipped_objects.WORKFLOWS / "crds/proofeddeployments.infra.industriverse.ai.yaml"


class Platform(ProvedCase):
    on_node = True  # another's cluster keeps its CRD

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(cls.use, OURS, 0)
        once.forget(cls.cluster, shipped_objects.CRDS)  # for whoever comes after this one was killed
        cls.use(PLATFORMS, 1)

    @classmethod
    def use(cls, crd, code):
        """Puts a CRD in the place of the other one; the API server goes by it a moment later, as is seen by an object that is of ours alone."""
        cls.must("replace", "-f", crd)
        ours = json.dumps({"apiVersion": "infra.industriverse.ai/v1", "kind": "ProofedDeployment", "metadata": {"name": "x"}, "spec": {}})
        until = time.monotonic() + 60
        while (seen := cls.kubectl("create", "--dry-run=server", "-f", "-", input=ours)).code != code:
            assert time.monotonic() < until, seen
            time.sleep(0.3)

    def test_the_loop_on_it(self):
        reference = self.publish_provable("foreign")
        found = self.deployed(reference, "--seed", "7")
        self.assertEqual("Succeeded", found["phase"])
        there = self.object("foreign")
        self.assertEqual((None, None), (there.get("status"), there["spec"].get("capsule")))
        self.assertEqual(("pending", "pending", True), tuple(there["spec"]["proofPolicy"][key] for key in ("utid", "proofHash", "required")))
        self.assertEqual(found["run_record"], self.kept("foreign", "status")["lastRun"]["record"])
        [pod] = self.pods("foreign")
        self.assertEqual(pod["metadata"]["annotations"]["capsule.industriverse.ai/digest"], self.kept("foreign", "spec")["capsule"]["digest"])
        self.assertEqual("prove", self.deployed(reference, "--seed", "7", "--plan")["action"])

        bundle = self.prove(reference, found["run_record"])
        for _ in range(2):
            self.register(reference, bundle)
            status = self.kept("foreign", "status")
            self.assertEqual(("Proved", bundle["proof_id"]), (status["phase"], status["proofId"]))
            self.assertEqual(status["proofHash"], self.object("foreign")["spec"]["proofPolicy"]["proofHash"])
        self.assertEqual("none", self.deployed(reference, "--seed", "7", "--plan")["action"])
        # What is not pending any more is not deploy's to say.
        self.assertEqual("AlreadyDone", self.deployed(reference, "--seed", "7")["phase"])
        self.assertEqual(status["proofHash"], self.object("foreign")["spec"]["proofPolicy"]["proofHash"])
        self.assertEqual(0, self.delete("foreign").code)
        self.assertEqual("", self.must("get", "pd,deploy", "-o", "name"))

    def kept(self, name, what):
        return json.loads(self.object(name)["metadata"]["annotations"][f"capsule.industriverse.ai/{what}"])


if __name__ == "__main__":
    unittest.main()
