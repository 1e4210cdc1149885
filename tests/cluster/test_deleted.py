"""kubectl delete of what deploy made: afterwards, and while it is at work."""
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


if __name__ == "__main__":
    unittest.main()
