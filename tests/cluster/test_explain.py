"""What the exit hook of a loop leaves, as its own pod under its own account: an Event that kubectl describe shows with the Workflow."""
import json
import unittest

import shipped_objects
import step_pods
import workflow_files
from cluster_case import ClusterCase

FAILED = "main: Error (exit code 11): no trusted key has signed it"
RETRY_THAT_WENT_WELL = {"a": {"displayName": "download", "type": "Retry", "phase": "Succeeded", "children": ["a-0", "a-1"]},
                        "a-0": {"displayName": "download(0)", "type": "Pod", "phase": "Failed", "message": "main: Error (exit code 40): later", "finishedAt": "2026-01-01T00:09:00Z"},
                        "a-1": {"displayName": "download(1)", "type": "Pod", "phase": "Succeeded"}}


class Explain(ClusterCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        shipped_objects.install(cls)
        cls.load_images()

    def explained(self, workflow, /, env=(), **values):
        """Messages of the Events of a workflow, after the hook's pod has ended well."""
        [template] = [template for path, template in workflow_files.leaf_templates(workflow_files.shipped()) if path.endswith("/explain.yaml")]
        values = {"workflow": workflow["metadata"]["name"], "uid": workflow["metadata"]["uid"], "failures": "", "status": "", **values}
        args = [step_pods.filled(arg, values) for arg in template["container"]["args"]]
        pod = step_pods.pod_of(template, [arg for arg in args if arg])
        pod["spec"]["initContainers"][0]["env"] += env
        self.create(pod)
        self.assertEqual("Succeeded", self.wait_until_ended(pod["metadata"]["name"]), self.kubectl("describe", "pod", pod["metadata"]["name"]).stdout)
        events = [event for event in self.get("events")["items"] if event["involvedObject"].get("uid") == workflow["metadata"]["uid"]]
        return [(event["type"], event["reason"], event["message"]) for event in events]

    def workflow(self, name, nodes):
        """One that no controller looks at."""
        document = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": name, "labels": {"workflows.argoproj.io/controller-instanceid": "nobody"}},
                    "spec": {"workflowTemplateRef": {"name": "capsule-deploy-loop"}, "suspend": True}, "status": {"nodes": {key: {"id": key, "name": key, **node} for key, node in nodes.items()}}}
        return json.loads(self.must("create", "-f", "-", "-o", "json", input=json.dumps(document)))

    def test_failures_that_are_told(self):
        failures = json.dumps(json.dumps([{"displayName": "verify(0)", "message": FAILED}]))
        workflow = self.workflow("told", {})
        self.assertEqual([("Warning", "LoopFailed", "verify failed with exit code 11: no trusted key has signed it")], self.explained(workflow, failures=failures))
        self.assertIn("LoopFailed", self.must("describe", "workflow", "told"))

    def test_a_loop_in_one_pod_tells_of_the_workflow_around_it(self):
        workflow = self.workflow("around", {})
        around = [{"name": f"ARGO_WORKFLOW_{name.upper()}", "value": workflow["metadata"][name]} for name in ("name", "uid")]
        failures = json.dumps([{"displayName": "verify", "message": FAILED}])
        self.assertEqual(1, len(self.explained(workflow, around, workflow="within", uid="0123456789abcdef", failures=failures)))
        self.assertIn("LoopFailed", self.must("describe", "workflow", "around"))

    def test_after_a_success_there_is_no_event(self):
        self.assertEqual([], self.explained(self.workflow("good", {}), failures='"null"', status="Succeeded"))
        overcome = json.dumps([{"displayName": "verify(0)", "message": "main: Error (exit code 40): later"}])
        self.assertEqual([], self.explained(self.workflow("retried", {}), failures=overcome, status="Succeeded"))

    def test_failures_that_are_read_from_the_workflow(self):
        """As the hook of a step does it, which is told none."""
        failed = {"b": {"displayName": "verify(0)", "type": "Pod", "phase": "Failed", "message": FAILED, "finishedAt": "2026-01-01T00:00:00Z"}}
        own = {"c": {"displayName": "exit(0)", "type": "Pod", "phase": "Failed", "message": "main: Error (exit code 40): away", "finishedAt": "2026-01-01T00:20:00Z",
                     "templateRef": {"name": "explain", "template": "explain"}}}  # an attempt of the hook itself
        workflow = self.workflow("read", {**RETRY_THAT_WENT_WELL, **failed, **own})
        self.assertEqual([("Warning", "LoopFailed", "verify failed with exit code 11: no trusted key has signed it")], self.explained(workflow))
        self.assertEqual([], self.explained(self.workflow("overcome", RETRY_THAT_WENT_WELL)))


if __name__ == "__main__":
    unittest.main()
