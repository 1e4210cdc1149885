"""Where the platform's own CRD of ProofedDeployment is installed: what its schema lacks is kept beside it, and nothing else differs."""
import json
import tempfile
import time
import unittest

import once
import shipped_objects
from deploy_case import REACHED, REGISTRY
from proved_case import ProvedCase
from steps import SOURCE

PLATFORMS = SOURCE / "tests/cluster/platform-crd.yaml"
OURS = shipped_objects.WORKFLOWS / "crds/proofeddeployments.infra.industriverse.ai.yaml"


def by_uri(case, name, *more):
    """A deploy of what the index has, with a state folder that nobody has used."""
    with tempfile.TemporaryDirectory() as state:
        return case.inside("deploy", "--trust", case.maker.trust, *REACHED, "--state", state, "--target", case.target, "--timeout", "60s",
                           "--registry", f"oci://{REGISTRY}/{case.namespace}", *more, "--", f"capsule://{name}:1.0.0")


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

    def test_an_older_index_is_refused_there_too(self):
        """What was seen of it is kept with the rest of the status."""
        reference = self.publish("noted")
        self.addCleanup(self.delete, "noted")
        self.deployed(reference)
        done = self.inside("register", "--key", self.index_key, *self.trusted, "--target", self.target, "--", reference)
        self.assertEqual(0, done.code, done)
        self.assertNotIn("indexSeen", done.stderr)
        status = self.kept("noted", "status")
        [seen] = status["indexSeen"]
        self.assertEqual((f"oci://{REGISTRY}/{self.namespace}", 1), (seen["registry"], seen["sequence"]))
        self.assertEqual(0, by_uri(self, "noted", "--plan").code)
        kept = json.dumps({**status, "indexSeen": [{**seen, "sequence": 2}]})
        self.must("annotate", "pd", "noted", "--overwrite", f"capsule.industriverse.ai/status={kept}")
        for words in ((), ("--plan",)):
            done = by_uri(self, "noted", *words)
            self.assertEqual(11, done.code, done)
            self.assertIn("rollback: the index of 'noted' is at sequence 1, but 2 was seen before", done.stderr)


class OfAnEarlierVersion(ProvedCase):
    """A CRD of ours that was not brought up to date: it drops what was seen of the index."""
    on_node = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(cls.must, "replace", "-f", OURS)
        once.forget(cls.cluster, shipped_objects.CRDS)
        crd = cls.get("crd", "proofeddeployments.infra.industriverse.ai")
        del crd["metadata"]["resourceVersion"]
        del crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["indexSeen"]
        cls.must("replace", "-f", "-", input=json.dumps(crd))

    def is_dropped(self, name):
        seen = {"registry": "oci://a.example/b", "sequence": 1, "digest": f"sha256:{64 * 'a'}"}
        done = self.must("patch", "pd", name, "--subresource=status", "--type=merge", "--dry-run=server", "-o", "json",
                         "-p", json.dumps({"status": {"indexSeen": [seen]}}))
        return "indexSeen" not in json.loads(done)["status"]

    def test_that_nothing_is_remembered_is_a_warning(self):
        reference = self.publish("dropped")
        self.deployed(reference)
        self.wait_for("the API server goes by the CRD", lambda: self.is_dropped("dropped"), 60)
        registered = self.inside("register", "--key", self.index_key, *self.trusted, "--target", self.target, "--", reference)
        for done in (registered, by_uri(self, "dropped")):
            self.assertEqual(0, done.code, done)
            said = [line for line in done.stderr.splitlines() if "does not keep status.indexSeen" in line]
            self.assertEqual(1, len(said), done.stderr)
            self.assertIn("brought up to date with workflows/crds", said[0])
        self.assertNotIn("indexSeen", self.object("dropped")["status"])


if __name__ == "__main__":
    unittest.main()
