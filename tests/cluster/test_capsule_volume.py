"""How a pod gets the capsule: as an image volume where nodes have those, else by an init container that downloads and verifies it."""
import tempfile
import unittest
from pathlib import Path

from cluster import Cluster
from cluster_case import STATE
from deploy_case import HOST, DeployCase


class ImageVolumes(DeployCase):
    def test_a_deploy_by_image_volume_and_back(self):
        reference = self.publish("mounted")
        done = self.deploy(reference, "--capsule-volume", "image")
        if self.is_theirs and "the cluster takes no image volumes" in done.stderr:
            self.skipTest("somebody's cluster, which takes no image volumes")
        self.assertEqual(0, done.code, done)
        found = done.result
        self.assertEqual(("Succeeded", "warm"), (found["phase"], found["start"]))
        [pod] = self.pods("mounted")
        self.assertEqual(["agent"], [container["name"] for container in pod["spec"]["initContainers"]])
        [image] = [volume["image"]["reference"] for volume in pod["spec"]["volumes"] if "image" in volume]
        self.assertRegex(image, f"^{HOST}/.+/mounted@sha256:[0-9a-f]{{64}}$")
        self.assertEqual("none", self.deployed(reference, "--capsule-volume", "image", "--plan")["action"])
        # The same run, whichever way the capsule comes; its pods are others.
        self.assertEqual("deploy", self.deployed(reference, "--plan")["action"])
        again = self.deployed(reference)
        self.assertEqual(("AlreadyDone", found["run_record"]), (again["phase"], again["run_record"]))
        self.assertEqual(["agent", "capsule"], [container["name"] for container in self.pods("mounted")[-1]["spec"]["initContainers"]])


class NoImageVolumes(DeployCase):
    """A second cluster beside the first."""

    @classmethod
    def the_cluster(cls):
        first = super().the_cluster()
        if cls.is_theirs or not first.is_up():
            raise unittest.SkipTest("needs a cluster of our own, to start a second one without image volumes")
        temporary = tempfile.TemporaryDirectory(prefix="c-")
        cls.addClassCleanup(temporary.cleanup)
        cluster = Cluster(Path(temporary.name) / "state", Cluster(STATE).binaries, image_volumes=False)
        cls.addClassCleanup(cluster.down)
        cluster.up()
        return cluster

    def test_a_deploy_downloads_and_by_image_volume_it_says_why_not(self):
        reference = self.publish("downloaded")
        found = self.deployed(reference)
        self.assertEqual(("Succeeded", "warm"), (found["phase"], found["start"]))
        [pod] = self.pods("downloaded")
        self.assertEqual(["agent", "capsule"], [container["name"] for container in pod["spec"]["initContainers"]])
        self.refused(15, "the cluster takes no image volumes", reference, "--capsule-volume", "image")
        self.assertEqual("True: NoImageVolumes", self.condition("downloaded", "RolloutFailed"))
        self.must("rollout", "status", "deployment/downloaded-deploy", "--timeout=60s")
        self.assertEqual("AlreadyDone", self.deployed(reference)["phase"])


if __name__ == "__main__":
    unittest.main()
