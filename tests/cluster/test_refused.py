"""A deploy whose objects the API server refuses: the error says why, and so does the ProofedDeployment object."""
import unittest

from apiserver_proxy import ApiserverProxy
from deploy_case import DeployCase

NOT_FOUND, DENIED, FULL = 12, 13, 40
NO_DEPLOYMENT = {"method": "PATCH", "part": "/deployments/", "times": 99, "status": 403, "reason": "Forbidden"}
NO_STATUS = {"method": "PUT", "part": "/status", "times": 99, "status": 403, "reason": "Forbidden"}
NO_CRD = [{"method": method, "part": "/apis/infra.industriverse.ai/", "times": 99, "status": 404, "text": "404 page not found\n"}
          for method in ("GET", "PATCH", "DELETE")]


class Refused(DeployCase):
    on_node = True

    def quota(self, resource, number):
        self.must("create", "quota", "full", f"--hard=count/{resource}={number}")
        self.addCleanup(self.kubectl, "delete", "quota", "full")
        self.wait_for("the quota", lambda: self.get("quota", "full").get("status", {}).get("hard"), 30)

    def test_a_quota_on_what_deploy_makes(self):
        reference = self.publish("full")
        for resource in ("configmaps", "deployments.apps"):
            with self.subTest(resource):
                self.quota(resource, len(self.get(resource)["items"]))
                done = self.refused(FULL, "exceeded quota: full", reference)
                self.assertIn(f"cannot apply {resource}", done.stderr.splitlines()[-1])
                status = self.object("full")["status"]
                self.assertEqual(("Failed", "True: Quota"), (status["phase"], self.condition("full", "RolloutFailed")))
                self.assertIn("exceeded quota", next(one["message"] for one in status["conditions"] if one["type"] == "Ready"))
                self.must("delete", "quota", "full")
        self.deployed(reference)
        self.assertEqual("False: RolledOut", self.condition("full", "RolloutFailed"))
        # Of a later version: what was there stays, and so does what is said of it.
        before = self.object("full")
        self.quota("poddisruptionbudgets.policy", 0)
        self.refused(FULL, "exceeded quota: full", self.publish("full", "1.1.0", prewarm={"replicas": 2}))
        after = self.object("full")
        self.assertEqual(before["spec"], after["spec"])
        self.assertEqual((before["status"]["lastRun"], before["status"]["phase"], "True: Quota"),
                         (after["status"]["lastRun"], after["status"]["phase"], self.condition("full", "RolloutFailed")))
        self.assertEqual(1, self.get("deploy", "full-deploy")["spec"]["replicas"])

    def test_a_deploy_that_makes_no_object_leaves_no_lease(self):
        reference = self.publish("early")
        with self.subTest("no CRD"), ApiserverProxy(self, NO_CRD) as proxy:
            for done in (self.deploy(reference, "--kubeconfig", proxy.kubeconfig),
                         self.inside("deploy", *self.delete_words("early"), "--kubeconfig", proxy.kubeconfig)):
                self.assertEqual(NOT_FOUND, done.code, done)
                self.assertIn("the cluster has no ProofedDeployment (install workflows/crds)", done.stderr.splitlines()[-1])
                self.assertNotIn("capsule-early", self.must("get", "leases", "-o", "name"))
        with self.subTest("quota"):
            self.quota("proofeddeployments.infra.industriverse.ai", 0)
            self.refused(FULL, "exceeded quota: full", reference)
            self.assertNotIn("capsule-early", self.must("get", "leases", "-o", "name"))
            self.must("delete", "quota", "full")
        self.deployed(reference)
        self.assertIn("capsule-early", self.must("get", "leases", "-o", "name"))

    def test_a_right_that_is_lacking_and_that_of_the_status_too(self):
        reference = self.publish("denied")
        for faults, said in (((NO_DEPLOYMENT,), "True: Refused"), ((NO_DEPLOYMENT, NO_STATUS), None)):
            with self.subTest(said), ApiserverProxy(self, faults) as proxy:
                self.refused(DENIED, "cannot apply deployments.apps 'denied-deploy'", reference, "--kubeconfig", proxy.kubeconfig)
                self.assertEqual(said, self.condition("denied", "RolloutFailed"))
            self.must("delete", "pd", "denied")

    def test_a_status_that_was_lost_is_no_reason_to_end_the_former_pods(self):
        self.deployed(self.publish("restored"))
        before = self.object("restored")["spec"]
        self.must("patch", "pd", "restored", "--subresource=status", "--type=merge", "-p", '{"status": null}')
        self.refused(16, "install.sh", self.publish("restored", "1.1.0", scripts={"install.sh": "exit 1"}))
        self.assertEqual(before, self.object("restored")["spec"])
        self.assertEqual(1, self.get("deploy", "restored-deploy")["spec"]["replicas"])
        self.assertEqual("True: Crashed", self.condition("restored", "RolloutFailed"))


if __name__ == "__main__":
    unittest.main()
