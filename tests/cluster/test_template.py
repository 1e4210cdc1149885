"""An object that its user made before the first deploy, with a pod template of his."""
import json
import unittest

from deploy_case import DeployCase

NOT_TAKEN = {"metadata": {"annotations": {"sidecar.istio.io/inject": "false"}},
             "spec": {"tolerationz": [{"operator": "Exists"}], "schedulerName": "mine", "terminationGracePeriodSeconds": 1,
                      "containers": [{"name": "runner", "resources": {"limits": {"cpu": "1"}}}]}}
NAMED = ("spec.template the pods do not take over metadata.annotations, spec.containers[].resources, spec.schedulerName, "
         "spec.terminationGracePeriodSeconds, spec.tolerationz: ")


class Template(DeployCase):
    def make(self, name, template):
        self.create({"apiVersion": "infra.industriverse.ai/v1", "kind": "ProofedDeployment", "metadata": {"name": name},
                     "spec": {"template": template}})

    def test_what_is_not_taken_over_is_named(self):
        reference = self.publish("made")
        taken = {"tolerations": [{"key": "a", "operator": "Exists"}], "nodeSelector": {"kubernetes.io/os": "linux"}}
        self.make("made", {**NOT_TAKEN, "spec": {**NOT_TAKEN["spec"], **taken}})
        done = self.deploy(reference, "--plan")
        self.assertEqual((0, "deploy", "no capsule is deployed yet"), (done.code, done.result["action"], done.result["reason"]), done)
        self.assertEqual(1, done.stderr.count(NAMED), done.stderr)
        done = self.deploy(reference)
        self.assertEqual(0, done.code, done)
        self.assertEqual(1, done.stderr.count(NAMED), done.stderr)
        self.must("rollout", "status", "deployment/made-deploy", "--timeout=60s")
        # A tick of the cron that has nothing to do says nothing.
        done = self.deploy(reference, "--plan")
        self.assertEqual(("none", 0), (done.result["action"], done.stderr.count("spec.template")), done)
        self.must("patch", "pd", "made", "--type=json", "-p", json.dumps([{"op": "replace", "path": "/spec/template", "value": {"spec": taken}}]))
        self.assertNotIn("take over", self.deploy(reference, "--plan").stderr)
        self.assertNotIn("take over", self.deploy(reference).stderr)


if __name__ == "__main__":
    unittest.main()
