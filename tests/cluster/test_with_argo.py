"""The shipped workflows as a user submits them, on a cluster whose Argo controller is at work; elsewhere skipped, and the other tests are all the
depth that there is."""
import re
import unittest

import yaml
from cluster_case import ClusterCase
from loop_case import LoopCase
from shipped_objects import WORKFLOWS

OVER = ("Succeeded", "Failed", "Error")
PROBE = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "probe-"},
         "spec": {"entrypoint": "wait", "templates": [{"name": "wait", "suspend": {"duration": "1"}}]}}


def acting(case):
    """Whether a controller takes a workflow of this namespace to its end: CRDs alone do nothing."""
    done = case.kubectl("create", "-f", "-", "-o", "name", input=yaml.dump(PROBE))
    if done.code != 0:
        return False
    return case.kubectl("wait", done.stdout.strip(), "--for=jsonpath={.status.phase}=Succeeded", "--timeout=25s").code == 0


class WithArgo(LoopCase):
    @classmethod
    def setUpClass(cls):
        ClusterCase.setUpClass.__func__(cls)  # before all that takes long
        if not acting(cls):
            raise unittest.SkipTest("no Argo controller acts on this cluster: the templates run through capsule-run alone (test_loop.py)")
        print("an Argo controller acts on this cluster: the shipped workflows are submitted to it")
        super().setUpClass()
        cls.install()

    def submitted(self, file, **arguments):
        """A shipped Workflow, with these arguments in place of the ConfigMap's, after its end."""
        document = yaml.safe_load((WORKFLOWS / file).read_text(encoding="utf-8"))
        given = document["spec"]["arguments"]["parameters"]
        given[:] = [one for one in given if one["name"] not in arguments] + [{"name": name, "value": value} for name, value in arguments.items()]
        name = self.must("create", "--validate=strict", "-f", "-", "-o", "name", input=yaml.dump(document)).strip()
        return self.ended(name)

    def ended(self, name, seconds=500):
        def over():
            found = self.get(name)
            return found if found.get("status", {}).get("phase") in OVER else None
        workflow = self.wait_for(f"the end of {name}", over, seconds)
        self.assertNotIn("MetricsError", [one["type"] for one in workflow["status"].get("conditions", [])], name)
        return workflow

    def good(self, workflow):
        """The outputs of a workflow that went well."""
        self.assertEqual("Succeeded", workflow["status"]["phase"], self.messages(workflow))
        [root] = [node for node in workflow["status"]["nodes"].values() if node["name"] == workflow["metadata"]["name"]]
        return {one["name"]: one.get("value") for one in root["outputs"]["parameters"]}

    @staticmethod
    def messages(workflow):
        return [(node["displayName"], node["phase"], node.get("message")) for node in workflow["status"]["nodes"].values() if node["type"] == "Pod"]

    def test_the_loop_twice_and_in_one_pod(self):
        """Without parameters, as often as one likes: the run, its proof and its index entry are found again."""
        first = self.good(self.submitted("loops/capsule-deploy-loop.yaml"))
        run = self.assert_proved(first)["status"]["lastRun"]
        for file in ("loops/capsule-deploy-loop.yaml", "loops/capsule-deploy-loop-fused.yaml"):
            again = self.good(self.submitted(file))
            self.assertEqual(first, {name: value for name, value in again.items() if name in first})
            self.assertEqual(run, self.assert_proved(again)["status"]["lastRun"])

    def test_what_cannot_pass_is_tried_once_and_said(self):
        for file, step in (("loops/capsule-deploy-loop.yaml", "download"), ("loops/capsule-deploy-loop-fused.yaml", "download")):
            workflow = self.submitted(file, source="capsule://nothing:9.9.9")
            self.assertEqual("Failed", workflow["status"]["phase"])
            [failed] = [node for node in workflow["status"]["nodes"].values() if node["type"] == "Pod" and node["phase"] == "Failed"]
            self.assertIn("nothing was registered", failed["message"])
            events = self.must("get", "events", "--field-selector", f"reason=LoopFailed,involvedObject.name={workflow['metadata']['name']}")
            self.assertRegex(events, f"{step} failed with exit code 12: .*nothing was registered")

    def test_a_build(self):
        """From a folder on a volume to the registry; the same content is the same capsule."""
        spec = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
        self.create({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": self.namespace}, "spec": {
                        **spec, "capacity": {"storage": "1Gi"}, "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": str(self.folder)},
                        "claimRef": {"namespace": self.namespace, "name": "capsule-source"}}},
                    {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "capsule-source", "namespace": self.namespace},
                     "spec": {**spec, "resources": {"requests": {"storage": "1Gi"}}}})
        self.addCleanup(self.kubectl, "delete", "persistentvolume", self.namespace, "--wait=false")
        outputs = self.good(self.submitted("loops/capsule-build-fused.yaml", source="m2n2-metal"))
        self.assertEqual(("0.1.0", self.reference), (outputs["version"], outputs["reference"]))

    def test_a_tick(self):
        """The cron workflow's own spec, submitted now: the first runs the loop, the second is one pod."""
        cron = yaml.safe_load((WORKFLOWS / "cron/capsule-deploy-loop-cron.yaml").read_text(encoding="utf-8"))
        document = {"apiVersion": cron["apiVersion"], "kind": "Workflow", "metadata": {"generateName": "tick-"}, "spec": cron["spec"]["workflowSpec"]}
        for wanted in ("deploy|prove|none", "none"):
            workflow = self.ended(self.must("create", "--validate=strict", "-f", "-", "-o", "name", input=yaml.dump(document)).strip())
            self.assertRegex(self.good(workflow)["action"], f"^({wanted})$")
        self.assertEqual(1, len(self.messages(workflow)))
        self.assertRegex(self.must("apply", "--validate=strict", "-f", WORKFLOWS / "cron/capsule-deploy-loop-cron.yaml"), re.escape("capsule-deploy-loop-cron"))


if __name__ == "__main__":
    unittest.main()
