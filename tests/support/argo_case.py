"""Tests that submit the shipped workflows as a user does, on a cluster whose Argo controller is at work; elsewhere they are skipped."""
import json
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
    if not case.is_theirs and case.cluster.of_tests.exists():
        return False  # ctest has started this one for its tests, and nobody an Argo in it
    done = case.kubectl("create", "-f", "-", "-o", "name", input=yaml.dump(PROBE))
    if done.code != 0:
        return False
    return case.kubectl("wait", done.stdout.strip(), "--for=jsonpath={.status.phase}=Succeeded", "--timeout=25s").code == 0


def requeue_time(case):
    """DEFAULT_REQUEUE_TIME of a controller that is a Deployment here; none where it has none, or is somewhere else."""
    deployments = json.loads(case.must("get", "deployments", "--all-namespaces", "-o", "json"))["items"]
    for container in (one for deployment in deployments for one in deployment["spec"]["template"]["spec"]["containers"]):
        if "workflow-controller" in (container["name"], *container.get("command", [])):
            return next((variable.get("value") for variable in container.get("env", []) if variable["name"] == "DEFAULT_REQUEUE_TIME"), None)
    return None


class ArgoCase(LoopCase):
    @classmethod
    def setUpClass(cls):
        ClusterCase.setUpClass.__func__(cls)  # before all that takes long
        if not acting(cls):
            raise unittest.SkipTest("no Argo controller acts on this cluster: the templates run through capsule-run alone (test_loop.py)")
        super().setUpClass()
        cls.install()

    def submitted(self, file, **arguments):
        """A shipped Workflow, with these arguments in place of the ConfigMap's, after its end."""
        return self.ended(self.begun(file, **arguments))

    def begun(self, file, **arguments):
        document = yaml.safe_load((WORKFLOWS / file).read_text(encoding="utf-8"))
        given = document["spec"]["arguments"]["parameters"]
        given[:] = [one for one in given if one["name"] not in arguments] + [{"name": name, "value": value} for name, value in arguments.items()]
        return self.created(document)

    def created(self, document):
        return self.must("create", "--validate=strict", "-f", "-", "-o", "name", input=yaml.dump(document)).strip()

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
        return {one["name"]: one.get("value") for one in self.root(workflow)["outputs"]["parameters"]}

    @staticmethod
    def root(workflow):
        """The node of its entrypoint: the exit hook is another one."""
        [root] = [node for node in workflow["status"]["nodes"].values() if node["name"] == workflow["metadata"]["name"]]
        return root

    @staticmethod
    def messages(workflow):
        return [(node["displayName"], node["phase"], node.get("message")) for node in workflow["status"]["nodes"].values() if node["type"] == "Pod"]
