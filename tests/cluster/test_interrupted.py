"""SIGTERM and SIGINT, as `kubectl delete pod` of a step's pod or Ctrl-C sends them, while deploy or delete is at work."""
import os
import signal
import time
import unittest

from cluster_pods import pod
from deploy_case import DeployCase
from side_load import named


class Interrupted(DeployCase):
    def holder(self, name):
        return self.get("lease", f"capsule-{name}")["spec"].get("holderIdentity", "")

    def interrupt(self, process, name, number):
        """It ends by the signal, at once, and its lease is free."""
        self.assertTrue(self.holder(name))
        os.killpg(process.pid, number)
        began = time.monotonic()
        _, err = process.communicate(timeout=60)
        self.assertEqual(-number, process.returncode, err)
        self.assertLess(time.monotonic() - began, 8)
        self.assertEqual("", self.holder(name))

    def test_the_next_deploy_takes_the_run_up_at_once(self):
        reference = self.publish("term", at_run="time.sleep(12)")
        process = self.start(reference)
        self.wait_for("the run", lambda: self.kubectl("get", "pd", "term", "-o", "jsonpath={.status.lastRun.pod}").stdout, 90)
        self.interrupt(process, "term", signal.SIGTERM)
        [claimed] = [pod for pod in self.pods("term") if "capsule.industriverse.ai/run" in pod["metadata"]["annotations"]]
        again = self.start(reference)
        # It has its turn, long before a lease that nobody gave back would have run out.
        self.wait_for("its turn", lambda: self.holder("term"), 10)
        out, err = again.communicate(timeout=90)
        self.assertEqual(0, again.returncode, err)
        self.assertNotIn("waiting", err)
        self.assertIn(claimed["metadata"]["annotations"]["capsule.industriverse.ai/run"], out)
        self.assertEqual(claimed["metadata"]["name"], self.object("term")["status"]["lastRun"]["pod"])

    def test_before_the_run_and_in_delete(self):
        reference = self.publish("early", scripts={"install.sh": "sleep 10"})
        process = self.start(reference)
        self.wait_for("a pod", lambda: self.pods("early"), 90)
        self.interrupt(process, "early", signal.SIGINT)
        found = self.deployed(reference)
        self.assertEqual(1, self.record(reference, found["run_record"])["ordinal"])
        self.must("patch", "pd", "early", "--type=merge", "-p", '{"metadata": {"finalizers": ["example.com/hold"]}}')
        self.addCleanup(self.kubectl, "patch", "pd", "early", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
        process = self.start_delete("early")
        self.wait_for("the removal", lambda: "deletionTimestamp" in self.object("early")["metadata"], 30)
        self.interrupt(process, "early", signal.SIGTERM)

    def test_the_status_of_a_steps_pod_says_what_ended_it(self):
        """As Argo's Stop, a drained node or a deadline ends it."""
        # Nobody has that address: the step goes on trying.
        step = pod("ended", named("download"), "/usr/local/bin/capsule-download", "--store=/work/store", "--timeout=10m", "--", "https://192.0.2.1/a.tar.gz",
                   volumes=[{"name": "work", "emptyDir": {}}], mounts=[{"name": "work", "mountPath": "/work"}], terminationGracePeriodSeconds=30)
        step["metadata"]["finalizers"] = ["example.com/hold"]
        self.create(step)
        self.addCleanup(self.kubectl, "patch", "pod", "ended", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')

        def state():
            return next(iter(self.get("pod", "ended")["status"].get("containerStatuses", [])), {}).get("state", {})
        self.wait_for("the step", lambda: "running" in state(), 90)
        self.must("delete", "pod", "ended", "--wait=false")
        end = self.wait_for("its end", lambda: state().get("terminated"), 60)
        self.assertEqual(143, end["exitCode"])
        self.assertEqual("ended by SIGTERM: nothing half-written is left, the same call goes on from here", end["message"])


if __name__ == "__main__":
    unittest.main()
