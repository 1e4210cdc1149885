"""The shipped loop, from the package to the proof in the status of its ProofedDeployment, with the capsule in pods of a real cluster."""
import unittest

import step_pods
from deploy_case import HOST
from loop import LOOPS, WAIVED
from loop_case import LoopCase
from steps import environment


class ShippedLoop(LoopCase):
    def run_loop(self):
        return self.inside("run", *self.loop(), env={"CAPSULE_STATE": str(self.state), "HOME": str(self.folder)}, timeout=400)

    def loop(self):
        return (LOOPS / "capsule-deploy-loop.yaml", "-p", f"source={self.reference}", "-p", f"registry={self.registry}", "-p", f"insecure-registry={HOST}",
                "-p", "hand-over=registry", "-p", f"target={self.target}", "-p", f"allow-unmet={WAIVED}")

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


class EveryStepAsAPod(ShippedLoop):
    """The same, with each step in a pod as its template has it: image, account, volumes, Secrets, the restricted standard."""
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.install()
        cls.programs = step_pods.beside_capsule_run(cls.folder / "bin", cls.namespace)

    def run_loop(self):
        state = self.folder / "steps"  # of capsule-run: it has no keys
        return self._run((self.programs / "capsule-run", *self.loop()), environment(CAPSULE_STATE=str(state), HOME=str(self.folder)), None, 500)

    def test_a_run_in_a_pod_is_proved_and_its_object_says_so(self):
        super().test_a_run_in_a_pod_is_proved_and_its_object_says_so()
        pods = self.get("pods", "-l", "step")["items"]
        accounts = {pod["metadata"]["labels"]["step"]: pod["spec"]["serviceAccountName"] for pod in pods}
        self.assertEqual({**dict.fromkeys(("download", "verify", "publish", "anchor"), "capsule-step"),
                          **{name: f"capsule-{name}" for name in ("deploy", "generate-proof", "register")}}, accounts)
        self.assertEqual(2, sum(pod["metadata"]["labels"]["step"] == "deploy" for pod in pods))

    def test_a_pod_s_failure_is_the_step_s(self):
        done = self._run((self.programs / "capsule-run", *self.loop(), "-p", "source=capsule://nothing:9.9.9"),
                         environment(CAPSULE_STATE=str(self.folder / "failing"), HOME=str(self.folder)), None, 200)
        self.assertEqual(12, done.code, done)
        self.assertIn("nothing was registered", done.stderr.splitlines()[-1])


if __name__ == "__main__":
    unittest.main()
