"""The shipped workflows as a user submits them, on a cluster whose Argo controller is at work; elsewhere skipped, and the other tests are all the
depth that there is."""
import unittest

import yaml
from argo_case import ArgoCase
from cluster_case import ours_alone
from shipped_objects import WORKFLOWS


class WithArgo(ArgoCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        print("an Argo controller acts on this cluster: the shipped workflows are submitted to it")

    def test_the_loop_twice_and_in_one_pod(self):
        """Without parameters, as often as one likes: the run, its proof and its index entry are found again."""
        first = self.good(self.submitted("loops/capsule-deploy-loop.yaml"))
        run = self.assert_proved(first)["status"]["lastRun"]
        for file in ("loops/capsule-deploy-loop.yaml", "loops/capsule-deploy-loop-fused.yaml"):
            again = self.good(self.submitted(file))
            self.assertEqual(first, {name: value for name, value in again.items() if name in first})
            self.assertEqual(run, self.assert_proved(again)["status"]["lastRun"])

    def test_what_cannot_pass_is_tried_once_and_said(self):
        """Two of one capsule go one after the other; that of another capsule waits for none."""
        begun = [self.begun(f"loops/capsule-deploy-loop{of}.yaml", source=source) for of, source in
                 (("", "capsule://nothing:9.9.9"), ("-fused", "capsule://nothing:9.9.8?proof=true"), ("", "capsule://no-one:9.9.9"))]
        first, second, of_another = workflows = [self.ended(name) for name in begun]
        self.assertLessEqual(first["status"]["finishedAt"], self.root(second)["startedAt"])
        self.assertLess(self.root(of_another)["startedAt"], first["status"]["finishedAt"])
        for workflow in workflows:
            self.assertEqual("Failed", workflow["status"]["phase"])
            [failed] = [node for node in workflow["status"]["nodes"].values() if node["type"] == "Pod" and node["phase"] == "Failed"]
            self.assertIn("nothing was registered", failed["message"])
            events = self.must("get", "events", "--field-selector", f"reason=LoopFailed,involvedObject.name={workflow['metadata']['name']}")
            self.assertRegex(events, "download failed with exit code 12: .*nothing was registered")
            self.assertIn("LoopFailed", self.must("describe", "workflow", workflow["metadata"]["name"]))

    @ours_alone
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
            workflow = self.ended(self.created(document))
            self.assertRegex(self.good(workflow)["action"], f"^({wanted})$")
        self.assertEqual(1, len(self.messages(workflow)))
        applied = self.must("apply", "--validate=strict", "-f", WORKFLOWS / "cron/capsule-deploy-loop-cron.yaml", "-o", "name")
        self.must("delete", applied.strip())  # its ticks would make the other tests wait


if __name__ == "__main__":
    unittest.main()
