"""kubectl delete of what deploy made: afterwards, and while it is at work."""
import json
import os
import signal
import unittest

from deploy_case import DeployCase


class Deleted(DeployCase):
    def left(self, name):
        """What there is of a deployment."""
        there = self.must("get", "pd,deploy,pods,cm,lease,pdb", "-o", "name").splitlines()
        return [one for one in there if name in one]

    def owners(self, name):
        return [one["uid"] for one in self.get("lease", f"capsule-{name}")["metadata"].get("ownerReferences", [])]

    def test_the_lease_goes_with_the_object_and_the_next_deploy_does_not_mind(self):
        reference = self.publish("gone")
        self.deployed(reference)
        for _ in range(3):
            self.assertEqual([self.object("gone")["metadata"]["uid"]], self.owners("gone"))
            # At once: the garbage collector may find the former object's lease after we have taken it.
            self.must("delete", "pd", "gone", "--wait=false")
            self.deployed(reference)
        self.must("delete", "pd", "gone")
        self.wait_for("the end of all of it", lambda: not self.left("gone"), 60)

    def test_a_killed_deploy_leaves_a_lease_that_goes_with_the_object(self):
        process = self.start(self.publish("killed", scripts={"install.sh": "sleep 20"}))
        self.wait_for("the lease's owner", lambda: "killed" in self.kubectl("get", "pd", "-o", "name").stdout and self.owners("killed"), 60)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        self.must("delete", "pd", "killed")
        self.wait_for("the end of all of it", lambda: not self.left("killed"), 60)

    def ended(self, process, words):
        """How a deploy ends whose object or Deployment was deleted just now: soon, and not at its time limit of a minute."""
        out, err = process.communicate(timeout=25)
        self.assertEqual(12, process.returncode, err)
        self.assertIn(words, err.splitlines()[-1])
        return json.loads(out or "{}")

    def in_the_run(self, name):
        self.wait_for("the run", lambda: self.kubectl("get", "pd", name, "-o", "jsonpath={.status.lastRun.pod}").stdout, 90)

    def installing(self, name):
        self.wait_for("the pod", lambda: any(pod["status"]["phase"] == "Running" for pod in self.pods(name)), 90)

    def test_an_object_that_is_deleted_while_it_is_deployed(self):
        words = "was deleted while it was deployed, and what it owned goes with it"
        for name, at_work, how in (("installed", self.installing, {"scripts": {"install.sh": "sleep 40"}}),
                                   ("running", self.in_the_run, {"at_run": "time.sleep(40)"})):
            with self.subTest(name):
                process = self.start(self.publish(name, **how))
                at_work(name)
                self.must("delete", "pd", name, "--wait=false")
                self.ended(process, words)
                self.wait_for("the end of all of it", lambda name=name: not self.left(name), 60)

    def test_a_run_that_was_lost_with_its_pod_is_told_by_the_plan(self):
        reference = self.publish("lost", at_run="time.sleep(40)")
        process = self.start(reference)
        self.in_the_run("lost")
        self.must("create", "quota", "full", "--hard=pods=0")  # else another pod would take the run over
        self.addCleanup(self.kubectl, "delete", "quota", "full")
        self.wait_for("the quota", lambda: self.get("quota", "full").get("status", {}).get("hard"), 30)
        self.must("delete", "pod", self.object("lost")["status"]["lastRun"]["pod"], "--wait=false")
        _, err = process.communicate(timeout=60)
        self.assertEqual(40, process.returncode, err)
        action, reason = self.plan(reference)
        self.assertEqual("deploy", action)
        self.assertEqual(f"its run did not come to its end: {err.splitlines()[-1].partition(': error: ')[2]}"[:200], reason[:200])

    def test_an_object_that_is_on_its_way_out_is_waited_for(self):
        reference = self.publish("held")
        self.deployed(reference)
        self.must("patch", "pd", "held", "--type=merge", "-p", '{"metadata": {"finalizers": ["example.com/held"]}}')
        self.must("delete", "pd", "held", "--wait=false")
        self.assertEqual(("deploy", "it is being deleted: a deploy waits until it is gone, and makes it anew"), self.plan(reference))
        self.refused(41, "is being removed, and not gone yet: see its finalizers", reference, "--timeout", "5s")
        self.assertNotIn("capsule-held", self.must("get", "lease", "-o", "name"))
        self.must("patch", "pd", "held", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
        self.wait_for("the end of all of it", lambda: not self.left("held"), 60)

    def test_a_deployment_that_is_deleted_while_it_is_deployed(self):
        for name, at_work, how in (("built", self.installing, {"scripts": {"install.sh": "sleep 8"}}),
                                   ("worked", self.in_the_run, {"at_run": "time.sleep(8)"})):
            with self.subTest(name):
                reference = self.publish(name, **how)
                process = self.start(reference)
                at_work(name)
                self.must("delete", "deploy", f"{name}-deploy", "--wait=false")
                self.ended(process, f"deployments.apps '{name}-deploy' in namespace '{self.namespace}' was deleted while it was deployed")
                self.assertEqual("Failed", self.object(name)["status"]["phase"])
                found = self.deployed(reference)
                self.assertEqual(1, self.record(reference, found["run_record"])["ordinal"])


if __name__ == "__main__":
    unittest.main()
