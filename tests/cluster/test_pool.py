"""Which pods are a deployment's, how many of them stay, and how long one is waited for."""
import json
import unittest

from cluster_pods import pod
from deploy_case import DeployCase
from side_load import named

TEMPLATE = "capsule.industriverse.ai/template"


class Pool(DeployCase):
    def test_a_pod_of_somebody_else_with_our_labels_is_left_alone(self):
        reference = self.publish("mimicked")
        self.deployed(reference)
        [pod] = self.pods("mimicked")
        spec = {key: value for key, value in pod["spec"].items() if key != "nodeName"}
        labels = {name: pod["metadata"]["labels"][name] for name in ("app", TEMPLATE)}
        annotations = {"capsule.industriverse.ai/run": "0123456789abcdef"}  # one of ours that another run has claimed is deleted
        self.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mimic", "labels": labels, "annotations": annotations}, "spec": spec})
        self.must("wait", "--for=condition=Ready", "--timeout=120s", "pod/mimic")
        self.must("delete", "pod", pod["metadata"]["name"], "--wait=false")
        found = self.deployed(reference, "--new-run")
        self.assertEqual("Succeeded", found["phase"])
        self.assertNotEqual("mimic", self.object("mimicked")["status"]["lastRun"]["pod"])
        mimic = self.get("pod", "mimic")["metadata"]
        self.assertEqual(annotations, mimic["annotations"])
        self.assertNotIn("deletionTimestamp", mimic)
        self.assertEqual(0, self.delete("mimicked").code)
        self.assertNotIn("deletionTimestamp", self.get("pod", "mimic")["metadata"])

    def test_our_budget_covers_no_pod_of_somebody_whose_name_is_the_same(self):
        self.deployed(self.publish("shared", prewarm={"replicas": 2}))
        template = pod("shared", named("runtime-python"), "/usr/bin/sleep", "600")
        template["spec"]["restartPolicy"] = "Always"
        self.create({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shared"}, "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": "shared"}}, "template": {key: template[key] for key in ("metadata", "spec")}}})
        self.must("create", "pdb", "theirs", "--selector=app=shared,!app.kubernetes.io/part-of", "--min-available=1")
        self.must("rollout", "status", "deployment/shared", "--timeout=60s")
        for name in ("theirs", "shared-deploy"):
            self.wait_for(f"two pods of {name}", lambda: self.get("pdb", name).get("status", {}).get("currentHealthy") == 2, 60)
            self.assertEqual(2, self.get("pdb", name)["status"]["expectedPods"])
        one = next(name for found in self.pods("shared") if not (name := found["metadata"]["name"]).startswith("shared-deploy"))
        evicted = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": one, "namespace": self.namespace}}
        self.must("create", "--raw", f"/api/v1/namespaces/{self.namespace}/pods/{one}/eviction", "-f", "-", input=json.dumps(evicted))

    def test_autoscale_without_prewarm_leaves_as_many_pods_as_it_says(self):
        reference = self.publish("elastic", prewarm=False)
        self.create({"apiVersion": "infra.industriverse.ai/v1", "kind": "ProofedDeployment", "metadata": {"name": "elastic"},
                     "spec": {"autoscale": {"maxReplicas": 3}}})
        for least, stay in ((None, 0), (1, 1), (0, 0)):
            self.must("patch", "pd", "elastic", "--type=merge", "--field-manager=me", "-p", json.dumps({"spec": {"autoscale": {"minReplicas": least}}}))
            self.assertEqual("Succeeded", self.deployed(reference, "--new-run")["phase"])
            self.assertEqual(stay, self.get("deploy", "elastic-deploy")["spec"]["replicas"])
        # What an autoscaler has set stays.
        self.must("scale", "deploy", "elastic-deploy", "--replicas=2")
        self.deployed(reference, "--new-run")
        self.assertEqual(2, self.get("deploy", "elastic-deploy")["spec"]["replicas"])

    def test_an_autoscaler_that_takes_pods_away_leaves_the_one_at_work(self):
        reference = self.publish("busy", prewarm={"replicas": 2}, at_run="time.sleep(15)")
        self.create({"apiVersion": "infra.industriverse.ai/v1", "kind": "ProofedDeployment", "metadata": {"name": "busy"},
                     "spec": {"autoscale": {"minReplicas": 1, "maxReplicas": 2}}})
        deploy = self.start(reference)
        at_work = self.wait_for("the claim", lambda: self.object("busy").get("status", {}).get("lastRun", {}).get("pod"))
        self.wait_for("the idle pod", lambda: sum(self.is_ready(pod["metadata"]["name"]) for pod in self.pods("busy")) == 2)
        self.must("scale", "deploy", "busy-deploy", "--replicas=1")
        [left] = self.wait_for("one pod", lambda: (pods := self.pods("busy"))[1:] == [] and pods)
        self.assertEqual(at_work, left["metadata"]["name"])
        self.assertEqual("false", left["metadata"]["annotations"]["cluster-autoscaler.kubernetes.io/safe-to-evict"])
        out, errors = deploy.communicate(timeout=90)
        self.assertEqual(0, deploy.returncode, errors)
        self.assertEqual(at_work, self.object("busy")["status"]["lastRun"]["pod"])

    def test_the_timeout_bounds_the_wait_for_a_pod(self):
        reference = self.publish("tardy", scripts={"install.sh": "sleep 600"})
        self.refused(41, "was ready within 15.0 s", reference, "--timeout", "15s")


if __name__ == "__main__":
    unittest.main()
