"""Capsules that do what they must not, or lose their pod, deployed on a real cluster: each says why, and leaves nothing running."""
import json
import unittest
from pathlib import Path

from cluster_pods import TAKES_MEMORY
from deploy_case import DeployCase

TAKES_ROOM = 'fd = os.open(os.environ["CAPSULE_DATA"] + "/much", os.O_CREAT | os.O_WRONLY); os.posix_fallocate(fd, 0, 5 << 30); time.sleep(100)'

SOCKET = """import socket
try:
    socket.socket()
except OSError as refused:
    sys.exit(f"socket: {refused.strerror}")"""


class HostileCapsules(DeployCase):
    def nothing_runs_of(self, name):
        self.assertEqual(0, self.delete(name).code)
        self.wait_for("no pod", lambda: not self.get("pods", "-l", f"app={name}")["items"])

    def test_an_installation_and_a_run_that_leave_processes(self):
        reference = self.publish("brood", at_run="if os.fork() == 0: os.setsid(); os.execlp('sleep', 'sleep', '3141592')",
                                 scripts={"install.sh": "setsid sleep 3141592 & setsid sleep 3141592 &"})
        self.deployed(reference)
        self.wait_for("their end", lambda: not [one for one in Path("/proc").glob("[0-9]*/cmdline") if b"3141592" in self.bytes_of(one)], 30)
        self.nothing_runs_of("brood")

    def test_a_runner_that_takes_too_much_memory(self):
        self.refused(16, "memory", self.publish("hungry", at_run=TAKES_MEMORY, resources={"memory": "256Mi"}))
        self.nothing_runs_of("hungry")

    def test_an_installation_and_a_run_that_write_more_than_the_volume_holds(self):
        """By far the kubelet's own look at the volume comes later."""
        for name, more in (("floods", {"scripts": {"install.sh": f"exec python3 -c 'import os, time; {TAKES_ROOM}'"}}), ("spills", {"at_run": TAKES_ROOM})):
            with self.subTest(name):
                done = self.refused(16, "it wrote more than its volume holds (", self.publish(name, **more))
                self.assertIn("GiB of 4.0 GiB, which no field of capsule.json raises; bring large files in the package)", done.stderr.splitlines()[-1])
                self.assertNotIn("evicted", done.stderr)
                self.nothing_runs_of(name)

    def test_a_runner_that_opens_a_socket(self):
        self.refused(16, "socket: ", self.publish("caller", at_run=SOCKET))

    def test_a_pod_that_is_evicted_in_its_run(self):
        """The run goes on in another pod: the same one, billed once."""
        reference = self.publish("evicted", at_run="time.sleep(8)")
        process = self.start(reference)
        first = self.claimed("evicted")
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": first, "namespace": self.namespace}}
        self.must("create", "--raw", f"/api/v1/namespaces/{self.namespace}/pods/{first}/eviction", "-f", "-", input=json.dumps(eviction))
        out, errors = process.communicate(timeout=200)
        self.assertEqual(0, process.returncode, errors)
        found = json.loads(out)
        self.assertNotEqual(first, self.object("evicted")["status"]["lastRun"]["pod"])
        record = self.record(reference, found["run_record"])
        self.assertEqual((found["run_id"], 1), (record["run_id"], record["ordinal"]))

    def test_an_addition_that_the_pod_security_standard_refuses(self):
        """It is said whose it is; by force it goes, and that pods with it were refused is held against none that comes after."""
        self.deployed(self.publish("guarded"))
        self.must("patch", "deployment", "guarded-deploy", "--type=merge", "-p", json.dumps({"spec": {"template": {"spec": {"hostNetwork": True}}}}))
        newer = self.publish("guarded", "1.1.0")
        self.refused(14, "spec.template.spec.hostNetwork (by kubectl-patch)", newer)
        self.assertEqual("Succeeded", self.deployed(newer, "--force-conflicts")["phase"])

    def claimed(self, name):
        return self.wait_for("the run", lambda: self.kubectl("get", "pd", name, "-o", "jsonpath={.status.lastRun.pod}").stdout)

    @staticmethod
    def bytes_of(file):
        try:
            return file.read_bytes()
        except OSError:
            return b""


if __name__ == "__main__":
    unittest.main()
