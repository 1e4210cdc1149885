"""capsule-deploy --operator wait: beside an operator that makes the Deployment of spec.template, beside one that makes another, and without one."""
import unittest

from deploy_case import DeployCase
from fake_operator import MANAGER, FakeOperator

WAIT = ("--operator", "wait")
OTHERWISE = ("deploy", "it was deployed with other options or images")


class Operator(DeployCase):
    def test_its_deployment_is_taken_and_what_it_sets_stays_its_own(self):
        reference = self.publish("theirs")
        with FakeOperator(self, replicas=2, minReadySeconds=1, revisionHistoryLimit=7):
            found = self.deployed(reference, *WAIT, "--seed", "7")
            self.assertEqual(("Succeeded", "warm"), (found["phase"], found["start"]))
            there = self.get("deploy", "theirs-deploy", "--show-managed-fields")
            made = [one["manager"] for one in there["metadata"]["managedFields"] if "f:selector" in one["fieldsV1"].get("f:spec", {})]
            self.assertEqual([MANAGER], made)
            self.assertEqual((2, 7), (there["spec"]["replicas"], there["spec"]["revisionHistoryLimit"]))
            self.assertEqual([True], [one["blockOwnerDeletion"] for one in there["metadata"]["ownerReferences"]])
            self.assertEqual("AlreadyDone", self.deployed(reference, *WAIT, "--seed", "7")["phase"])
            self.assertEqual("none", self.deployed(reference, *WAIT, "--seed", "7", "--plan")["action"])

            newer = self.publish("theirs", "1.1.0")
            self.assertEqual("Succeeded", self.deployed(newer, *WAIT)["phase"])
            bad = self.publish("theirs", "1.2.0", scripts={"install.sh": "exit 3"})
            self.refused(16, "scripts/install.sh failed", bad, *WAIT)
            digest = self.object("theirs")["spec"]["capsule"]["digest"]
            self.wait_for("the former pods", lambda: {digest} == {pod["metadata"]["annotations"]["capsule.industriverse.ai/digest"]
                                                                  for pod in self.pods("theirs")}, 60)
            self.assertEqual("AlreadyDone", self.deployed(newer, *WAIT)["phase"])
        self.assertEqual(0, self.delete("theirs").code)
        self.assertEqual("", self.must("get", "pd,deploy", "-o", "name", "-l", "app=theirs"))

    def test_one_whose_pods_are_others_is_refused_and_taken_over_by_force(self):
        reference = self.publish("strange")
        beside = {"name": "sidecar", "image": "none.invalid/x:1"}
        with FakeOperator(self, change=lambda template: template["spec"]["containers"].append(beside)):
            done = self.refused(14, f"was made by {MANAGER}, and has container sidecar beside ours", reference, *WAIT)
            self.assertIn("--force-conflicts", done.stderr.splitlines()[-1])
            self.assertEqual("Succeeded", self.deployed(reference, *WAIT, "--force-conflicts")["phase"])
        self.assertEqual(["runner"], [one["name"] for one in self.get("deploy", "strange-deploy")["spec"]["template"]["spec"]["containers"]])

    def test_one_that_does_not_go_by_the_template_is_refused(self):
        reference = self.publish("deaf")
        with FakeOperator(self, change=lambda template: template["metadata"]["labels"].pop("capsule.industriverse.ai/template")):
            self.refused(14, f"was made by {MANAGER}, and its pods are not those that are wanted, 10 s later", reference, *WAIT)

    def test_without_one_we_make_it_after_ten_seconds_once(self):
        reference = self.publish("alone")
        mine = {"tolerations": [{"operator": "Exists"}]}
        self.create({"apiVersion": "infra.industriverse.ai/v1", "kind": "ProofedDeployment", "metadata": {"name": "alone"},
                     "spec": {"template": {"spec": mine}}})
        first = self.deploy(reference, *WAIT)
        self.assertEqual((0, "Succeeded"), (first.code, first.result["phase"]), first)
        self.assertIn("no operator has made the Deployment", first.stderr)
        self.assertEqual("none", self.plan(reference, *WAIT)[0])
        template = self.object("alone")["spec"]["template"]
        self.assertEqual(mine["tolerations"], template["spec"]["tolerations"])
        self.assertEqual(["runner"], [one["name"] for one in template["spec"]["containers"]])
        self.assertEqual(mine["tolerations"], self.get("deploy", "alone-deploy")["spec"]["template"]["spec"]["tolerations"])
        again = self.deploy(reference, *WAIT)
        self.assertEqual((0, "AlreadyDone"), (again.code, again.result["phase"]), again)
        self.assertNotIn("no operator has made", again.stderr)  # it is not waited for again
        # Without the option spec.template is the user's alone again. Which of both is wished for is in the plan.
        self.assertEqual(OTHERWISE, self.plan(reference))
        self.assertEqual("AlreadyDone", self.deployed(reference)["phase"])
        self.assertEqual({"spec": mine}, self.object("alone")["spec"]["template"])
        self.assertEqual("none", self.plan(reference)[0])
        self.assertEqual(OTHERWISE, self.plan(reference, *WAIT))


if __name__ == "__main__":
    unittest.main()
