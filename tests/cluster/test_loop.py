"""The shipped loop, from the package to the proof in the status of its ProofedDeployment, with the capsule in pods of a real cluster."""
import unittest

from deploy_case import HOST, IMAGES, REACHED, REGISTRY, DeployCase
from loop import LOOPS, WAIVED, sample_capsule
from steps import run


class ShippedLoop(DeployCase):
    images = (*DeployCase.images, "generate-proof")

    def run_loop(self):
        return self.inside("run", LOOPS / "capsule-deploy-loop.yaml", "-p", f"source={self.reference}", "-p", f"registry=oci://{REGISTRY}/{self.namespace}",
                           "-p", f"insecure-registry={HOST}", "-p", "hand-over=registry", "-p", f"target={self.target}", "-p", f"allow-unmet={WAIVED}",
                           env={"CAPSULE_STATE": str(self.state), "HOME": str(self.folder)}, timeout=400)

    @classmethod
    def setUpClass(cls):
        if IMAGES:
            raise unittest.SkipTest("the templates name the images that nodes have, and CAPSULE_E2E_IMAGES names others")
        super().setUpClass()
        cls.folder.chmod(0o711)  # capsule code runs as another user
        cls.state = cls.folder / "loop"
        cls.trust = cls.state / "configmaps/capsule-trust/trust.yaml"
        package = cls.folder / "m2n2-metal.tar.gz"
        for step, *words in (("sign", "keygen", "--state", cls.state),
                             ("pack", sample_capsule(cls.folder), "--out", package),
                             ("sign", package, "--key", cls.state / "secrets/capsule-key-capsule/key.pem")):
            done = run(step, *words)
            assert done.code == 0, done
        done = cls.inside("publish", package, "--registry", f"oci://{REGISTRY}/{cls.namespace}", *REACHED,
                          "--trust", cls.trust, "--state", cls.state)
        assert done.code == 0, done
        cls.reference = done.result["reference"]

    def test_a_run_in_a_pod_is_proved_and_its_object_says_so(self):
        done = self.run_loop()
        self.assertEqual(0, done.code, done)
        self.assertEqual("capsule://m2n2-metal:0.1.0?proof=true", done.result["uri"])
        pd = self.object("m2n2-metal")
        self.assertEqual(("Proved", done.result["proof_id"], done.result["proof_bundle"]),
                         tuple(pd["status"][name] for name in ("phase", "proofId", "proofDigest")))
        self.must("wait", "--for=condition=Proved", "pd/m2n2-metal", "--timeout=5s")
        self.assertIn(done.result["proof_id"], self.must("get", "pd"))
        [pod] = self.wait_for("the waiting pod", lambda: self.pods("m2n2-metal"))
        self.assertRegex(pod["metadata"]["annotations"].get("proofHash", ""), "^sha256:")
        template = self.get("deployment", "m2n2-metal-deploy")["spec"]["template"]["metadata"]["annotations"]
        self.assertNotIn("proofHash", template)  # it would start the pods anew

        again = self.run_loop()
        self.assertEqual(0, again.code, again)
        self.assertEqual([done.result[name] for name in ("run_record", "proof_bundle")], [again.result[name] for name in ("run_record", "proof_bundle")])
        self.assertEqual(pd["status"]["lastRun"], self.object("m2n2-metal")["status"]["lastRun"])
        self.assertEqual([pod["metadata"]["uid"]], [one["metadata"]["uid"] for one in self.pods("m2n2-metal")])


if __name__ == "__main__":
    unittest.main()
