"""capsule-deploy on a real cluster: what it makes there, one run however often it is tried, and nothing left behind."""
import json
import os
import signal
import unittest

from cluster_case import ours_alone
from deploy_case import DeployCase


class Deploy(DeployCase):
    def test_a_capsule_is_run_in_a_pod_that_waited(self):
        reference = self.publish("probe")
        found = self.deployed(reference, "--parameters", '{"n": 1}', "--seed", "7")
        self.assertEqual(("Succeeded", "warm"), (found["phase"], found["start"]))
        record = self.record(reference, found["run_record"])
        uid = self.get("namespace", self.namespace)["metadata"]["uid"]
        self.assertEqual((f"kubernetes:{uid}", "warm", 7, found["run_id"]),
                         (record["target"], record["start"]["mode"], record["result"]["seed"], record["run_id"]))
        self.assertEqual(({"n": 1}, True, 1), (record["result"]["parameters"], record["result"]["warm"], record["result"]["runs"]))
        self.assertIn(record["node"]["name"], [node["metadata"]["name"] for node in self.get("nodes")["items"]])

        status = self.object("probe")["status"]
        self.assertEqual((found["run_id"], found["run_record"], 1), (status["lastRun"]["runId"], status["lastRun"]["record"], status["warmReplicas"]))
        self.assertEqual(["True: Succeeded", "True: Ran", "True: ProcessesWait"], [self.condition("probe", kind) for kind in ("Ran", "Ready", "Warm")])
        self.assertEqual("Ran", status["phase"])  # for good: it needs no proof
        # One run per pod, ever: the one that had it is gone, another waits.
        [pod] = self.pods("probe")
        self.assertNotEqual(status["lastRun"]["pod"], pod["metadata"]["name"])
        self.assertNotIn("capsule.industriverse.ai/run", pod["metadata"]["annotations"])
        self.must("wait", "--for=condition=Ready", "--timeout=10s", "pd/probe")

        self.must("rollout", "status", "deployment/probe-deploy", "--timeout=60s")  # pods that are not at rest would be waited for
        again = self.deployed(reference, "--parameters", '{"n": 1}', "--seed", "7")
        self.assertEqual(("AlreadyDone", found["run_id"], found["run_record"]), (again["phase"], again["run_id"], again["run_record"]))
        self.assertLessEqual(again["api_calls"], 12)
        self.assertEqual([pod["metadata"]["uid"]], [one["metadata"]["uid"] for one in self.pods("probe")])

        # Whoever reaches a pod's port can ask for a run; then it is of no use to a deploy, and another takes its place.
        run = f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}:8700/proxy/v1/runs/0123456789abcdef"
        self.must("create", "--raw", run, "-f", "-", input='{"parameters":{"n":2},"seed":1,"budget":0,"time_limit_ms":1000}')
        self.wait_for("the end of its readiness", lambda: not self.is_ready(pod["metadata"]["name"]), 60)
        self.assertEqual("AlreadyDone", self.deployed(reference, "--parameters", '{"n": 1}', "--seed", "7")["phase"])
        [other] = self.pods("probe")
        self.assertNotEqual(pod["metadata"]["uid"], other["metadata"]["uid"])
        # Nor is any blob a run's record because the object says so.
        forged = json.loads(self.object("probe")["metadata"]["annotations"]["capsule.industriverse.ai/runs"])
        for one in forged.values():
            one["record"] = reference.partition("@")[2]
        self.must("annotate", "pd/probe", "--overwrite", f"capsule.industriverse.ai/runs={json.dumps(forged)}")
        told = self.deployed(reference, "--parameters", '{"n": 1}', "--seed", "7")
        self.assertEqual(("AlreadyDone", found["run_record"]), (told["phase"], told["run_record"]))

    def test_without_prewarm_a_pod_is_started_for_the_run_and_none_stays(self):
        reference = self.publish("cold", prewarm=False)
        found = self.deployed(reference)
        self.assertEqual("cold", found["start"])
        self.assertEqual("cold", self.record(reference, found["run_record"])["start"]["mode"])
        self.wait_for("no pod", lambda: not self.pods("cold"), 30)
        self.assertEqual((0, "False: NoneWaits"), (self.object("cold")["status"]["warmReplicas"], self.condition("cold", "Warm")))

    @ours_alone
    def test_a_requirement_that_no_node_meets(self):
        reference = self.publish("needy", requirements=["gpu:true", "utid:hardware-bound"])
        done = self.refused(15, "gpu:true (node capsule-node: it offers no GPU)", reference)
        self.assertIn("utid:hardware-bound  no: no certificate", done.stderr)
        self.assertNotEqual(0, self.kubectl("get", "pd", "needy").code)  # nothing was made
        waived = self.deployed(reference, "--allow-unmet", "gpu:true,utid:hardware-bound")
        self.assertEqual(["gpu:true", "utid:hardware-bound"], self.record(reference, waived["run_record"])["waived"])

    def test_what_no_node_has_is_waived_and_not_asked_for(self):
        wishes = ["arch:arm64" if self.get("nodes")["items"][0]["status"]["nodeInfo"]["architecture"] != "arm64" else "arch:amd64", "memory:100Ti", "cpu:4000"]
        reference = self.publish("vast", requirements=wishes[:1], resources={"memory": "100Ti", "cpu": "4000"})
        self.refused(15, "--allow-unmet REQUIREMENT goes without one", reference)
        done = self.deployed(reference, "--allow-unmet", ",".join(wishes))
        self.assertEqual(("Succeeded", sorted(wishes)), (done["phase"], sorted(self.record(reference, done["run_record"])["waived"])))

    def test_delete_removes_all_that_was_made_and_nothing_else(self):
        mine = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine", "labels": {"app": "gone", "app.kubernetes.io/part-of": "capsule-loop"}}}
        self.create(mine)
        self.deployed(self.publish("gone"))
        for _ in range(2):
            self.assertEqual(0, self.delete("gone").code)
            left = self.must("get", "pd,deploy,rs,pods,cm,lease,pdb", "-o", "name")
            self.assertEqual(["configmap/mine"], [name for name in left.splitlines() if "gone" in name or "mine" in name])

    def test_two_at_once_run_once_and_another_capsule_is_refused_meanwhile(self):
        slow = self.publish("busy", at_run="time.sleep(4)")
        other = self.publish("busy", "1.1.0")
        both = [self.start(slow) for _ in range(2)]
        self.wait_for("the lease", lambda: "holderIdentity" in self.kubectl("get", "lease", "capsule-busy", "-o", "json").stdout
                      and self.get("lease", "capsule-busy")["spec"].get("holderIdentity"))
        self.refused(42, "is being deployed by", other)
        ended = [process.communicate(timeout=120) for process in both]
        self.assertEqual([0, 0], [process.returncode for process in both], ended)
        self.assertEqual(1, sum('"Succeeded"' in out for out, _ in ended), ended)
        self.assertEqual(1, sum('"AlreadyDone"' in out for out, _ in ended), ended)

    def test_kill_9_in_the_run_and_again_is_the_same_run(self):
        reference = self.publish("killed", at_run="time.sleep(15)")
        process = self.start(reference)
        self.wait_for("the run", lambda: self.kubectl("get", "pd", "killed", "-o", "jsonpath={.status.lastRun.pod}").stdout)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        [claimed] = [pod for pod in self.pods("killed") if "capsule.industriverse.ai/run" in pod["metadata"]["annotations"]]
        self.run_out("capsule-killed")
        found = self.deployed(reference)
        self.assertEqual(claimed["metadata"]["annotations"]["capsule.industriverse.ai/run"], found["run_id"])
        self.assertEqual(claimed["metadata"]["name"], self.object("killed")["status"]["lastRun"]["pod"])
        self.assertEqual(1, self.record(reference, found["run_record"])["ordinal"])

    def test_a_runner_that_cannot_wait_is_run_cold(self):
        reference = self.publish("awake", before="print('hello', flush=True)")
        found = self.deployed(reference)
        self.assertEqual("cold", found["start"])
        self.assertEqual("cold", self.record(reference, found["run_record"])["start"]["mode"])

    def test_a_run_that_fails_says_so(self):
        reference = self.publish("fails", at_run="sys.exit('no such metal')")
        self.refused(16, "no such metal", reference)
        self.assertEqual("Failed", self.object("fails")["status"]["phase"])
        # No tick makes it again at once; whoever calls deploy does.
        action, reason = self.plan(reference)
        self.assertEqual("none", action)
        self.assertRegex(reason, "^the run of sha256:.* has failed, and is left alone until ")
        self.assertEqual("deploy", self.plan(reference, "--retry-failed")[0])
        self.assertEqual("deploy", self.plan(reference, "--seed", "8")[0])
        self.refused(16, "no such metal", reference)
        self.assertEqual("True: Failed", self.condition("fails", "Stalled"))

    def test_without_prewarm_a_run_that_fails_leaves_no_pod(self):
        self.refused(16, "no such metal", self.publish("failing", prewarm=False, at_run="sys.exit('no such metal')"))
        self.assertEqual(0, self.get("deploy", "failing-deploy")["spec"]["replicas"])
        self.assertEqual((0, "False: NoneWaits"), (self.object("failing")["status"]["warmReplicas"], self.condition("failing", "Warm")))
        self.wait_for("no pod", lambda: not self.pods("failing"), 30)


if __name__ == "__main__":
    unittest.main()
