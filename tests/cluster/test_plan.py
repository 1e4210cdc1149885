"""The plan says what deploy would do: what a user or somebody else has set since, and a status that was lost or is not so."""
import json
import unittest

from deploy_case import REACHED, REGISTRY, DeployCase

AS_IT_SHOULD_BE = ("none", "it is as it should be")
OTHER_SPEC = ("deploy", "the spec of its ProofedDeployment is another one than when it was deployed")


class Plan(DeployCase):
    def test_what_a_loop_has_published_from_elsewhere_is_what_it_deployed(self):
        reference = self.publish("moved")
        package = self.maker.folder / "moved-1.0.0.tar.gz"
        done = self.inside("publish", package, "--registry", f"oci://{REGISTRY}/{self.namespace}-elsewhere", "--key", self.maker.public_key, *REACHED,
                           "--state", self.folder / "state")
        source, ours = done.result["reference"], ("--registry", f"oci://{REGISTRY}/{self.namespace}")
        self.deployed(reference, "--seed", "7")
        for where in (reference, reference.partition("@")[0] + ":1.0.0", source, source.partition("@")[0] + ":1.0.0"):
            self.assertEqual("none", self.plan(where, *ours, "--seed", "7")[0], where)
        found = self.deployed(reference.partition("@")[0] + ":1.0.0", "--plan")
        self.assertEqual(reference, found["reference"], "whatever the tag comes to mean, the loop has what was planned")
        self.assertEqual(("deploy", "it was deployed with other options or images"), self.plan(source, "--seed", "7"))
        self.assertEqual("deploy", self.plan(source, *ours, "--seed", "7", "--allow-unmet", "gpu:true")[0])

    def set(self, name, patch, *more):
        self.must("patch", "pd", name, "--type=merge", "--field-manager=me", "-p", json.dumps(patch), *more)

    def pod(self, **spec):
        return {"spec": {"template": {"spec": spec}}}

    def test_what_the_user_sets_is_deployed_and_seen(self):
        reference = self.publish("wish")
        self.deployed(reference)
        self.assertEqual(AS_IT_SHOULD_BE, self.plan(reference))
        for change in (self.pod(tolerations=[{"key": "x", "operator": "Exists"}]), {"spec": {"autoscale": {"minReplicas": 2, "maxReplicas": 3}}},
                       {"spec": {"template": None, "autoscale": None}}):
            with self.subTest(change):
                self.set("wish", change)
                self.assertEqual(OTHER_SPEC, self.plan(reference))
                self.assertEqual("AlreadyDone", self.deployed(reference)["phase"])
                self.assertEqual(AS_IT_SHOULD_BE, self.plan(reference))
                self.must("wait", "--for=condition=Ready", "--timeout=5s", "pd/wish")
                found = self.object("wish")
                self.assertEqual(found["metadata"]["generation"], found["status"]["observedGeneration"])
        self.assertEqual(("deploy", "it was deployed with other options or images"), self.plan(reference, "--allow-unmet", "gpu:true"))
        self.assert_few_calls("wish", lambda: self.deployed(reference))

    def test_what_the_capsule_determines_is_put_right(self):
        reference = self.publish("hand")
        self.deployed(reference)
        before = self.object("hand")
        other = "oci://other.example/x@sha256:" + 64 * "0"
        for change in ({"spec": {"capsule": {"image": other}}}, {"spec": {"capsule": {"version": "9.9.9"}}}, {"spec": {"proofPolicy": {"required": True}}},
                       {"spec": {"prewarm": False}}, {"metadata": {"labels": {"app.kubernetes.io/part-of": "mine"}}},
                       {"metadata": {"annotations": {"capsule.industriverse.ai/fence": "9999"}}}):
            with self.subTest(change):
                self.set("hand", change)
                self.assertEqual(("deploy", "its ProofedDeployment was changed by somebody"), self.plan(reference))
                self.assertEqual("AlreadyDone", self.deployed(reference, "--force-conflicts")["phase"])
                self.assertEqual(AS_IT_SHOULD_BE, self.plan(reference))
                self.assertEqual(before["spec"], self.object("hand")["spec"])
        self.must("wait", "--for=condition=Ready", "--timeout=5s", "pd/hand")

    def test_a_status_that_is_lost_or_made_up_is_made_again(self):
        reference = self.publish("lost")
        self.deployed(reference)
        before = self.object("lost")["status"]
        self.assertNotIn("proofId", before)
        for status in (None, {"lastRun": None}, {"phase": "Proved", "proofId": "FAKE"}):
            with self.subTest(status):
                self.set("lost", {"status": status}, "--subresource=status")
                action, reason = self.plan(reference)
                self.assertEqual("deploy", action)
                self.assertIn("its status", reason)
                self.assertEqual("AlreadyDone", self.deployed(reference)["phase"])
                self.assertEqual(AS_IT_SHOULD_BE, self.plan(reference))
                after = self.object("lost")["status"]
                self.assertEqual([before["phase"], before["warmReplicas"], None], [after["phase"], after["warmReplicas"], after.get("proofId")])
                for key in ("runId", "record", "start", "node"):
                    self.assertEqual(before["lastRun"][key], after["lastRun"][key])
                for kind in ("Ready", "Ran", "Warm"):
                    self.must("wait", f"--for=condition={kind}", "--timeout=5s", "pd/lost")

    def test_an_account_that_is_taken_away_again_goes(self):
        reference = self.publish("account")
        self.deployed(reference)
        self.must("create", "serviceaccount", "mine")
        self.set("account", self.pod(serviceAccountName="mine"))
        self.deployed(reference)
        self.assertEqual({"mine"}, self.accounts())
        self.set("account", self.pod(serviceAccountName="nix"))
        self.refused(13, '"nix" not found', reference)
        self.assertEqual({"mine"}, self.accounts())
        self.assertEqual("none", self.plan(reference)[0])
        self.set("account", {"spec": {"template": None}})
        self.assertEqual("deploy", self.plan(reference)[0])  # what it lacked was changed: no pause
        self.deployed(reference)
        self.assertEqual({"default"}, self.accounts())
        self.assertEqual(AS_IT_SHOULD_BE, self.plan(reference))
        self.wait_for("pods of the new template", lambda: self.get("deploy", "account-deploy")["status"].get("updatedReplicas") == 1, 30)

    def accounts(self):
        """Of the Deployment's pods, by the field's present and its former name."""
        spec = self.get("deploy", "account-deploy")["spec"]["template"]["spec"]
        return {spec["serviceAccountName"], spec["serviceAccount"]}


if __name__ == "__main__":
    unittest.main()
