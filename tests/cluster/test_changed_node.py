"""A node with GPUs, a taint and a certificate, one that takes no pods, or one of Windows, which no other test may meet: a capsule that
goes without a GPU elsewhere would take one here.

The scheduler treats an extended resource as it would a real GPU."""
import json
import time
import unittest

from certificates import HostAuthority, host_extensions
from cluster_case import ours_alone
from deploy_case import DeployCase
from proof_maker import hook
from proof_pods_case import ProofPodsCase
from steps import SOURCE

UTID = "UTID:REAL:00112233445566778899aabbccddeeff:1700000000000:8d81a3a33b7f:180308143315021d:e2142031359d271a"


class Node:
    def offer(self, gpus):
        if gpus:
            self.addCleanup(self.offer, None)
        self.must("patch", "node", "capsule-node", "--subresource=status", "--type=merge", "-p",
                  json.dumps({"status": {kind: {"nvidia.com/gpu": gpus and str(gpus)} for kind in ("capacity", "allocatable")}}))

    def annotate(self, annotations):
        self.must("patch", "node", "capsule-node", "--type=merge", "-p", json.dumps({"metadata": {"annotations": annotations}}))

    def cordon(self):
        self.addCleanup(self.must, "uncordon", "capsule-node")
        self.must("cordon", "capsule-node")

    def make_node(self, name, system):
        """One that is said to be Ready, and has no kubelet: the cluster takes that word for 40 s."""
        self.addCleanup(self.must, "delete", "node", name)
        self.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"kubernetes.io/os": system}}})
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        ready = {"type": "Ready", "status": "True", "reason": "Said", "message": "", "lastHeartbeatTime": now, "lastTransitionTime": now}
        room = {"cpu": "64", "memory": "256Gi", "pods": "110"}
        self.must("patch", "node", name, "--subresource=status", "--type=merge", "-p",
                  json.dumps({"status": {"allocatable": room, "capacity": room, "nodeInfo": {"operatingSystem": system}, "conditions": [ready]}}))
        self.wait_for("a node that pods may go to", lambda: not self.get("node", name)["spec"].get("taints"), 20)


class Deployed(Node, DeployCase):
    @ours_alone
    def test_gpus_and_the_certificate_of_a_node(self):
        reference = self.publish("metal", requirements=["gpu:1", "utid:hardware-bound"])
        self.addCleanup(self.delete, "metal")  # and the GPU is free again
        node = self.get("node", "capsule-node")
        authority = HostAuthority(self.folder)
        root, key = authority.key(), authority.key()
        trust = self.folder / "trust.yaml"
        pem = authority.public(root).strip().replace("\n", "\n        ")
        trust.write_text(f"version: 1\ncapsule:\n  - keys: [{{file: {self.maker.public_key}}}]\nutid:\n  - keys:\n      - |\n        {pem}\n")
        certificate = authority.certificate(key, root, "capsule-node", host_extensions(UTID, node["metadata"]["uid"]))
        self.offer(1)
        self.annotate({"utid.industriverse.ai/utid": UTID, "utid.industriverse.ai/certificate": certificate})
        self.addCleanup(self.annotate, {"utid.industriverse.ai/utid": None, "utid.industriverse.ai/certificate": None})

        self.refused(15, "the trust policy has no key with the role utid", reference)  # --key trusts nobody with machines
        done = self.inside("deploy", "--trust", trust, *self.arguments(reference)[2:])
        self.assertEqual((0, ""), (done.code, done.result and done.result["waived"]), done)
        found = self.record(reference, done.result["run_record"])["node"]
        self.assertEqual(("certified", UTID, False, ["nvidia.com/gpu"]), tuple(found[key] for key in ("binding", "utid", "attested", "gpu")))
        [pod] = self.pods("metal")
        self.assertEqual("1", pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"])
        terms = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        self.assertEqual(["capsule-node"], [term["matchFields"][0]["values"][0] for term in terms])
        # The pool has the one GPU now: another capsule finds none free, this one rolls out without a surge.
        self.refused(15, "1 wanted, 0 of 1 nvidia.com/gpu free", self.publish("second", requirements=["gpu:1"]))
        newer = self.publish("metal", "1.1.0", requirements=["gpu:1"])
        self.assertEqual("Succeeded", self.deployed(newer)["phase"])

    @ours_alone
    def test_a_node_that_takes_no_pods_is_no_reason_to_fail_where_there_is_nothing_to_do(self):
        reference = self.publish("rests")
        done = self.deployed(reference)
        self.cordon()
        again = self.deployed(reference)
        self.assertEqual(("AlreadyDone", done["run_record"]), (again["phase"], again["run_record"]))
        self.refused(15, "it is cordoned", reference, "--new-run")

    @ours_alone
    def test_no_pod_goes_to_a_windows_node(self):
        reference = self.publish("penguin")
        self.deployed(reference)
        self.make_node("windows-node", "windows")
        self.cordon()
        self.refused(15, "node windows-node: its system is windows", reference, "--new-run")
        [pod] = self.pods("penguin")
        self.must("delete", "pod", pod["metadata"]["name"], "--wait=false")

        def placed():
            """What the scheduler has said of the pod that came in its place."""
            return [one for other in self.pods("penguin") for one in other["status"].get("conditions", []) if one["type"] == "PodScheduled"]

        [said] = self.wait_for("the scheduler's word", placed, 30)
        self.assertEqual("False", said["status"], "it was sent to the Windows node")

    @ours_alone
    def test_what_the_readme_says_opens_a_node_with_a_taint(self):
        reference = self.publish("m2n2-metal", requirements=["gpu:1"])
        self.offer(1)
        self.addCleanup(self.must, "taint", "node", "capsule-node", "nvidia.com/gpu-")
        self.must("taint", "node", "capsule-node", "nvidia.com/gpu=present:NoSchedule")
        self.refused(15, "its taint nvidia.com/gpu=present:NoSchedule is not tolerated (spec.template.spec.tolerations", reference)
        beforehand = (SOURCE / "steps/deploy/README.md").read_text(encoding="utf-8").partition("<<'END'\n")[2].partition("END\n")[0]
        self.must("apply", "-f", "-", input=beforehand)
        self.addCleanup(self.delete, "m2n2-metal")
        self.assertEqual("Succeeded", self.deployed(reference)["phase"])


class Proved(Node, ProofPodsCase):
    @ours_alone
    def test_a_replay_has_the_gpu_that_the_run_had(self):
        self.offer(2)
        reference, record = self.proven_run("gpus", hook(), requirements=["gpu:1"], prewarm=True)
        seen = {}
        process = self.start_proving(reference, record)
        while process.poll() is None:
            for pod in self.proof_pods():
                limits = {container["name"]: container["resources"]["limits"].get("nvidia.com/gpu") for container in pod["spec"]["containers"]}
                seen[pod["metadata"]["name"].rpartition("-")[2]] = limits["runner"]
        self.assertEqual(0, process.returncode, process.stderr.read())
        self.assertEqual(("1", None), (seen["1"], seen["hook"]))

        # The pool has the last one.
        self.offer(1)
        reference, record = self.proven_run("gpus", hook("# another"), version="1.1.0", requirements=["gpu:1"], prewarm=True)
        process = self.start_proving(reference, record)
        said = ""
        while "waits_at_most" not in said:
            said = process.stderr.readline()
            self.assertNotEqual("", said)
        self.assertIn("Insufficient nvidia.com/gpu", said)
        self.must("scale", "deployment/gpus-deploy", "--replicas=0")
        self.assertEqual(0, process.wait(180))


if __name__ == "__main__":
    unittest.main()
