"""The proof service as it is installed on a cluster: a Deployment with a volume, behind a Service."""
import json
import os
import shutil
import unittest

import shipped_objects
from cluster_case import ClusterCase

NAME = "capsule-proof-service"


class ProofService(ClusterCase):
    on_node = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.load_images()
        cls.make_volume()
        shipped_objects.install(cls)
        cls.must("rollout", "status", f"deployment/{NAME}", "--timeout=180s", timeout=200)

    @classmethod
    def make_volume(cls):
        """What a storage class does on other clusters."""
        folder = cls.cluster.node.folder / "volumes" / cls.namespace
        folder.mkdir(parents=True)
        os.chown(folder, 65532, 65532)
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.create({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": cls.namespace}, "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": cls.namespace, "name": NAME}, "hostPath": {"path": str(folder)}}})
        cls.addClassCleanup(cls.kubectl, "delete", "persistentvolume", cls.namespace, "--wait=false")

    def ask(self, path, *words):
        """Through the Service's own address."""
        address = self.get("service", NAME)["spec"]["clusterIP"]
        done = self.cluster.run(["curl", "-sS", "--fail-with-body", "--noproxy", "*", "--retry", "10", "--retry-connrefused", "-m", "20",
                                 f"http://{address}:8600{path}", *words], capture_output=True, text=True)
        self.assertEqual(0, done.returncode, done)
        return done.stdout

    def test_a_proof_outlives_the_pod(self):
        utid = json.loads(self.ask("/v1/utid/generate", "-d", "{}"))["utid"]
        body = {"title": "t", "requester": {"name": "r"}, "artifacts": [], "proof_types": ["mathematical_proof"]}
        made = json.loads(self.ask("/v1/proofs/generate", "-H", f"X-UTID: {utid}", "-d", json.dumps(body)))
        [pod] = self.get("pods", "-l", f"app.kubernetes.io/name={NAME}")["items"]
        self.must("delete", "pod", pod["metadata"]["name"])
        self.must("rollout", "status", f"deployment/{NAME}", "--timeout=180s", timeout=200)
        [other] = [item for item in self.get("pods", "-l", f"app.kubernetes.io/name={NAME}")["items"] if "deletionTimestamp" not in item["metadata"]]
        self.assertNotEqual(pod["metadata"]["uid"], other["metadata"]["uid"])
        found = json.loads(self.ask(f"/v1/proofs/{made['proof_id']}", "-H", f"X-UTID: {utid}"))
        self.assertEqual((made["proof_id"], made["proof_hash"]), (found["proof_id"], found["hash"]))

    def test_it_is_ready_and_says_what_it_does(self):
        self.assertEqual({"status": "ok"}, json.loads(self.ask("/readyz")))
        self.assertIn('capsule_proof_service_proofs{state="queued"}', self.ask("/metrics"))
        [pod] = self.get("pods", "-l", f"app.kubernetes.io/name={NAME}")["items"]
        self.assertEqual([0], [status["restartCount"] for status in pod["status"]["containerStatuses"]])


if __name__ == "__main__":
    unittest.main()
