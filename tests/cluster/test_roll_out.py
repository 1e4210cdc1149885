"""A roll-out that fails says why, and puts back what was there; what deploy would do, and whose field is whose."""
import json
import unittest
from unittest import mock

from capsule_maker import Maker
from cluster_pods import pod
from deploy_case import DeployCase
from side_load import named

# No pull of it takes long: nobody listens there.
NO_IMAGE = "127.0.0.1:1/none:1"


class RollOut(DeployCase):
    def tearDown(self):
        """The next ones need the room: all of them together would fill a small node, and others are tested on it meanwhile."""
        self.kubectl("delete", "proofeddeployments,deployments", "--all", "--wait=false")

    def test_a_first_roll_out_that_fails_keeps_the_object_and_its_reason(self):
        reference = self.publish("first", scripts={"install.sh": "echo 'no such driver' >&2; exit 3"})
        self.refused(16, "no such driver", reference)
        self.assertEqual(["True: Crashed", "True: Failed"], [self.condition("first", kind) for kind in ("RolloutFailed", "Stalled")])
        self.assertEqual(0, self.get("deploy", "first-deploy")["spec"]["replicas"])
        self.assertIn("RolloutFailed", self.must("describe", "pd", "first"))
        plan = self.planned(reference)
        self.assertEqual("none", plan["action"])
        self.assertIn("is left alone until", plan["reason"])
        self.assertEqual("deploy", self.planned(reference, "--retry-failed")["action"])

    def test_a_later_one_puts_back_the_former_state(self):
        good = self.publish("later")
        done = self.deployed(good)
        before = self.object("later")
        [pod] = self.pods("later")
        bad = self.publish("later", "1.1.0", scripts={"install.sh": "exit 3"})
        self.refused(16, "scripts/install.sh failed", bad)
        after = self.object("later")
        self.assertEqual(before["spec"], after["spec"])
        self.assertEqual(before["status"]["lastRun"], after["status"]["lastRun"])
        self.assertEqual("True: Ran", self.condition("later", "Ready"))
        self.assertEqual("True: Crashed", self.condition("later", "RolloutFailed"))
        self.assertNotEqual(after["status"]["rollout"]["digest"], after["spec"]["capsule"]["digest"])
        self.wait_for("the former pod alone", lambda: [one["metadata"]["uid"] for one in self.pods("later")] == [pod["metadata"]["uid"]], 60)
        again = self.deployed(good)
        self.assertEqual(("AlreadyDone", done["run_record"]), (again["phase"], again["run_record"]))
        self.refused(16, "scripts/install.sh failed", bad)
        self.assertEqual(1, self.object("later")["status"]["rollout"]["count"])  # tries in the pause are one failure
        better = self.publish("later", "1.2.0")
        self.assertEqual("Succeeded", self.deployed(better)["phase"])
        self.assertEqual("False: RolledOut", self.condition("later", "RolloutFailed"))
        self.assertNotIn("rollout", self.object("later")["status"])

    def test_the_keys_that_the_former_pods_trust_are_put_back_too(self):
        self.deployed(self.publish("signed"))
        before = self.get("configmap", "capsule-loop-trust-signed")["data"]
        others = self.folder / "others"
        others.mkdir(mode=0o755)
        with mock.patch.object(type(self), "maker", Maker(others)):
            self.refused(16, "scripts/install.sh failed", self.publish("signed", "1.1.0", scripts={"install.sh": "exit 3"}))
        self.assertEqual(before, self.get("configmap", "capsule-loop-trust-signed")["data"])
        [pod] = self.pods("signed")
        self.must("delete", "pod", pod["metadata"]["name"])
        self.must("wait", "--for=condition=Available", "--timeout=40s", "deploy/signed-deploy")

    def test_a_conflict_at_the_deployment_puts_back_the_object_too(self):
        reference = self.publish("contested")
        self.deployed(reference)
        self.must("scale", "deploy", "contested-deploy", "--replicas=2")
        before, deployment = self.object("contested"), self.get("deploy", "contested-deploy")
        self.refused(14, ".spec.replicas", self.publish("contested", "2.0.0"))
        after = self.object("contested")
        self.assertEqual(before["spec"], after["spec"])
        self.assertEqual("True: Conflict", self.condition("contested", "RolloutFailed"))
        self.assertEqual(after["metadata"]["generation"], after["status"]["observedGeneration"])
        self.assertEqual(deployment["spec"], self.get("deploy", "contested-deploy")["spec"])
        self.assertIn("RolloutFailed", self.must("get", "events", "--field-selector=involvedObject.name=contested"))

    def test_pods_that_find_no_room_beside_those_that_wait_are_named_and_left_alone(self):
        sizes = [int(one["status"]["allocatable"]["memory"].removesuffix("Ki")) >> 10 for one in self.get("nodes")["items"]]
        reference = self.publish("crowd", prewarm={"replicas": 1 + len(sizes)}, resources={"memory": f"{max(sizes) * 5 // 9}Mi"})
        self.assertEqual("Succeeded", self.deployed(reference)["phase"])
        self.wait_for("a plan that finds too few", lambda: self.plan(reference)[0] == "deploy")
        self.assertEqual("AlreadyDone", self.deployed(reference)["phase"])
        [warm] = [one for one in self.object("crowd")["status"]["conditions"] if one["type"] == "Warm"]
        self.assertIn("Insufficient memory", warm["message"])
        action, reason = self.plan(reference)
        self.assertEqual("none", action)
        self.assertIn("is left alone until", reason)

    def test_what_keeps_a_pod_from_coming_up_is_named(self):
        """At once, each in a namespace of its own: what may pass is given 20 s."""
        sizes = [int(one["status"]["allocatable"]["memory"].removesuffix("Ki")) >> 10 for one in self.get("nodes")["items"]]
        most = f"{(max(sizes) - 64) * 8 // 9 - 1}Mi"  # a node has it and what the agent wants, but for another's pod
        taken = pod("taken", named("runtime-python"), "/usr/bin/sleep", "300")
        taken["spec"]["containers"][0]["resources"] = {"requests": {"memory": "256Mi"}}
        self.create(taken)
        self.wait_for("that pod's node", lambda: self.get("pod", "taken")["spec"].get("nodeName"))
        more_than_any = self.publish("more", resources={"memory": f"{max(sizes)}Mi"})
        self.refused(15, "MiB for capsule-agent)", more_than_any)
        cases = {
            "image": (f"{NO_IMAGE} cannot be had", ("--runtime-image", NO_IMAGE), {}, "ImagePull"),
            "room": ("Insufficient memory", (), {"resources": {"memory": most}}, "Unschedulable"),
            "quota": ("exceeded quota", (), {}, "Quota"),
        }
        places = {name: self.make_namespace() for name in cases}
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": places["quota"]}, "spec": {"hard": {"pods": "0"}}}
        self.must("create", "-f", "-", "-n", places["quota"], input=json.dumps(quota))
        tried = {name: self.start(self.publish(name, **manifest), *more, target=f"kubernetes:{places[name]}") for name, (_, more, manifest, _) in cases.items()}
        for name, (words, _, _, reason) in cases.items():
            with self.subTest(name):
                _, errors = tried[name].communicate(timeout=180)
                self.assertEqual(40, tried[name].returncode, errors)
                self.assertIn(words, errors.splitlines()[-1])
                status = json.loads(self.must("get", "pd", name, "-n", places[name], "-o", "json"))["status"]
                self.assertIn(("RolloutFailed", "True", reason), [(one["type"], one["status"], one["reason"]) for one in status["conditions"]])

    def test_another_managers_field_is_refused_by_name(self):
        reference = self.publish("owned")
        self.deployed(reference)
        self.assertEqual("none", self.planned(reference)["action"])
        change = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 77}}}}
        self.must("patch", "deploy", "owned-deploy", "--field-manager=somebody", "-p", json.dumps(change))
        self.assertEqual(("deploy", "its Deployment was changed by somebody"), tuple(self.planned(reference)[key] for key in ("action", "reason")))
        self.refused(14, "somebody", reference)
        self.assertEqual("AlreadyDone", self.deployed(reference, "--force-conflicts")["phase"])
        self.assertEqual(5, self.get("deploy", "owned-deploy")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"])
        self.assertEqual("none", self.planned(reference)["action"])

    def test_an_autoscaler_sets_the_number_of_pods_and_changes_nothing_of_ours(self):
        reference = self.publish("scaled", prewarm={"replicas": 2})
        self.deployed(reference)
        self.assertEqual("1", self.must("get", "pdb", "scaled-deploy", "-o", "jsonpath={.spec.minAvailable}"))
        self.must("patch", "pd", "scaled", "--type=merge", "--field-manager=me", "-p", json.dumps({"spec": {"autoscale": {"minReplicas": 1, "maxReplicas": 3}}}))
        self.deployed(reference)
        self.assertEqual(2, self.get("deploy", "scaled-deploy")["spec"]["replicas"])
        self.must("scale", "deploy", "scaled-deploy", "--replicas=3")
        self.assertEqual("none", self.planned(reference)["action"])
        self.deployed(reference)
        self.assertEqual(3, self.get("deploy", "scaled-deploy")["spec"]["replicas"])
        self.deployed(self.publish("scaled", "1.1.0"))
        self.assertNotEqual(0, self.kubectl("get", "pdb", "scaled-deploy").code)  # one pod is kept by none
        self.must("patch", "pd", "scaled", "--type=merge", "--field-manager=me", "-p", json.dumps({"spec": {"autoscale": None}}))
        self.deployed(self.publish("scaled", "1.2.0", prewarm={"replicas": 2}))
        self.assertEqual(2, self.get("deploy", "scaled-deploy")["spec"]["replicas"])  # ours again, though somebody has set it last

    def test_what_a_later_deploy_wrote_is_not_written_over(self):
        """The API server's part: an apply for a version, or for what is not there, is a conflict where that is not so any more."""
        reference = self.publish("fenced")
        self.deployed(reference)
        lease = self.get("lease", "capsule-fenced")["spec"]["leaseTransitions"]
        for kind, name in (("pd", "fenced"), ("deploy", "fenced-deploy"), ("configmap", "capsule-loop-trust-fenced")):
            self.assertEqual(str(lease), self.get(kind, name)["metadata"]["annotations"]["capsule.industriverse.ai/fence"])
        new = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "only-once", "resourceVersion": "1"}}
        apply = ("apply", "--server-side", "--field-manager=capsule-loop", "-f", "-")
        self.must(*apply, input=json.dumps(new))
        self.assertIn("the object has been modified", self.kubectl(*apply, input=json.dumps(new)).stderr)
        there = self.get("configmap", "only-once")["metadata"]
        self.must("delete", "configmap", "only-once")
        new["metadata"].update({key: there[key] for key in ("uid", "resourceVersion")})
        self.assertIn("no existing object was found", self.kubectl(*apply, input=json.dumps(new)).stderr)
        # Such a number, where the lease was begun anew or somebody wrote it there, is followed by a higher one.
        self.must("annotate", "deploy", "fenced-deploy", "--overwrite", "capsule.industriverse.ai/fence=99999")
        self.deployed(reference, "--force-conflicts")
        self.assertEqual("100000", self.get("deploy", "fenced-deploy")["metadata"]["annotations"]["capsule.industriverse.ai/fence"])

    def test_what_a_deleted_object_left_is_waited_for_taken_over_or_removed(self):
        reference = self.publish("left")
        self.deployed(reference)
        self.must("delete", "pd", "left", "--cascade=foreground", "--wait=false")
        self.assertEqual("Succeeded", self.deployed(reference)["phase"])
        self.must("delete", "pd", "left", "--cascade=orphan")
        self.assertEqual("Succeeded", self.deployed(reference)["phase"])
        self.assertEqual(self.object("left")["metadata"]["uid"], self.get("deploy", "left-deploy")["metadata"]["ownerReferences"][0]["uid"])
        self.must("delete", "pd", "left", "--cascade=orphan")
        self.assertEqual(0, self.delete("left").code)
        self.assertNotIn("left", self.must("get", "pd,deploy,cm,lease", "-o", "name"))
        # One that we have not made is neither taken over nor removed.
        self.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "capsule-loop-trust-left"}, "data": {"mine": "1"}})
        self.refused(14, "is none that capsule-deploy made", reference, "--force-conflicts")
        self.assertEqual({"mine": "1"}, self.get("configmap", "capsule-loop-trust-left")["data"])

    def test_what_somebody_did_beside_our_fields_is_seen_and_put_right(self):
        reference = self.publish("drift")
        self.deployed(reference)
        before = self.get("deploy", "drift-deploy")["spec"]["template"]["spec"]["containers"][0]
        self.must("set", "env", "deploy/drift-deploy", "LD_PRELOAD=/data/evil.so")
        self.must("rollout", "pause", "deploy/drift-deploy")
        self.assertIn("somebody added to its Deployment", self.planned(reference)["reason"])
        self.refused(14, "--force-conflicts takes it out", reference)
        self.must("patch", "deploy", "drift-deploy", "--type=json", "-p",
                  json.dumps([{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--timeout=1s"}]))
        self.must("patch", "configmap", "capsule-loop-trust-drift", "-p", json.dumps({"data": {"trust.yaml": "none"}}))
        self.deployed(reference, "--force-conflicts")
        spec = self.get("deploy", "drift-deploy")["spec"]
        self.assertEqual((before, False), (spec["template"]["spec"]["containers"][0], spec.get("paused", False)))
        self.assertEqual("none", self.planned(reference)["action"])
        self.must("delete", "configmap", "capsule-loop-trust-drift")
        self.assertEqual("its ConfigMap was changed by somebody", self.planned(reference)["reason"])
        self.deployed(reference)
        self.assertEqual("none", self.planned(reference)["action"])

    def test_an_image_that_does_not_come_up_after_the_run_is_put_back(self):
        reference = self.publish("again")
        self.deployed(reference)
        self.refused(40, "cannot be had", reference, "--runtime-image", NO_IMAGE)
        self.assertEqual(["True: Ran", "True: ImagePull"], [self.condition("again", kind) for kind in ("Ready", "RolloutFailed")])
        self.assertNotEqual(NO_IMAGE, self.get("deploy", "again-deploy")["spec"]["template"]["spec"]["containers"][0]["image"])
        self.assertEqual("AlreadyDone", self.deployed(reference)["phase"])
        self.assertEqual("False: RolledOut", self.condition("again", "RolloutFailed"))

    def test_a_pod_goes_where_spec_template_says(self):
        reference = self.publish("placed")
        self.deployed(reference)
        self.must("patch", "pd", "placed", "--type=merge", "--field-manager=me", "-p", json.dumps({"spec": {"template": {"spec": {"nodeSelector": {"zone": "nowhere"}}}}}))
        self.assertNotIn("--allow-unmet", self.refused(15, "it lacks the label zone=nowhere", reference).stderr)
        self.must("patch", "pd", "placed", "--type=merge", "--field-manager=me", "-p",
                  json.dumps({"spec": {"template": {"spec": {"nodeSelector": None, "tolerations": [{"operator": "Exists"}]}}}}))
        self.deployed(reference)
        self.assertEqual([{"operator": "Exists"}], self.get("deploy", "placed-deploy")["spec"]["template"]["spec"]["tolerations"])

    def planned(self, reference, *more):
        # Not the pods: one of the deploy before may still be on its way out.
        before = self.must("get", "pd,deploy,rs,cm,lease", "-o", "name")
        done = self.deployed(reference, "--plan", *more)
        self.assertEqual(before, self.must("get", "pd,deploy,rs,cm,lease", "-o", "name"))
        return done


if __name__ == "__main__":
    unittest.main()
