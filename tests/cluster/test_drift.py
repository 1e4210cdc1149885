"""What somebody adds to the Deployment beside our fields: the plan says deploy, a deploy refuses it and names field and manager, and
--force-conflicts takes it out."""
import json
import unittest

from deploy_case import DeployCase

RUNNER = "of container runner"
SECRET = {"name": "s", "secret": {"secretName": "capsule-key-proof", "optional": True}}
# Of the pods, by what the message calls it.
ADDED = {
    "spec.template.spec.hostNetwork": {"hostNetwork": True},
    "volume s": {"volumes": [SECRET], "containers": [{"name": "runner", "volumeMounts": [{"name": "s", "mountPath": "/s"}]}]},
    "spec.template.spec.shareProcessNamespace": {"shareProcessNamespace": True},
    "spec.template.spec.hostAliases": {"hostAliases": [{"ip": "1.2.3.4", "hostnames": ["x"]}]},
    "spec.template.spec.dnsConfig": {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.2.3.4"]}},
    "spec.template.spec.schedulerName": {"schedulerName": "nobody"},
    "spec.template.spec.securityContext.supplementalGroups": {"securityContext": {"supplementalGroups": [0]}},
    f"securityContext.capabilities.add {RUNNER}": {"containers": [{"name": "runner", "securityContext": {"capabilities": {"add": ["NET_BIND_SERVICE"]}}}]},
    f"env LD_PRELOAD {RUNNER}": {"containers": [{"name": "runner", "env": [{"name": "LD_PRELOAD", "value": "/x.so"}]}]},
    f"env B {RUNNER}": {"containers": [{"name": "runner", "env": [{"name": "A"}, {"name": "B"}]}]},
    "container side": {"containers": [{"name": "side", "image": "none.invalid/x"}, {"name": "other", "image": "none.invalid/x"}]},
    f"ports[containerPort=8080,protocol=TCP] {RUNNER}": {"containers": [{"name": "runner", "ports": [{"containerPort": 8080}]}]},
}
# Of the Deployment.
BESIDE = {
    "spec.template.metadata.labels.mine": {"template": {"metadata": {"labels": {"mine": "x"}}}},
    "spec.template.metadata.annotations.example.com/mine": {"template": {"metadata": {"annotations": {"example.com/mine": "x"}}}},
    "spec.minReadySeconds": {"minReadySeconds": 7},
    "spec.paused": {"paused": True},
}


class Drift(DeployCase):
    def spec(self, name):
        """Of the Deployment, with what the API server has set of itself."""
        return self.get("deploy", f"{name}-deploy")["spec"]

    def test_whatever_is_added_to_the_deployment_is_seen_refused_and_taken_out(self):
        reference = self.publish("drift")
        self.deployed(reference)
        before = self.spec("drift")
        cases = {**{what: {"template": {"spec": change}} for what, change in ADDED.items()}, **BESIDE}
        for what, change in cases.items():
            with self.subTest(what):
                self.must("patch", "deploy", "drift-deploy", "--type=strategic", "--field-manager=stranger", "-p", json.dumps({"spec": change}))
                self.assert_mended("drift", reference, what, "stranger", before)

    def assert_mended(self, name, reference, what, manager, before):
        action, reason = self.plan(reference)
        self.assertEqual("deploy", action)
        self.assertIn(what, reason)
        self.assertIn(manager, reason)
        done = self.refused(14, what, reference)
        self.assertIn(manager, done.stderr.splitlines()[-1])
        self.assertIn("--force-conflicts", done.stderr.splitlines()[-1])
        self.assertEqual("AlreadyDone", self.deployed(reference, "--force-conflicts")["phase"])
        self.assertEqual(before, self.spec(name))
        self.assertEqual(("none", "it is as it should be"), self.plan(reference))
        self.assert_few_calls(name, lambda: self.deployed(reference))

    def test_a_node_selector_of_somebody_is_in_place_of_ours(self):
        """It is one field as a whole."""
        reference = self.publish("picky")
        self.deployed(reference)
        before = self.spec("picky")
        self.assertEqual({"kubernetes.io/os": "linux"}, before["template"]["spec"]["nodeSelector"])
        change = {"spec": {"template": {"spec": {"nodeSelector": {"nix": "da"}}}}}
        self.must("patch", "deploy", "picky-deploy", "--type=strategic", "--field-manager=stranger", "-p", json.dumps(change))
        self.assertEqual("deploy", self.plan(reference)[0])
        self.assertIn("stranger", self.refused(14, "spec.template.spec.nodeSelector", reference).stderr)
        self.assertEqual("AlreadyDone", self.deployed(reference, "--force-conflicts")["phase"])
        self.assertEqual(before, self.spec("picky"))

    def test_what_an_apply_of_somebody_added_goes_too(self):
        """Of that what the API server fills in is nobody's: the host's port of the agent, where the pods have the host's network."""
        reference = self.publish("applied")
        self.deployed(reference)
        before = self.spec("applied")
        pods = {"hostNetwork": True, "volumes": [SECRET],
                "containers": [{"name": "runner", "volumeMounts": [{"name": "s", "mountPath": "/s"}]}]}
        self.apply("applied", {"template": {"spec": pods}}, "gitops")
        self.assert_mended("applied", reference, "spec.template.spec.hostNetwork", "gitops", before)

    def test_a_volume_of_ours_that_is_another_one_is_put_right(self):
        reference = self.publish("volume")
        self.deployed(reference)
        before = self.spec("volume")
        names = [one["name"] for one in before["template"]["spec"]["volumes"]]
        patch = [{"op": "replace", "path": f"/spec/template/spec/volumes/{names.index('tmp')}", "value": {**SECRET, "name": "tmp"}}]
        self.must("patch", "deploy", "volume-deploy", "--type=json", "--field-manager=stranger", "-p", json.dumps(patch))
        self.assertEqual("deploy", self.plan(reference)[0])
        self.refused(14, "stranger", reference)
        self.assertEqual("AlreadyDone", self.deployed(reference, "--force-conflicts")["phase"])
        self.assertEqual(before, self.spec("volume"))

    def test_what_changes_nothing_and_a_restart_are_left_alone(self):
        reference = self.publish("same")
        self.deployed(reference)
        self.must("rollout", "restart", "deploy/same-deploy")
        self.apply("same", {"template": {"spec": {"dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler"}}}, "gitops")
        self.wait_for("its pods", lambda: self.get("deploy", "same-deploy")["status"].get("updatedReplicas") == 1)
        self.assertEqual(("none", "it is as it should be"), self.plan(reference))
        self.assertEqual("AlreadyDone", self.deployed(reference)["phase"])
        self.assertEqual("AlreadyDone", self.deployed(reference, "--force-conflicts")["phase"])
        self.assertIn("kubectl.kubernetes.io/restartedAt", self.spec("same")["template"]["metadata"]["annotations"])
        self.assertEqual(("none", "it is as it should be"), self.plan(reference))

    def test_one_that_does_not_say_whose_its_fields_are(self):
        """As one that was restored or made again may not."""
        reference = self.publish("blank")
        self.deployed(reference)
        before = self.spec("blank")
        self.must("patch", "deploy", "blank-deploy", "--type=strategic", "-p", json.dumps({"spec": {"template": {"spec": {"hostPID": True}}}}))
        self.must("patch", "deploy", "blank-deploy", "--type=merge", "-p", json.dumps({"metadata": {"managedFields": [{}]}}))
        self.assertEqual("deploy", self.plan(reference)[0])
        self.refused(14, "spec.template.spec.hostPID", reference)
        self.assertEqual("AlreadyDone", self.deployed(reference, "--force-conflicts")["phase"])
        self.assertEqual(before, self.spec("blank"))
        self.assertEqual(("none", "it is as it should be"), self.plan(reference))

    def test_a_version_after_one_that_was_forced_needs_no_force(self):
        for version, more in (("1.0.0", ()), ("2.0.0", ("--force-conflicts",)), ("3.0.0", ())):
            self.assertEqual("Succeeded", self.deployed(self.publish("next", version), *more)["phase"])

    def test_an_object_that_a_backup_restored_is_taken_as_it_is(self):
        reference = self.publish("restored")
        self.deployed(reference)
        kept = self.object("restored")
        kept["metadata"] = {key: kept["metadata"][key] for key in ("name", "labels", "annotations") if key in kept["metadata"]}
        self.must("delete", "pd", "restored")
        self.create(kept)
        self.assertEqual("AlreadyDone", self.deployed(reference)["phase"])
        self.assertEqual(("none", "it is as it should be"), self.plan(reference))

    def test_one_whose_present_pods_cannot_be_made_is_not_as_it_should_be(self):
        """Though a pod of before waits for runs."""
        reference = self.publish("stuck")
        self.deployed(reference)
        self.must("create", "quota", "none", "--hard=pods=1")
        self.addCleanup(self.kubectl, "delete", "quota", "none")
        self.wait_for("the quota", lambda: self.get("quota", "none").get("status", {}).get("used"), 30)
        self.must("rollout", "restart", "deploy/stuck-deploy")
        action, reason = self.wait_for("the plan", lambda: (found := self.plan(reference))[0] != "none" and found, 60)
        self.assertEqual(("deploy", True), (action, reason.startswith("its pods do not come up: no pod is made, its quota is used up")), reason)
        self.refused(40, "exceeded quota", reference)
        self.must("delete", "quota", "none")
        self.assertEqual("AlreadyDone", self.deployed(reference)["phase"])
        self.assertEqual(("none", "it is as it should be"), self.plan(reference))
        self.assertIn("kubectl.kubernetes.io/restartedAt", self.spec("stuck")["template"]["metadata"]["annotations"])

    def apply(self, name, spec, manager):
        document = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"{name}-deploy"}, "spec": spec}
        self.must("apply", "--server-side", f"--field-manager={manager}", "-f", "-", input=json.dumps(document))


if __name__ == "__main__":
    unittest.main()
